/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/map.c common/map-key.c common/map-search.c common/map-record.c common/map-mismatch.c */
/* links: common/network.c compiler/map-writer.c compiler/map-nodes.c compiler/map-usage.c */
/* libs: -lcdb -lglib-2.0 */

/*
 * Random maps from small alphabets, so that rules overlap, asked at random: against a loop over all rules with
 * map_mismatch(), and against the meaning of a rule written down here once more, in another way: as the set of values
 * of each column that it matches. The alphabets of what is asked tell any two different cells of a rule apart, so
 * those sets also say exactly which rule covers which.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/map-sample.h"

enum { MAPS = 5000, QUERIES = 20, RULES_MAX = 12 };
enum { N_USERS = 4, N_GROUPS = 3, N_VARIABLES = 3 };

static uint64_t state = 20240229;

/* Of 0 … n-1: Knuth's MMIX generator, the same everywhere. */
static uint32_t draw(uint32_t n)
{
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (uint32_t)(state >> 33) % n;
}

#define ONE_OF(array) ((array)[draw(ELEMENTS(array))])

static const char *const services[] = {"wiki", "cgi", "wik", ""};
static const char *const users[N_USERS] = {"", "alice", "bob", "carol"};
static const uint32_t gids[N_GROUPS] = {100, 200, 0x01000064};

/* An address, and which networks contain it, by hand. */
static const char *const networks[] = {"0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/23", "10.1.2.3", "::/0",
        "2001:db8::/32", "2001:db8::/33", "2001:db8::1"};
static const struct {
        const char *text;
        unsigned in; /* bit set of networks */
        bool unknown;
} addresses[] = {
        {"", 0, true},
        {"unix:", 0, true},
        {"10.1.2.3/32", 0, true},
        {"198.51.100.1", 0x001, false},
        {"10.200.0.1", 0x003, false},
        {"10.1.200.1", 0x007, false},
        {"10.1.3.3", 0x00f, false},
        {"10.1.2.3", 0x01f, false},
        {"::ffff:10.1.2.3", 0x01f, false},
        {"::1", 0x020, false},
        {"2001:db8:8000::1", 0x060, false},
        {"2001:db8::2", 0x0e0, false},
        {"2001:DB8:0::1", 0x1e0, false},
};

static const char *const hosts[] = {"example.org", "www.example.org", "a.www.example.org", ".org", ".example.org",
        ".www.example.org", ".www.example.net"};
static const struct {
        const char *text;
        unsigned in; /* bit set of hosts */
        bool unknown;
} names[] = {
        {"", 0, true},
        {"localhost", 0, false},
        {".org", 0, false},
        {"other.org", 0x08, false},
        {"EXAMPLE.org.", 0x09, false},
        {"ftp.example.org", 0x18, false},
        {"www.Example.Org", 0x1a, false},
        {"a.www.example.org.", 0x3c, false},
        {"b.www.example.org", 0x38, false},
        {"a.www.example.net", 0x40, false},
        {"www.example.org..", 0, false},
        {"org", 0, false},
};

static const char *const variables[N_VARIABLES] = {"A", "AB", "B"};
static const char *const values[] = {"", "1", "2"};
static const char *const cells[] = {NULL, "", "1", "2"};

/* What is asked: an index into each alphabet. */
struct asked {
        size_t service, user, address, name, value[N_VARIABLES];
        bool variables_unknown;
        unsigned groups; /* bit set */
};

/* A rule, as indices. -1: any. */
struct drawn {
        int service, network, host, condition[N_VARIABLES]; /* of cells */
        enum map_user user_match;
        size_t user, group;
        bool denies;
};

/* --- the oracle --- */

static bool service_in(const struct drawn *rule, const struct asked *asked)
{
        return rule->service < 0 || (size_t)rule->service == asked->service;
}

static bool user_in(const struct drawn *rule, const struct asked *asked)
{
        switch (rule->user_match) {
        case MAP_USER_ANY:
                return true;
        case MAP_USER_ANONYMOUS:
                return asked->user == 0;
        case MAP_USER_EXACT:
                return asked->user == rule->user;
        default:
                return asked->user != 0 && (asked->groups >> rule->group & 1);
        }
}

static bool address_in(const struct drawn *rule, const struct asked *asked)
{
        if (rule->network < 0)
                return true;
        return addresses[asked->address].unknown ? rule->denies : addresses[asked->address].in >> rule->network & 1;
}

static bool host_in(const struct drawn *rule, const struct asked *asked)
{
        if (rule->host < 0)
                return true;
        return names[asked->name].unknown ? rule->denies : names[asked->name].in >> rule->host & 1;
}

static bool variables_in(const struct drawn *rule, const struct asked *asked)
{
        for (size_t i = 0; i < N_VARIABLES; i++) {
                if (rule->condition[i] < 0)
                        continue;
                if (asked->variables_unknown)
                        return rule->denies;
                if (rule->condition[i] == 0 ? asked->value[i] == 0 : (int)asked->value[i] + 1 != rule->condition[i])
                        return false;
        }
        return true;
}

