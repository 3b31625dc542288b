/* SPDX-License-Identifier: Apache-2.0 */
/* links: compiler/map.c compiler/pace.c compiler/row-query.c compiler/row-result.c compiler/words.c */
/* links: compiler/host.c compiler/line.c */
/* links: compiler/network-hint.c compiler/context.c compiler/context-text.c compiler/rule-context.c */
/* links: compiler/value.c compiler/builder.c compiler/memory.c compiler/diagnostics.c common/network.c */
/* links: common/identity.c */
/* libs: -lselinux */

/*
 * The identity maps in tests/maps: what is said about each, to the letter, and which rules come of it. NAME.map is
 * read; NAME.expected is the complaints, and then the rules. A line "# with: WORD ..." of a map changes what is around
 * it; see arrange(). With a map as its argument, the program prints what NAME.expected should be.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/network.h"
#include "compiler/source.h"
#include "tests/unit/map-text-sample.h"

enum { OUTPUT_MAX = 64 * 1024, QUERY_MAX = 4096 };

static const char *path; /* of the map at hand */
static FILE *rules;      /* what has been made of it */

FILE *source_open(const char *name)
{
        (void)name;
        return fopen(path, "re");
}

void source_each(
        const char *directory, const char *suffix, void (*visit)(void *context, const char *path), void *context)
{
        (void)directory;
        (void)suffix;
        visit(context, strrchr(path, '/') + 1);
}

static void write_query(const struct map_rule *rule, char *text, size_t size)
{
        static const char *const users[] = {"any", "anonymous", "is ", "in group "};
        char network[NETWORK_TEXT_SIZE];
        int n = snprintf(text, size, "service %s, user %s%s, address %s, host %s%s",
                rule->service ? rule->service : "any", users[rule->user_match], rule->user ? rule->user : "",
                network_text(&rule->network, network), rule->host_match == MAP_HOST_SUFFIX ? "*" : "",
                rule->host ? rule->host : "any");

        if (rule->user_match == MAP_USER_GROUP)
                n += snprintf(text + n, size - (size_t)n, " (gid %u)", rule->group);
        for (uint32_t i = 0; i < rule->n_conditions; i++)
                n += snprintf(text + n, size - (size_t)n, ", %s%s%s", rule->conditions[i].name,
                        rule->conditions[i].value ? " is " : " is there",
                        rule->conditions[i].value ? rule->conditions[i].value : "");
}

static void print_result(const struct map_rule *rule)
{
        static const char *const actions[] = {"deny", "", "%user", "dynamic"};

        fprintf(rules, "    %s", actions[rule->action]);
        if (rule->action == MAP_BECOME)
                fprintf(rules, "%s%s%u:%u", rule->account ? rule->account : "", rule->account ? " " : "", rule->uid,
                        rule->gid);
        for (uint32_t i = 0; i < rule->n_groups; i++)
                fprintf(rules, "%c%u", i == 0 ? ':' : ',', rule->groups[i]);
        if (rule->context)
                fprintf(rules, ", context %s", rule->context);
        if (rule->max_connections)
                fprintf(rules, ", at most %u", rule->max_connections);
        if (rule->runtime_max)
                fprintf(rules, ", %ju us", (uintmax_t)rule->runtime_max);
        if (rule->flags & MAP_NICE)
                fprintf(rules, ", nice %d", rule->nice);
        fprintf(rules, "%s%s\n", rule->flags & MAP_ALLOW_SYSTEM ? ", allow-system" : "",
                rule->flags & MAP_NO_SHELL ? ", no shell" : "");
}

/*
 * Shadowed: by a rule that asks for the same, and by one for all requests; where all is known, the user where-known.
 * Users errno-N cannot be written.
 */
