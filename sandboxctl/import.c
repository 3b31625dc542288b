/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxctl/sandboxctl.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/identity.h"
#include "sandboxctl/httpd-lines.h"
#include "sandboxctl/rule-text.h"

/*
 * The map of mod_selinux for Apache: lines of `USER DOMAIN[:RANGE]`, the first that matches decides, `#` anywhere
 * begins a comment, a backslash at the end continues a line. USER is a name, `__anonymous__`, or `*` for everybody.
 *
 * A line that sandboxd cannot express becomes a comment, and a rule that denies: left out, its user would fall to a
 * line further down, which was not meant for him. A line that mod_selinux itself skipped becomes a comment alone.
 */

#define LEVEL "s[0-9]+(:c[0-9]+([.,]c[0-9]+)*)?"

struct import {
        FILE *stream;
        const char *file;
        struct httpd_lines lines;
        const char *service, *host, *identity;
        bool everybody; /* a line for `*` has come: nobody is left for those after it */
        unsigned n_refused;
};

static bool has_form(const char *text, const char *expression)
{
        regex_t compiled;
        bool found;

        if (regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB) != 0)
                return false;
        found = regexec(&compiled, text, 0, NULL, 0) == 0;
        regfree(&compiled);
        return found;
}

/* Why a range cannot be taken over, or NULL. Of two equal levels one is cut off. */
static const char *range_refusal(char *range)
{
        char *dash;

        if (strcmp(range, "*") == 0)
                return NULL;
        if (*range == '\0' || *range == ':')
                return "a part is empty, and mod_selinux answered such requests with an error; `*` keeps a part";
        if (!has_form(range, "^" LEVEL "(-" LEVEL ")?$"))
                return "the range is not as the kernel has it, like s0:c1; names of mcstransd(8) are not known here";
        dash = strchr(range, '-');
        if (!dash)
                return NULL;
        *dash = '\0';
        if (strcmp(range, dash + 1) == 0)
                return NULL;
        *dash = '-';
        return "the range has two levels, and files would be made at the lower one; write the one that is meant";
}

static const char *context_refusal(const char *domain, char *range)
{
        if (*domain == '\0')
                return "a part is empty, and mod_selinux answered such requests with an error; `*` keeps a part";
        if (!has_form(domain, "^([*]|[A-Za-z][A-Za-z0-9_.-]*)$") || has_form(domain, "^s[0-9]+(-|$)"))
                return "the domain is not the name of a type";
        /* With the user and role that most services have. */
        if (strlen("system_u:system_r:") + strlen(domain) + 1 + (range ? strlen(range) : 0) > INDEX_CONTEXT_MAX)
                return "the context is too long";
        return range ? range_refusal(range) : NULL;
}

static void comment_out(struct import *import, const char *line, const char *reason)
{
        printf("# %s:%u: not imported: %s\n#   %s\n", import->file, import->lines.line, line, reason);
        import->n_refused++;
}

static void print_rule(
        const struct import *import, const char *user, const char *identity, const char *domain, const char *range)
{
        bool kept = !domain || (strcmp(domain, "*") == 0 && (!range || strcmp(range, "*") == 0));

        if (import->everybody)
                fputs("# never reached, behind the line for everybody: ", stdout);
        printf("%-11s %-15s %-9s %-15s ", import->service, user, "any", import->host);
        if (kept)
                puts(identity);
        else
                printf("%-15s %s%s%s\n", identity, domain, range ? ":" : "", range ? range : "");
}

/* `%user` and `dynamic` make an identity of the name of who is logged in. */
static bool needs_user(const char *identity)
{
        return strcmp(identity, "%user") == 0 || strcmp(identity, "dynamic") == 0;
}

static const char *user_refusal(const char *user, bool nobody)
{
        if (nobody)
                return "nobody is logged in, and there is no name to make an identity of; write an identity";
        if (identity_name_refusal(user))
                return "no account can have this name, and none can be allotted to it; write an identity";
        return NULL;
}

static void import_rule(struct import *import, const char *user, char *context, const char *line)
{
        bool everybody = strcmp(user, "*") == 0, nobody = strcmp(user, "__anonymous__") == 0;
        char word[RULE_WORD_SIZE], *range = strchr(context, ':');
        const char *refusal;

        if (range)
                *range++ = '\0';
        refusal = context_refusal(context, range);
        if (!refusal && !everybody && needs_user(import->identity))
                refusal = user_refusal(user, nobody);
        if (refusal)
                comment_out(import, line, refusal);
        user = everybody ? "any" : nobody ? "anonymous" : rule_word(user, word);
        if (refusal)
                print_rule(import, user, "deny", NULL, NULL);
        else
                print_rule(import, user, import->identity, context, range);
        import->everybody |= everybody;
}