static bool in(const struct drawn *rule, const struct asked *asked)
{
        return service_in(rule, asked) && user_in(rule, asked) && address_in(rule, asked) && host_in(rule, asked) &&
               variables_in(rule, asked);
}

static size_t first_in(const struct drawn *rules, size_t n, const struct asked *asked)
{
        size_t i = 0;

        while (i < n && !in(&rules[i], asked))
                i++;
        return i;
}

/* Whether, in one column, the earlier rule matches every value that the later one matches. */
#define COVERS(matches)                                                                                                \
        if (matches(later, &asked) && !matches(earlier, &asked))                                                       \
        return false

static bool covers_variables(const struct drawn *earlier, const struct drawn *later, bool known)
{
        struct asked asked = {.variables_unknown = !known};

        COVERS(variables_in);
        asked.variables_unknown = false;
        for (size_t i = 0; i < 27; i++) {
                asked.value[0] = i % 3;
                asked.value[1] = i / 3 % 3;
                asked.value[2] = i / 9;
                COVERS(variables_in);
        }
        return true;
}

/* `known`: of what is unknown, nothing is said. */
static bool covers(const struct drawn *earlier, const struct drawn *later, bool known)
{
        struct asked asked = {0};

        for (asked.service = 0; asked.service < ELEMENTS(services); asked.service++)
                COVERS(service_in);
        for (asked.user = 0; asked.user < N_USERS; asked.user++)
                for (asked.groups = 0; asked.groups < 1U << N_GROUPS; asked.groups++)
                        COVERS(user_in);
        for (asked.address = 0; asked.address < ELEMENTS(addresses); asked.address++)
                if (!known || !addresses[asked.address].unknown)
                        COVERS(address_in);
        for (asked.name = 0; asked.name < ELEMENTS(names); asked.name++)
                if (!known || !names[asked.name].unknown)
                        COVERS(host_in);
        return covers_variables(earlier, later, known);
}

/* --- random maps and queries --- */

static int draw_cell(uint32_t n)
{
        return draw(3) == 0 ? (int)draw(n) : -1;
}

static struct drawn draw_rule(void)
{
        struct drawn rule = {
                .service = draw_cell(ELEMENTS(services) - 1),
                .network = draw_cell(ELEMENTS(networks)),
                .host = draw_cell(ELEMENTS(hosts)),
                .user_match = draw(4),
                .user = 1 + draw(N_USERS - 2), /* nobody writes a rule for carol */
                .group = draw(N_GROUPS),
                .denies = draw(2),
        };

        for (size_t i = 0; i < N_VARIABLES; i++)
                rule.condition[i] = draw(2) ? draw_cell(ELEMENTS(cells)) : -1;
        return rule;
}

static struct asked draw_asked(void)
{
        struct asked asked = {
                .service = draw(ELEMENTS(services)),
                .user = draw(N_USERS),
                .address = draw(ELEMENTS(addresses)),
                .name = draw(ELEMENTS(names)),
                .groups = draw(1U << N_GROUPS),
                .variables_unknown = draw(4) == 0,
        };

        for (size_t i = 0; i < N_VARIABLES; i++)
                asked.value[i] = draw(ELEMENTS(values));
        return asked;
}

static struct map_rule rule_of(const struct drawn *drawn, uint32_t line)
{
        static const char *const sources[] = {"10.map", "20.map"};
        struct map_rule rule = {
                .source = sources[line % 2],
                .line = line,
                .service = drawn->service < 0 ? NULL : services[drawn->service],
                .user_match = drawn->user_match,
                .network = sample_network(drawn->network < 0 ? NULL : networks[drawn->network]),
                .action = drawn->denies ? MAP_DENY : MAP_BECOME,
        };

        if (rule.user_match == MAP_USER_EXACT)
                rule.user = users[drawn->user];
        if (rule.user_match == MAP_USER_GROUP) {
                rule.user = line % 2 ? "staff" : "students"; /* the name does not matter */
                rule.group = gids[drawn->group];
        }
        if (drawn->host >= 0) {
                rule.host = hosts[drawn->host];
                rule.host_match = rule.host[0] == '.' ? MAP_HOST_SUFFIX : MAP_HOST_EXACT;
        }
        for (size_t i = 0; i < N_VARIABLES; i++)
                if (drawn->condition[i] >= 0)
                        rule.conditions[rule.n_conditions++] =
                                (struct map_condition){variables[i], cells[drawn->condition[i]]};
        return rule;
}

static bool same_cells(const struct drawn *a, const struct drawn *b)
{
        return a->service == b->service && a->network == b->network && a->host == b->host &&
               memcmp(a->condition, b->condition, sizeof(a->condition)) == 0 && a->user_match == b->user_match &&
               (a->user_match != MAP_USER_EXACT || a->user == b->user) &&
               (a->user_match != MAP_USER_GROUP || a->group == b->group);
}

