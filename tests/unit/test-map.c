/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/map.c common/map-key.c common/map-search.c common/map-record.c common/map-mismatch.c */
/* links: common/network.c compiler/map-writer.c compiler/map-nodes.c compiler/map-usage.c */
/* libs: -lcdb -lglib-2.0 */

/* What rules mean, one column after the other: test-map-random.c asks for them together. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/map-sample.h"

static struct map build(const struct sample_rule *written, size_t n)
{
        struct map_rule rules[16];

        sample_check(n <= ELEMENTS(rules));
        for (size_t i = 0; i < n; i++)
                rules[i] = sample_rule(&written[i]);
        return sample_map(rules, n);
}

/* The line of the rule that matches, or 0. */
static uint32_t match(struct map *map, const struct map_query *query)
{
        struct map_rule rule = {.line = 0};
        int r = map_match(map, query, &rule);

        assert_true(r == MAP_MATCHED || r == MAP_NO_MATCH);
        return rule.line;
}

/* Whether a single rule matches, in the map as on its own. */
static bool matches_rule(const struct map_rule *rule, const struct map_query *query)
{
        struct map map = sample_map(rule, 1);
        bool matched = match(&map, query) == 1;

        map_close(&map);
        assert_int_equal(map_mismatch(rule, query) == MAP_COLUMNS, matched);
        return matched;
}

static bool matches(const struct sample_rule *written, struct map_query query)
{
        struct map_rule rule = sample_rule(written);

        return matches_rule(&rule, &query);
}

static void test_first_match(void **state)
{
        static const struct sample_rule rules[] = {
                {"wiki", "alice", NULL, NULL, true},
                {"wiki", "alice", NULL, NULL, false},
                {NULL, "alice", NULL, NULL, false},
                {"wiki", NULL, NULL, NULL, false},
                {"wiki", "bob", NULL, NULL, true},
        };
        static const struct {
                const char *service, *user;
                uint32_t line;
        } cases[] = {
                {"wiki", "alice", 1},
                {"cgi", "alice", 3},
                {"wiki", "bob", 4},
                {"wiki", "", 4},
                {"cgi", "bob", 0},
                {"", "", 0},
                {"wik", "bob", 0},
                {"WIKI", "bob", 0},
                {"wikis", "bob", 0},
        };
        struct map map = build(rules, ELEMENTS(rules));
        struct map_query query;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                query = sample_query(cases[i].service, cases[i].user, "", "");
                assert_int_equal(match(&map, &query), cases[i].line);
        }
        map_close(&map);
        map = build(NULL, 0);
        assert_int_equal(map_count(&map), 0);
        assert_int_equal(match(&map, &query), 0);
        map_close(&map);
}