static void import_line(struct import *import)
{
        char line[HTTPD_LINE_MAX + 1], *text = import->lines.text, *user, *context, *state;
        const char *blanks = " \t";

        text[strcspn(text, "#")] = '\0';
        for (size_t n = strlen(text); n > 0 && strchr(blanks, text[n - 1]); n--)
                text[n - 1] = '\0';
        snprintf(line, sizeof(line), "%s", text + strspn(text, blanks));
        user = strtok_r(text, blanks, &state);
        if (!user)
                return;
        context = strtok_r(NULL, blanks, &state);
        if (!context || strtok_r(NULL, blanks, &state))
                comment_out(import, line, "a line has two words, and mod_selinux skipped this one");
        else if (strlen(user) > MAP_WORD_MAX)
                comment_out(import, line, "no user's name is longer than 255 bytes: it never matches");
        else
                import_rule(import, user, context, line);
}

/* httpd's configuration is no map, though most of its lines have two words. */
static bool is_configuration(const char *text)
{
        static const char *const directives[] = {"<", "selinuxDomain", "selinuxServerDomain", "selinuxAllowCaches"};

        text += strspn(text, " \t");
        for (size_t i = 0; i < ELEMENTS(directives); i++)
                if (strncasecmp(text, directives[i], strlen(directives[i])) == 0)
                        return true;
        return false;
}

static void complain(const struct import *import, const char *message)
{
        fprintf(stderr, "sandboxctl: %s:%u: %s\n", import->file, import->lines.line, message);
}

static int each_line(struct import *import, int (*visit)(struct import *import))
{
        int r = 0;

        httpd_lines_begin(&import->lines, import->stream);
        while (r == 0 && (r = httpd_lines_next(&import->lines)) > 0)
                r = visit(import);
        if (r == -E2BIG)
                complain(import, "the line is longer than 8191 bytes");
        else if (r == -EBADMSG)
                complain(import, "the line has a control character");
        else if (r == -EIO)
                complain(import, "the file cannot be read");
        return r;
}

static int check_one(struct import *import)
{
        if (!is_configuration(import->lines.text))
                return 0;
        complain(import, "this is httpd's configuration: import the file that selinuxDomainMap names; see IMPORTING in "
                         "sandboxctl(1)");
        return -EINVAL;
}

static int import_one(struct import *import)
{
        import_line(import);
        return 0;
}

static void print_head(const struct import *import)
{
        printf("# From %s, a map of mod_selinux. What is different here:\n"
               "#\n"
               "# - mod_selinux changed no uid. Here every rule gives an identity, and all of these give the same one: "
               "%s.\n"
               "#   Who may not read what another one writes needs an identity of his own, or a category of his own.\n"
               "# - Who met no line ran in the server's own domain. Here he is refused, unless another map admits "
               "him.\n"
               "# - `*` in a context kept the server's domain or range. Here it keeps that of SELinuxContext= of the "
               "service.\n"
               "# - The domains were bounded by httpd_t. Here each needs a policy of its own: "
               "sandboxd_app_template().\n"
               "#\n"
               "# SERVICE   USER            ADDRESS   HOST            IDENTITY        CONTEXT\n",
                import->file, import->identity);
}

static void print_foot(const struct import *import)
{
        if (!import->everybody)
                puts("# No line is for everybody: whoever is not named above is refused, unless another map says "
                     "otherwise.");
        else if (needs_user(import->identity))
                printf("# Under `any` and %s, requests without a user are refused: there is no name to make an "
                       "identity of.\n",
                        import->identity);
}

static int run(struct import *import)
{
        int r = each_line(import, check_one);

        if (r < 0)
                return EXIT_FAILURE;
        print_head(import);
        r = each_line(import, import_one);
        print_foot(import);
        if (fflush(stdout) != 0) {
                fprintf(stderr, "sandboxctl: writing the rules: %s\n", strerror(errno));
                return EXIT_FAILURE;
        }
        if (import->n_refused > 0)
                fprintf(stderr, "sandboxctl: %s: %u lines are not imported: see the comments\n", import->file,
                        import->n_refused);
        return r < 0 || import->n_refused > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A word of a rule as it is: what the map's own syntax gives a meaning stays what it is. */
static bool is_word(const char *text)
{
        return *text && *text != '#' && !strpbrk(text, " \t\r\n\"'\\");
}

int control_import(const struct options *options)
{
        _cleanup_fclose_ FILE *stream = NULL;
        struct import import = {
                .file = options->operands[0],
                .service = options->service ? options->service : "any",
                .host = options->host[0] ? options->host : "any",
                .identity = options->identity,
        };

        if (!options->from || strcmp(options->from, "mod_selinux") != 0) {
                fputs("sandboxctl: map import needs --from=mod_selinux: no other map is known\n", stderr);
                return CONTROL_USAGE;
        }
        if (!import.identity || !is_word(import.identity) || !is_word(import.service) || !is_word(import.host)) {
                fputs("sandboxctl: map import needs --identity=: mod_selinux changed no uid, and there is no default\n",
                        stderr);
                return CONTROL_USAGE;
        }
        /* It stands in comments, and must not end one. */
        if (strpbrk(import.file, "\n\r")) {
                fputs("sandboxctl: the file's name has a line break\n", stderr);
                return EXIT_FAILURE;
        }
        stream = import.stream = fopen(import.file, "re");
        if (!stream) {
                fprintf(stderr, "sandboxctl: %s: %s\n", import.file, strerror(errno));
                return EXIT_FAILURE;
        }
        return run(&import);
}
