/* SPDX-License-Identifier: Apache-2.0 */

/* sandboxctl: check the configuration, explain a decision, run a command in a service's jail, look after identity
 * maps. See sandboxctl(1). */

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "sandboxctl/sandboxctl.h"

#include "paths.h"

static const struct verb {
        const char *group; /* the word before the name, or NULL */
        const char *name;
        int (*run)(const struct options *options);
        int operands_min, operands_max; /* -1: as many as there are */
        bool needs_service;
} verbs[] = {
        {NULL, "check", control_check, 0, 0, false},
        {NULL, "explain", control_explain, 0, 0, true},
        {NULL, "run", control_run, 1, -1, true},
        {"map", "check", control_check, 0, 0, false},
        {"map", "explain", control_map_explain, 0, 0, false},
        {"map", "list", control_list, 0, 0, false},
        {"map", "import", control_import, 1, 1, false},
        {"map", "who", control_who, 0, 1, false},
};

static const struct verb *find_verb(const char *group, const char *name)
{
        for (size_t i = 0; i < ELEMENTS(verbs); i++)
                if (strcmp(verbs[i].group ? verbs[i].group : "", group ? group : "") == 0 &&
                        strcmp(verbs[i].name, name) == 0)
                        return &verbs[i];
        return NULL;
}

static bool is_group(const char *word)
{
        for (size_t i = 0; i < ELEMENTS(verbs); i++)
                if (verbs[i].group && strcmp(verbs[i].group, word) == 0)
                        return true;
        return false;
}

/* Options may stand before and behind each word of the verb. Returns it, or NULL when the words make no sense. */
static const struct verb *parse(int argc, char **argv, struct options *options)
{
        const struct verb *verb = NULL;
        const char *group = NULL;
        int next = options_parse(argc, argv, options), n;

        while (next > 0 && next < argc && !verb) {
                if (!group && is_group(argv[next]))
                        group = argv[next];
                else if (!(verb = find_verb(group, argv[next])))
                        return NULL;
                n = options_parse(argc - next, argv + next, options);
                next = n < 0 ? n : next + n;
        }
        if (!verb || next < 0 || (verb->needs_service && !options->service))
                return NULL;
        options->operands = argv + next;
        n = argc - next;
        return n < verb->operands_min || (verb->operands_max >= 0 && n > verb->operands_max) ? NULL : verb;
}

int main(int argc, char **argv)
{
        struct options options = {
                .config = CONFIG_DIR,
                .libexec = LIBEXEC_DIR,
                .state = STATE_DIR,
                .user = "",
                .address = "",
                .host = "",
        };
        const struct verb *verb = parse(argc, argv, &options);

        if (verb)
                return verb->run(&options);
        options_usage(stderr);
        return CONTROL_USAGE;
}