/* The line is 1 and the index of the rule. */
static void check_shadow(const struct drawn *rules, size_t n, int reported, const struct map_place *place)
{
        enum map_added added = MAP_SHADOWED;
        size_t i = 0;

        while (i < n && !covers(&rules[i], &rules[n], false))
                i++;
        if (i == n) {
                added = MAP_SHADOWED_WHERE_KNOWN;
                for (i = 0; i < n && !covers(&rules[i], &rules[n], true);)
                        i++;
        }
        assert_int_equal(reported, i < n ? added : MAP_ADDED);
        if (i == n)
                return;
        assert_int_equal(place->line, i + 1);
        assert_string_equal(place->source, place->line % 2 ? "20.map" : "10.map");
        assert_int_equal(place->same, same_cells(&rules[i], &rules[n]));
}

static struct map draw_map(struct drawn *rules, bool *shadowed, size_t n)
{
        int fd = sample_memfd();
        struct map_writer *writer = map_writer_new(fd);
        struct map_place place;

        for (size_t i = 0; i < n; i++) {
                struct map_rule rule;
                int r;

                rules[i] = draw_rule();
                rule = rule_of(&rules[i], (uint32_t)i + 1);
                r = map_writer_add(writer, &rule, &place);
                check_shadow(rules, i, r, &place);
                shadowed[i] = r == MAP_SHADOWED;
        }
        return sample_finish(writer, fd);
}

struct naive {
        const struct map_query *query;
        size_t n;
        size_t first;
};

static int visit(void *context, const struct map_rule *rule)
{
        struct naive *naive = context;

        assert_int_equal(rule->number, naive->n);
        assert_int_equal(rule->line, ++naive->n);
        if (naive->first == SIZE_MAX && map_mismatch(rule, naive->query) == MAP_COLUMNS)
                naive->first = rule->number;
        return 0;
}

static size_t naive_match(struct map *map, const struct map_query *query, size_t n)
{
        struct naive naive = {.query = query, .first = SIZE_MAX};

        assert_int_equal(map_each(map, visit, &naive), 0);
        assert_int_equal(naive.n, n);
        return naive.first == SIZE_MAX ? n : naive.first;
}

static bool depends_on_groups(const struct drawn *rules, size_t n, struct asked asked)
{
        size_t without;

        asked.groups = 0;
        without = first_in(rules, n, &asked);
        for (asked.groups = 1; asked.groups < 1U << N_GROUPS; asked.groups++)
                if (first_in(rules, n, &asked) != without)
                        return true;
        return false;
}

static void check_query(struct map *map, const struct drawn *rules, const bool *shadowed, size_t n)
{
        struct asked asked = draw_asked();
        struct map_condition conditions[N_VARIABLES];
        uint32_t groups[N_GROUPS];
        struct map_query query = {
                .service = services[asked.service],
                .user = users[asked.user],
                .address = addresses[asked.address].text,
                .host = names[asked.name].text,
                .variables = conditions,
                .variables_unknown = asked.variables_unknown,
                .groups = groups,
                .groups_known = true,
        };
        size_t expected = first_in(rules, n, &asked);
        struct map_rule rule;
        int r;

        /* What is empty may be left out. */
        for (size_t i = 0; i < N_VARIABLES; i++)
                if (asked.value[i] > 0 || draw(2))
                        conditions[query.n_variables++] = (struct map_condition){variables[i], values[asked.value[i]]};
        for (size_t i = 0; i < N_GROUPS; i++)
                if (asked.groups >> i & 1)
                        groups[query.n_groups++] = gids[i];
        assert_int_equal(naive_match(map, &query, n), expected);
        r = map_match(map, &query, &rule);
        assert_int_equal(r, expected < n ? MAP_MATCHED : MAP_NO_MATCH);
        if (r == MAP_MATCHED) {
                assert_int_equal(rule.number, expected);
                assert_false(shadowed[rule.number]);
        }
        query.groups_known = false;
        r = map_match(map, &query, &rule);
        if (depends_on_groups(rules, n, asked)) {
                assert_int_equal(r, MAP_NEEDS_GROUPS);
                return;
        }
        assert_int_equal(r, expected < n ? MAP_MATCHED : MAP_NO_MATCH);
        if (r == MAP_MATCHED)
                assert_int_equal(rule.number, expected);
}

static void test_random(void **unused)
{
        struct drawn rules[RULES_MAX];
        bool shadowed[RULES_MAX];

        (void)unused;
        for (size_t i = 0; i < MAPS; i++) {
                size_t n = draw(RULES_MAX + 1);
                struct map map = draw_map(rules, shadowed, n);

                assert_int_equal(map_count(&map), n);
                for (size_t j = 0; j < QUERIES; j++)
                        check_query(&map, rules, shadowed, n);
                map_close(&map);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
