/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/map.c common/map-key.c common/map-search.c common/map-record.c common/map-mismatch.c */
/* links: common/network.c compiler/map-writer.c compiler/map-nodes.c compiler/map-usage.c */
/* libs: -lcdb -lglib-2.0 */

/* What a map takes and keeps, and which rules hide which: test-map-random.c asks for the latter at large. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/map-sample.h"

static int add_condition(struct map_writer *writer, const char *service, const char *name)
{
        struct map_rule rule = {.source = "10.map", .service = service, .n_conditions = 1, .conditions = {{name, "1"}}};
        struct map_place place;

        return map_writer_add(writer, &rule, &place);
}

static void check_variables(struct map *map, const char *service, const char *expected)
{
        const char *names[MAP_VARIABLES_MAX];
        char text[MAP_VARIABLES_MAX * 2 + 1] = "";
        int n = map_variables(map, service, names);

        assert_true(n >= 0);
        for (int i = 0; i < n; i++)
                strcat(strcat(text, names[i]), " ");
        assert_string_equal(text, expected);
}

static void test_variables(void **state)
{
        int fd = sample_memfd();
        struct map_writer *writer = map_writer_new(fd);
        char name[2] = "H";
        struct map map;

        (void)state;
        assert_int_equal(add_condition(writer, NULL, "M"), 0);
        assert_int_equal(add_condition(writer, "wiki", "M"), 1);
        for (; name[0] > 'A'; name[0]--)
                assert_int_equal(add_condition(writer, "wiki", name), 0);
        assert_int_equal(add_condition(writer, "wiki", "Z"), -ENOSPC);
        assert_int_equal(add_condition(writer, NULL, "Z"), -ENOSPC);
        assert_int_equal(add_condition(writer, NULL, "B"), 0); /* wiki has it already */
        assert_int_equal(add_condition(writer, "cgi", "Z"), 0);
        map = sample_finish(writer, fd);
        check_variables(&map, "wiki", "B M C D E F G H ");
        check_variables(&map, "cgi", "B M Z ");
        check_variables(&map, "git", "B M ");
        check_variables(&map, "", "B M ");
        assert_int_equal(map_count(&map), 11);
        map_close(&map);
        map = sample_map(NULL, 0);
        check_variables(&map, "wiki", "");
        map_close(&map);
}

/* --- what a rule holds --- */

static char longest[4][MAP_WORD_MAX + 1];
static char names[MAP_CONDITIONS_MAX][MAP_VARIABLE_NAME_MAX + 1];

/* Everything as long as it may be. */
static struct map_rule full_rule(void)
{
        struct map_rule rule = {
                .source = "/etc/sandboxd/maps/10.map",
                .line = 4000000000,
                .service = longest[0],
                .user_match = MAP_USER_GROUP,
                .user = longest[1],
                .group = 3000000000,
                .network = sample_network("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
                .host_match = MAP_HOST_EXACT,
                .host = longest[2],
                .n_conditions = MAP_CONDITIONS_MAX,
                .action = MAP_BECOME_DYNAMIC,
                .flags = MAP_ALLOW_SYSTEM | MAP_NO_SHELL | MAP_NICE,
                .uid = 4000000001,
                .gid = 4000000002,
                .n_groups = INDEX_GROUPS_MAX,
                .account = longest[3],
                .context = "u:r:t_t:s0-s0:c0,c1023",
                .max_connections = 4000000003,
                .nice = -20,
                .runtime_max = UINT64_C(10000000000),
        };