static void test_users(void **state)
{
        static const struct {
                const char *rule, *user;
                bool matches;
        } cases[] = {
                {NULL, "", true},
                {NULL, "alice", true},
                {"", "", true},
                {"", "alice", false},
                {"", "anonymous", false}, /* a user of that name is logged in */
                {"anonymous", "", false},
                {"anonymous", "anonymous", true},
                {"any", "any", true},
                {"any", "", false},
                {"any", "alice", false},
                {"alice", "alice", true},
                {"alice", "Alice", false},
                {"alice", "alic", false},
                {"alice", "alicee", false},
                {"alice", "", false},
                {"*", "alice", false},
                {"alice", "*", false},
                {"alice", "=alice", false},
                {"alice", "-", false},
                {"alice", "@", false},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (matches(&(struct sample_rule){.user = cases[i].rule},
                            sample_query("s", cases[i].user, "192.0.2.1", "h")) != cases[i].matches)
                        fail_msg("rule %s, user %s", cases[i].rule, cases[i].user);
}

static void test_groups(void **state)
{
        static const uint32_t other[] = {101, 99}, right[] = {7, 100};
        static const struct sample_rule rules[] = {
                {"wiki", "bob", NULL, NULL, false},
                {"wiki", "@", "10.0.0.0/8", NULL, false},
                {"wiki", NULL, NULL, NULL, true},
                {NULL, "@", NULL, NULL, true},
        };
        struct map map = build(rules, ELEMENTS(rules));
        struct map_query query = sample_query("wiki", "alice", "10.1.1.1", "");
        struct map_rule rule;

        (void)state;
        assert_int_equal(match(&map, &query), 3);
        query.groups = other;
        query.n_groups = ELEMENTS(other);
        assert_int_equal(match(&map, &query), 3);
        query.groups = right;
        assert_int_equal(match(&map, &query), 2);
        query.user = ""; /* nobody is in no group, whatever is said */
        assert_int_equal(match(&map, &query), 3);
        query.groups_known = false;
        assert_int_equal(match(&map, &query), 3);
        query.user = "alice";
        assert_int_equal(map_match(&map, &query, &rule), MAP_NEEDS_GROUPS);
        query.user = "bob"; /* comes before the group */
        assert_int_equal(match(&map, &query), 1);
        query.user = "alice"; /* the group's rule is for another network; the next one comes before the last */
        query.address = "192.0.2.1";
        assert_int_equal(match(&map, &query), 3);
        query.service = "cgi";
        assert_int_equal(map_match(&map, &query, &rule), MAP_NEEDS_GROUPS);
        query.groups_known = true;
        query.n_groups = 0;
        assert_int_equal(map_match(&map, &query, &rule), MAP_NO_MATCH);
        map_close(&map);
}

static void test_addresses(void **state)
{
        static const struct {
                const char *network, *address;
                bool admits, denies;
        } cases[] = {
                {NULL, "", true, true},
                {NULL, "nonsense", true, true},
                {"10.0.0.0/8", "10.255.255.255", true, true},
                {"10.0.0.0/8", "11.0.0.0", false, false},
                {"10.0.0.0/8", "9.255.255.255", false, false},
                {"10.0.0.0/9", "10.127.0.1", true, true},
                {"10.0.0.0/9", "10.128.0.1", false, false},
                {"10.1.2.3", "10.1.2.3", true, true},
                {"10.1.2.3", "10.1.2.2", false, false},
                {"10.1.2.2/31", "10.1.2.3", true, true},
                {"10.1.2.2/31", "10.1.2.4", false, false},
                {"0.0.0.0/0", "255.1.2.3", true, true},
                {"0.0.0.0/0", "::1", false, false},
                {"::/0", "::1", true, true},
                {"::/0", "10.1.2.3", false, false},
                {"2001:db8::/32", "2001:db8:ffff::1", true, true},
                {"2001:db8::/32", "2001:DB8::1", true, true},
                {"2001:db8::/32", "2001:db9::1", false, false},
                {"2001:db8::/33", "2001:db8:7fff::", true, true},
                {"2001:db8::/33", "2001:db8:8000::", false, false},
                {"::1", "::1", true, true},
                {"::1", "::", false, false},
                /* IPv4-mapped: one address, two spellings */
                {"10.0.0.0/8", "::ffff:10.1.2.3", true, true},
                {"10.0.0.0/8", "::ffff:a01:203", true, true},
                {"10.0.0.0/8", "::ffff:11.1.2.3", false, false},
                {"::ffff:10.0.0.0/104", "10.1.2.3", true, true},
                {"::ffff:10.0.0.0/104", "11.1.2.3", false, false},
                {"::ffff:0:0/96", "198.51.100.7", true, true},
                {"::/0", "::ffff:10.1.2.3", false, false},
                {"10.0.0.0/8", "::10.1.2.3", false, false},
                /* Not an address: only deny rules match. */
                {"10.0.0.0/8", "", false, true},
                {"10.0.0.0/8", "unix:", false, true},
                {"10.0.0.0/8", "10.1.2", false, true},
                {"10.0.0.0/8", "10.1.2.3.4", false, true},
                {"10.0.0.0/8", "010.1.2.3", false, true},
                {"10.0.0.0/8", "10.1.2.3:80", false, true},
                {"10.0.0.0/8", "[::1]", false, true},
                {"10.0.0.0/8", "10.0.0.0/8", false, true},
                {"10.0.0.0/8", "10.1.2.3/32", false, true},
                {"fe80::/10", "fe80::1%eth0", false, true},
                {"::/0", "", false, true},
                {"0.0.0.0/0", "", false, true},
                {"10.0.0.0/8", "0000:0000:0000:0000:0000:ffff:255.255.255.2555", false, true},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct map_query query = sample_query("s", "u", cases[i].address, "h");
                struct sample_rule rule = {.network = cases[i].network};

                if (matches(&rule, query) != cases[i].admits)
                        fail_msg("%s admits %s", cases[i].network, cases[i].address);
                rule.denies = true;
                if (matches(&rule, query) != cases[i].denies)
                        fail_msg("%s denies %s", cases[i].network, cases[i].address);
        }
}

static void test_unknown_falls_to_any(void **state)
{
        static const struct sample_rule rules[] = {
                {NULL, NULL, "10.0.0.0/8", NULL, false},
                {NULL, NULL, NULL, "www.example.org", false},
                {NULL, NULL, NULL, NULL, false},
        };
        static const struct sample_rule denying[] = {
                {NULL, NULL, "10.6.6.6", ".example.org", true},
                {NULL, NULL, NULL, NULL, false},
        };
        static const struct {
                const char *address, *host;
                uint32_t line;
        } cases[] = {
                {"?", "", 1},
                {"?", "www.example.org", 1},
                {"?", "example.org", 2},
                {"10.6.6.6", "", 1},
                {"10.6.6.7", "", 2},
                {"10.6.6.6", "www.example.org", 1},
                {"10.6.6.6", "example.org", 2},
        };
        struct map map = build(rules, ELEMENTS(rules));
        struct map_query query = sample_query("s", "u", "?", "");

        (void)state;
        assert_int_equal(match(&map, &query), 3);
        map_close(&map);
        map = build(denying, ELEMENTS(denying));
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                query = sample_query("s", "u", cases[i].address, cases[i].host);
                if (match(&map, &query) != cases[i].line)
                        fail_msg("%s %s", cases[i].address, cases[i].host);
        }
        map_close(&map);
}