int sample_rule(const struct map_rule *rule, struct map_place *ret_shadow)
{
        static char queries[64][QUERY_MAX];
        static struct map_place places[64];
        static size_t n;
        static const char all[] = "service any, user any, address any, host any";

        if (rule->n_conditions > 0 && strcmp(rule->conditions[0].name, "NINTH") == 0)
                return -ENOSPC;
        if (rule->user && strncmp(rule->user, "errno-", 6) == 0)
                return -atoi(rule->user + 6);
        assert_true(n < ELEMENTS(queries));
        write_query(rule, queries[n], QUERY_MAX);
        fprintf(rules, "%u: %s\n", rule->line, queries[n]);
        print_result(rule);
        places[n] = (struct map_place){"10.map", rule->line, true};
        if (rule->user && strcmp(rule->user, "where-known") == 0) {
                *ret_shadow = places[0];
                return MAP_SHADOWED_WHERE_KNOWN;
        }
        for (size_t i = 0; i < n; i++)
                if (strcmp(queries[i], queries[n]) == 0 || strcmp(queries[i], all) == 0) {
                        *ret_shadow = places[i];
                        ret_shadow->same = strcmp(queries[i], queries[n]) == 0;
                        return 1;
                }
        n++;
        return 0;
}

/* What the maps ask for in "# with:". */
static void arrange(struct compile *compile)
{
        FILE *map = fopen(path, "re");
        char line[256];

        assert_non_null(map);
        while (fgets(line, sizeof(line), map)) {
                if (strncmp(line, "# with: ", 8) != 0)
                        continue;
                if (strstr(line, "selinux"))
                        compile->header.selinux = INDEX_SELINUX_APPLY;
                if (strstr(line, "no-range"))
                        compile->header.dynamic_first = compile->header.dynamic_last = 0;
                if (strstr(line, "require-shell"))
                        compile->header.require_shell = true;
                if (strstr(line, "refused-services"))
                        compile->services_refused = true;
                if (strstr(line, "categories-service"))
                        sample_map_service(compile, "php", "system_u:system_r:php_t:s0:c200");
        }
        fclose(map);
}

/* In a process of its own: errors are counted up to its end. Writes to descriptor 1. */
static void compile_and_print(void)
{
        struct compile compile;
        char *text = NULL;
        size_t size;

        dup2(STDOUT_FILENO, STDERR_FILENO);
        rules = open_memstream(&text, &size);
        sample_map_begin(&compile);
        arrange(&compile);
        compile_maps(&compile);
        compile_check_categories(&compile);
        diagnose_end();
        sample_map_end(&compile);
        fclose(rules);
        if (write(STDOUT_FILENO, text, size) != (ssize_t)size)
                abort();
        free(text);
}

static void capture(char output[OUTPUT_MAX])
{
        FILE *file = tmpfile();
        size_t length;
        pid_t pid;
        int status;

        assert_non_null(file);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                dup2(fileno(file), STDOUT_FILENO);
                compile_and_print();
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        rewind(file);
        length = fread(output, 1, OUTPUT_MAX - 1, file);
        output[length] = '\0';
        fclose(file);
        if (status != 0)
                fail_msg("%s: status %d\n%s", path, status, output);
}

static void compare_with_expected(void)
{
        static char output[OUTPUT_MAX], expected[OUTPUT_MAX];
        char name[4096];
        FILE *file;
        size_t length;

        snprintf(name, sizeof(name), "%.*s.expected", (int)(strlen(path) - strlen(".map")), path);
        file = fopen(name, "re");
        if (!file)
                fail_msg("%s: %m", name);
        length = fread(expected, 1, sizeof(expected) - 1, file);
        expected[length] = '\0';
        fclose(file);
        capture(output);
        if (strcmp(output, expected) != 0)
                fail_msg("%s: other than expected:\n%s", path, output);
}

static void test_maps(void **state)
{
        glob_t found;

        (void)state;
        assert_int_equal(glob("tests/maps/*.map", 0, NULL, &found), 0);
        assert_true(found.gl_pathc >= 10);
        for (size_t i = 0; i < found.gl_pathc; i++) {
                path = found.gl_pathv[i];
                compare_with_expected();
        }
        globfree(&found);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_maps),
        };

        if (argc == 2) {
                path = argv[1];
                compile_and_print();
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