        for (size_t i = 0; i < ELEMENTS(longest); i++)
                memset(longest[i], 'a' + (int)i, MAP_WORD_MAX);
        for (uint32_t i = 0; i < INDEX_GROUPS_MAX; i++)
                rule.groups[i] = 4000001000 + i;
        for (size_t i = 0; i < MAP_CONDITIONS_MAX; i++) {
                memset(names[i], 'A' + (int)i, MAP_VARIABLE_NAME_MAX);
                rule.conditions[i] = (struct map_condition){names[i], i == 2 ? NULL : longest[i]};
        }
        return rule;
}

static void same_text(const char *a, const char *b)
{
        assert_int_equal(!a, !b);
        if (a)
                assert_string_equal(a, b);
}

static void check_rule(const struct map_rule *rule, const struct map_rule *expected)
{
        assert_int_equal(rule->number, expected->number);
        same_text(rule->source, expected->source);
        assert_int_equal(rule->line, expected->line);
        same_text(rule->service, expected->service);
        assert_int_equal(rule->user_match, expected->user_match);
        same_text(rule->user, expected->user);
        assert_int_equal(rule->group, expected->group);
        assert_memory_equal(&rule->network, &expected->network, sizeof(rule->network));
        assert_int_equal(rule->host_match, expected->host_match);
        same_text(rule->host, expected->host);
        assert_int_equal(rule->n_conditions, expected->n_conditions);
        for (size_t i = 0; i < rule->n_conditions; i++) {
                same_text(rule->conditions[i].name, expected->conditions[i].name);
                same_text(rule->conditions[i].value, expected->conditions[i].value);
        }
        assert_int_equal(rule->action, expected->action);
        assert_int_equal(rule->flags, expected->flags);
        assert_int_equal(rule->uid, expected->uid);
        assert_int_equal(rule->gid, expected->gid);
        assert_int_equal(rule->n_groups, expected->n_groups);
        assert_memory_equal(rule->groups, expected->groups, rule->n_groups * sizeof(rule->groups[0]));
        same_text(rule->account, expected->account);
        same_text(rule->context, expected->context);
        assert_int_equal(rule->max_connections, expected->max_connections);
        assert_int_equal(rule->nice, expected->nice);
        assert_int_equal(rule->runtime_max, expected->runtime_max);
}

static int visit(void *context, const struct map_rule *rule)
{
        const struct map_rule *expected = context;

        check_rule(rule, &expected[rule->number]);
        return rule->number == 1 ? 42 : 0;
}

static void test_fields(void **state)
{
        struct map_rule rules[] = {full_rule(), {.source = "20.map", .number = 1}, {.source = "20.map", .number = 2}};
        uint32_t group = rules[0].group;
        int fd = sample_memfd();
        struct map_writer *writer = map_writer_new(fd);
        struct map_query query = sample_query(longest[0], "u", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", longest[2]);
        struct map_place place;
        struct map_rule rule;
        struct map map;

        (void)state;
        assert_int_equal(map_writer_add(writer, &rules[0], &place), 0);
        assert_int_equal(map_writer_add(writer, &rules[1], &place), 0);
        assert_int_equal(map_writer_add(writer, &rules[2], &place), 1);
        map = sample_finish(writer, fd);
        assert_int_equal(map_count(&map), 3);
        assert_int_equal(map_each(&map, visit, rules), 42);
        query.groups = &group;
        query.n_groups = 1;
        query.variables = (struct map_condition[]){
                {names[3], longest[3]}, {names[0], longest[0]}, {names[2], "x"}, {names[1], longest[1]}};
        query.n_variables = 4;
        assert_int_equal(map_match(&map, &query, &rule), MAP_MATCHED);
        check_rule(&rule, &rules[0]);
        query.n_groups = 0;
        assert_int_equal(map_match(&map, &query, &rule), MAP_MATCHED);
        check_rule(&rule, &rules[1]);
        map_close(&map);
        assert_int_equal(map.fd, -1);
        map_close(&map);
}

#define REFUSED(...)                                                                                                   \
        do {                                                                                                           \
                struct map_rule refused = {__VA_ARGS__};                                                               \
                refused.source = refused.source ? refused.source : "10.map";                                           \
                assert_int_equal(map_writer_add(writer, &refused, &place), -EINVAL);                                   \
        } while (0)

static void test_refused_rules(void **state)
{
        static char too_long[MAP_WORD_MAX + 2];
        int fd = sample_memfd();
        struct map_writer *writer = map_writer_new(fd);
        struct map_place place;
        struct map map;

        (void)state;
        memset(too_long, 'w', MAP_WORD_MAX + 1);
        REFUSED(.source = "");
        REFUSED(.source = "10\n.map");
        REFUSED(.service = "");
        REFUSED(.service = too_long);
        REFUSED(.service = "a\tb");
        REFUSED(.user_match = 4);
        REFUSED(.user_match = MAP_USER_EXACT);
        REFUSED(.user_match = MAP_USER_EXACT, .user = "");
        REFUSED(.user_match = MAP_USER_EXACT, .user = too_long);
        REFUSED(.user_match = MAP_USER_EXACT, .user = "a\nb");
        REFUSED(.user_match = MAP_USER_EXACT, .user = "a\x7f");
        REFUSED(.user_match = MAP_USER_ANY, .user = "a");
        REFUSED(.user_match = MAP_USER_ANONYMOUS, .user = "a");
        REFUSED(.user_match = MAP_USER_GROUP);
        REFUSED(.network = {.family = 4});
        REFUSED(.network = {.prefix = 1});
        REFUSED(.network = {.address = {1}});
        REFUSED(.network = {.family = 2, .prefix = 33});
        REFUSED(.network = {.family = 2, .prefix = 8, .address = {10, 1}});
        REFUSED(.network = {.family = 2, .prefix = 32, .address = {10, 1, 1, 1, 1}});
        REFUSED(.network = {.family = 10, .prefix = 129});
        REFUSED(.host_match = 3, .host = "a");
        REFUSED(.host = "a");
        REFUSED(.host_match = MAP_HOST_EXACT);
        REFUSED(.host_match = MAP_HOST_EXACT, .host = "");
        REFUSED(.host_match = MAP_HOST_EXACT, .host = "A.example.org");
        REFUSED(.host_match = MAP_HOST_EXACT, .host = too_long);
        REFUSED(.host_match = MAP_HOST_SUFFIX, .host = "example.org");
        REFUSED(.n_conditions = 1);
        REFUSED(.n_conditions = MAP_CONDITIONS_MAX + 1, .conditions = {{"A", 0}, {"B", 0}, {"C", 0}, {"D", 0}});
        REFUSED(.n_conditions = 1, .conditions = {{"", "1"}});
        REFUSED(.n_conditions = 1, .conditions = {{too_long, "1"}});
        REFUSED(.n_conditions = 1, .conditions = {{"A", too_long}});
        REFUSED(.n_conditions = 1, .conditions = {{"A", "\r"}});
        REFUSED(.n_conditions = 2, .conditions = {{"B", "1"}, {"A", "1"}});
        REFUSED(.n_conditions = 2, .conditions = {{"A", "1"}, {"A", "2"}});
        REFUSED(.action = 4);
        REFUSED(.flags = 8);
        REFUSED(.n_groups = INDEX_GROUPS_MAX + 1);
        REFUSED(.account = "");
        REFUSED(.account = too_long);
        REFUSED(.context = "");
        REFUSED(.context = too_long);
        REFUSED(.nice = 20);
        REFUSED(.nice = -21);
        map = sample_finish(writer, fd);
        assert_int_equal(map_count(&map), 0);
        map_close(&map);
}

/* As much as a file may take, instead of memory: it is written in larger pieces. In a process that ends of it. */
static void fill(int output)
{
        const struct rlimit limit = {16 * 1024, 16 * 1024};
        struct map_writer *writer = map_writer_new(sample_memfd());
        struct map_rule rule = {.source = "10.map", .user_match = MAP_USER_EXACT, .action = MAP_BECOME};
        struct map_place place;
        char user[16];

        signal(SIGXFSZ, SIG_IGN);
        if (dup2(output, STDERR_FILENO) < 0 || setrlimit(RLIMIT_FSIZE, &limit) < 0)
                _exit(2);
        for (rule.line = 1; rule.line < 1000; rule.line++) {
                snprintf(user, sizeof(user), "user%u", rule.line);
                rule.user = user;
                map_writer_add(writer, &rule, &place);
        }
        _exit(0);
}

static void test_no_room(void **state)
{
        char text[256] = "";
        int ends[2], status;
        unsigned line, count;
        pid_t pid;

        (void)state;
        assert_int_equal(pipe(ends), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                fill(ends[1]);
        close(ends[1]);
        assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
        close(ends[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
        assert_int_equal(sscanf(text, "sandboxd-compile: no room for the identity map behind 10.map:%u, %u rules: ",
                                 &line, &count),
                2);
        assert_true(line == count && count > 10 && count < 1000);
        assert_non_null(strstr(text, ": File too large\n"));
}

/* --- what hides what --- */

static void test_shadows(void **state)
{
        static const struct {
                struct sample_rule earlier, later;
                enum map_added shadowed;
                bool same;
        } cases[] = {
                {{0}, {"wiki", "alice", "10.0.0.0/8", "h", false}, MAP_SHADOWED, false},
                {{0}, {"wiki", "@", "10.0.0.0/8", "h", true}, MAP_SHADOWED, false},
                {{0}, {0}, MAP_SHADOWED, true},
                {{0}, {.denies = true}, MAP_SHADOWED, true},
                {{.service = "wiki"}, {0}, MAP_ADDED, false},
                {{.service = "wiki"}, {.service = "cgi"}, MAP_ADDED, false},
                {{.service = "wiki"}, {.service = "wiki", .user = ""}, MAP_SHADOWED, false},
                {{.user = "alice"}, {.user = "alice"}, MAP_SHADOWED, true},
                {{.user = "alice"}, {.user = "@"}, MAP_ADDED, false},
                {{.user = "@"}, {.user = "alice"}, MAP_ADDED, false},
                {{.user = "@"}, {.user = "@"}, MAP_SHADOWED, true},
                {{.user = "@"}, {0}, MAP_ADDED, false},
                {{.user = ""}, {.user = "alice"}, MAP_ADDED, false},
                {{.network = "10.0.0.0/8"}, {.network = "10.1.0.0/16"}, MAP_SHADOWED, false},
                {{.network = "10.1.0.0/16"}, {.network = "10.0.0.0/8"}, MAP_ADDED, false},
                {{.network = "10.0.0.0/8"}, {.network = "11.0.0.0/8"}, MAP_ADDED, false},
                {{.network = "0.0.0.0/0"}, {.network = "::/0"}, MAP_ADDED, false},
                {{.network = "0.0.0.0/0"}, {0}, MAP_ADDED, false},
                {{.host = ".example.org"}, {.host = ".a.example.org"}, MAP_SHADOWED, false},
                {{.host = ".example.org"}, {.host = "a.example.org"}, MAP_SHADOWED, false},
                {{.host = ".example.org"}, {.host = ".example.org"}, MAP_SHADOWED, true},
                {{.host = ".example.org"}, {.host = "example.org"}, MAP_ADDED, false},
                {{.host = "a.example.org"}, {.host = ".a.example.org"}, MAP_ADDED, false},
                /* What is unknown: an address that is none meets the later rule, and not the earlier. */
                {{.network = "10.0.0.0/8"}, {.network = "10.0.0.0/8", .denies = true}, MAP_SHADOWED_WHERE_KNOWN, true},
                {{.network = "10.0.0.0/8"}, {.network = "10.1.0.0/16", .denies = true}, MAP_SHADOWED_WHERE_KNOWN,
                        false},
                {{.network = "10.1.0.0/16"}, {.network = "10.0.0.0/8", .denies = true}, MAP_ADDED, false},
                {{.host = "h"}, {.host = "h", .denies = true}, MAP_SHADOWED_WHERE_KNOWN, true},
                {{.user = "alice"}, {.user = "alice", .network = "10.0.0.0/8", .denies = true}, MAP_SHADOWED, false},
                {{.host = "h"}, {.host = "h", .network = "10.0.0.0/8", .denies = true}, MAP_SHADOWED_WHERE_KNOWN,
                        false},
                {{.network = "10.0.0.0/8", .denies = true}, {.network = "10.1.0.0/16", .denies = true}, MAP_SHADOWED,
                        false},
                {{.network = "10.0.0.0/8", .denies = true}, {.network = "10.0.0.0/8"}, MAP_SHADOWED, true},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int fd = sample_memfd();
                struct map_writer *writer = map_writer_new(fd);
                struct map_rule earlier = sample_rule(&cases[i].earlier), later = sample_rule(&cases[i].later);
                struct map_place place = {.source = "untouched"};
                struct map map;

                earlier.source = "10.map";
                earlier.line = 7;
                later.source = "20.map";
                assert_int_equal(map_writer_add(writer, &earlier, &place), 0);
                assert_string_equal(place.source, "untouched");
                if (map_writer_add(writer, &later, &place) != (int)cases[i].shadowed)
                        fail_msg("case %zu", i);
                if (cases[i].shadowed) {
                        assert_string_equal(place.source, "10.map");
                        assert_int_equal(place.line, 7);
                        assert_int_equal(place.same, cases[i].same);
                }
                map = sample_finish(writer, fd);
                map_close(&map);
        }
}

static void test_shadows_of_conditions(void **state)
{
        static const struct {
                struct map_condition earlier[2], later[2];
                bool shadowed;
        } cases[] = {
                {{{"A", NULL}}, {{"A", "1"}}, true},
                {{{"A", NULL}}, {{"A", ""}}, false},
                {{{"A", "1"}}, {{"A", NULL}}, false},
                {{{"A", "1"}}, {{"A", "2"}}, false},
                {{{"A", "1"}}, {{"A", "1"}, {"B", "1"}}, true},
                {{{"B", "1"}}, {{"A", "1"}, {"B", "1"}}, true},
                {{{"B", NULL}}, {{"A", "1"}, {"B", NULL}}, true},
                {{{"A", "1"}, {"B", "1"}}, {{"B", "1"}}, false},
                {{{"A", ""}}, {{"B", "1"}}, false},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int fd = sample_memfd();
                struct map_writer *writer = map_writer_new(fd);
                struct map_rule earlier = {.source = "10.map", .action = MAP_BECOME}, later = earlier;
                struct map_place place;
                struct map map;

                earlier.n_conditions = cases[i].earlier[1].name ? 2 : 1;
                later.n_conditions = cases[i].later[1].name ? 2 : 1;
                memcpy(earlier.conditions, cases[i].earlier, sizeof(cases[i].earlier));
                memcpy(later.conditions, cases[i].later, sizeof(cases[i].later));
                assert_int_equal(map_writer_add(writer, &earlier, &place), 0);
                if (map_writer_add(writer, &later, &place) != cases[i].shadowed)
                        fail_msg("case %zu", i);
                map = sample_finish(writer, fd);
                map_close(&map);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_variables),
                cmocka_unit_test(test_fields),
                cmocka_unit_test(test_refused_rules),
                cmocka_unit_test(test_no_room),
                cmocka_unit_test(test_shadows),
                cmocka_unit_test(test_shadows_of_conditions),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