static void test_hosts(void **state)
{
        static const struct {
                const char *rule, *host;
                bool admits;
        } cases[] = {
                {NULL, "", true},
                {NULL, "x", true},
                {"www.example.org", "www.example.org", true},
                {"www.example.org", "WWW.Example.ORG", true},
                {"www.example.org", "www.example.org.", true}, /* the same name, fully qualified */
                {"www.example.org", "www.example.org..", false},
                {".example.org", "www.example.org.", true},
                {"www.example.org", "ww.example.org", false},
                {"www.example.org", ".www.example.org", false},
                {".example.org", "www.example.org", true},
                {".example.org", "A.B.EXAMPLE.ORG", true},
                {".example.org", "example.org", false},
                {".example.org", ".example.org", false},
                {".example.org", "..example.org", true},
                {".example.org", "wwwexample.org", false},
                {".example.org", "www.example.org.evil.net", false},
                {".example.org", "www.example.com", false},
                {".example.org", "g", false},
                {"www.example.org", "", false}, /* unknown: only deny rules match */
                {".example.org", "", false},
                {".", ".", false},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct map_query query = sample_query("s", "u", "192.0.2.1", cases[i].host);
                struct sample_rule rule = {.host = cases[i].rule};

                if (matches(&rule, query) != cases[i].admits)
                        fail_msg("rule %s, host %s", cases[i].rule, cases[i].host);
                rule.denies = true;
                if (matches(&rule, query) != (cases[i].admits || !cases[i].host[0]))
                        fail_msg("rule %s denies host %s", cases[i].rule, cases[i].host);
        }
}

/* Longer than any that a map may hold: the words match nothing, the end of a host still counts. */
static void test_long_words(void **state)
{
        char word[4096];
        struct map_query query = sample_query(word, word, word, word);

        (void)state;
        memset(word, 'w', sizeof(word));
        memcpy(word + sizeof(word) - sizeof(".example.org"), ".example.org", sizeof(".example.org"));
        assert_true(matches(&(struct sample_rule){0}, query));
        assert_true(matches(&(struct sample_rule){.host = ".example.org"}, query));
        assert_false(matches(&(struct sample_rule){.host = ".example.net"}, query));
        assert_false(matches(&(struct sample_rule){.service = "w"}, query));
        assert_false(matches(&(struct sample_rule){.user = "w"}, query));
        assert_true(matches(&(struct sample_rule){.network = "10.0.0.0/8", .denies = true}, query));
}

static void test_conditions(void **state)
{
        static const struct {
                struct map_condition a, b, variable;
                bool matches;
        } cases[] = {
                {{"A", "1"}, {0}, {"A", "1"}, true},
                {{"A", "1"}, {0}, {"A", "11"}, false},
                {{"A", "1"}, {0}, {"A", ""}, false},
                {{"A", "1"}, {0}, {"B", "1"}, false},
                {{"A", "1"}, {0}, {"a", "1"}, false},
                {{"A", "1"}, {0}, {"A", NULL}, false},
                {{"A", NULL}, {0}, {"A", "1"}, true},
                {{"A", NULL}, {0}, {"A", ""}, false},
                {{"A", NULL}, {0}, {"A", NULL}, false},
                {{"A", NULL}, {0}, {"B", "1"}, false},
                {{"A", ""}, {0}, {"A", ""}, true},
                {{"A", ""}, {0}, {"A", "1"}, false},
                {{"A", ""}, {0}, {"B", "1"}, true}, /* it is not there: it is empty */
                {{"A", "*"}, {0}, {"A", "1"}, false},
                {{"A", "=1"}, {0}, {"A", "1"}, false},
                {{"A", "1"}, {"B", ""}, {"A", "1"}, true},
                {{"A", "1"}, {"B", NULL}, {"A", "1"}, false},
                {{"A", "1"}, {"B", "2"}, {"A", "1"}, false},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct map_rule rule = {
                        .n_conditions = cases[i].b.name ? 2 : 1,
                        .conditions = {cases[i].a, cases[i].b},
                };
                struct map_query query = sample_query("s", "u", "192.0.2.1", "h");

                query.variables = &cases[i].variable;
                query.n_variables = 1;
                for (rule.action = MAP_DENY; rule.action <= MAP_BECOME; rule.action++)
                        if (matches_rule(&rule, &query) != cases[i].matches)
                                fail_msg("case %zu", i);
                query.variables_unknown = true;
                for (rule.action = MAP_DENY; rule.action <= MAP_BECOME; rule.action++)
                        assert_int_equal(matches_rule(&rule, &query), rule.action == MAP_DENY);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_first_match),
                cmocka_unit_test(test_users),
                cmocka_unit_test(test_groups),
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_unknown_falls_to_any),
                cmocka_unit_test(test_hosts),
                cmocka_unit_test(test_long_words),
                cmocka_unit_test(test_conditions),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
