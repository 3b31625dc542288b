/* SPDX-License-Identifier: Apache-2.0 */
/* links: sandboxd/identity.c common/index.c compiler/builder.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "compiler/builder.h"
#include "sandboxd/identity.h"

/* A rule as a map has it. NULL: any. */
struct written {
        const char *service;
        const char *user; /* "" is anonymous */
        const char *network;
        const char *host; /* ".suffix" or a name */
        enum index_action action;
};

static void add_rule(struct builder *builder, const struct written *written, uint32_t line)
{
        struct index_rule rule = {
                .action = written->action,
                .line = line,
                .uid = 2000,
                .gid = 2000,
                .source = builder_string(builder, "10.map"),
        };

        if (written->service)
                rule.service = builder_string(builder, written->service);
        if (written->user && written->user[0]) {
                rule.user_match = INDEX_EXACT;
                rule.user = builder_string(builder, written->user);
        } else if (written->user) {
                rule.user_match = INDEX_ANONYMOUS;
        }
        if (written->network)
                assert_int_equal(identity_parse_network(written->network, &rule.network), 0);
        if (written->host) {
                rule.host_match = written->host[0] == '.' ? INDEX_SUFFIX : INDEX_EXACT;
                rule.host = builder_string(builder, written->host);
        }
        list_append(&builder->rules, &rule, sizeof(rule));
}

static struct index build(struct builder *builder, const struct written *rules, size_t n)
{
        builder_init(builder);
        for (size_t i = 0; i < n; i++)
                add_rule(builder, &rules[i], (uint32_t)i + 1);
        return builder_finish(builder, (struct index_header){.min_uid = 1000, .min_gid = 500});
}

static void clear(struct builder *builder)
{
        list_clear(&builder->rules);
        free(builder->data);
}

/* The line of the rule that matches, or 0. */
static uint32_t match(const struct index *index, const struct identity_query *query)
{
        const struct index_rule *rule = identity_match(index, query);

        return rule ? rule->line : 0;
}

/* Whether a single rule matches. */
static bool matches(const struct written *written, const struct identity_query *query)
{
        struct builder builder;
        struct index index = build(&builder, written, 1);
        bool matched = match(&index, query) == 1;

        clear(&builder);
        return matched;
}

static void test_first_match(void **state)
{
        static const struct written rules[] = {
                {"wiki", "alice", NULL, NULL, INDEX_DENY},
                {"wiki", "alice", NULL, NULL, INDEX_BECOME},
                {NULL, "alice", NULL, NULL, INDEX_BECOME},
                {"wiki", NULL, NULL, NULL, INDEX_BECOME},
                {"wiki", "bob", NULL, NULL, INDEX_DENY},
        };
        static const struct {
                struct identity_query query;
                uint32_t line;
        } cases[] = {
                {{"wiki", "alice", "", ""}, 1},
                {{"cgi", "alice", "", ""}, 3},
                {{"wiki", "bob", "", ""}, 4},
                {{"wiki", "", "", ""}, 4},
                {{"cgi", "bob", "", ""}, 0},
                {{"", "", "", ""}, 0},
                {{"wik", "bob", "", ""}, 0},
                {{"WIKI", "bob", "", ""}, 0},
                {{"wikis", "bob", "", ""}, 0},
        };
        struct builder builder;
        struct index index = build(&builder, rules, ELEMENTS(rules));

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(match(&index, &cases[i].query), cases[i].line);
        clear(&builder);
        index = build(&builder, NULL, 0);
        assert_null(identity_match(&index, &cases[0].query));
        clear(&builder);
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
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (matches(&(struct written){.user = cases[i].rule, .action = INDEX_BECOME},
                            &(struct identity_query){"s", cases[i].user, "192.0.2.1", "h"}) != cases[i].matches)
                        fail_msg("rule %s, user %s", cases[i].rule, cases[i].user);
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
                {"10.0.0.0/8", " 10.1.2.3", false, true},
                {"10.0.0.0/8", "10.1.2.3 ", false, true},
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
                const struct identity_query query = {"s", "u", cases[i].address, "h"};
                struct written rule = {.network = cases[i].network, .action = INDEX_BECOME};

                if (matches(&rule, &query) != cases[i].admits)
                        fail_msg("%s admits %s", cases[i].network, cases[i].address);
                rule.action = INDEX_DENY;
                if (matches(&rule, &query) != cases[i].denies)
                        fail_msg("%s denies %s", cases[i].network, cases[i].address);
        }
}

static void test_unknown_address_falls_to_any(void **state)
{
        static const struct written rules[] = {
                {NULL, NULL, "10.0.0.0/8", NULL, INDEX_BECOME},
                {NULL, NULL, NULL, NULL, INDEX_BECOME},
        };
        static const struct written denying[] = {
                {NULL, NULL, "10.6.6.6", NULL, INDEX_DENY},
                {NULL, NULL, NULL, NULL, INDEX_BECOME},
        };
        struct builder builder;
        struct index index = build(&builder, rules, 2);

        (void)state;
        assert_int_equal(match(&index, &(struct identity_query){"s", "u", "?", "h"}), 2);
        clear(&builder);
        index = build(&builder, denying, 2);
        assert_int_equal(match(&index, &(struct identity_query){"s", "u", "?", "h"}), 1);
        assert_int_equal(match(&index, &(struct identity_query){"s", "u", "10.6.6.7", "h"}), 2);
        clear(&builder);
}

static void test_hosts(void **state)
{
        static const struct {
                const char *rule, *host;
                bool matches;
        } cases[] = {
                {NULL, "", true},
                {NULL, "x", true},
                {"www.example.org", "www.example.org", true},
                {"www.example.org", "WWW.Example.ORG", true},
                {"www.example.org", "www.example.org.", true}, /* the same name, fully qualified */
                {"www.example.org", "www.example.org..", false},
                {".example.org", "www.example.org.", true},
                {"www.example.org", "ww.example.org", false},
                {".example.org", "www.example.org", true},
                {".example.org", "A.B.EXAMPLE.ORG", true},
                {".example.org", "example.org", false},
                {".example.org", ".example.org", false},
                {".example.org", "wwwexample.org", false},
                {".example.org", "www.example.org.evil.net", false},
                {".example.org", "www.example.com", false},
                {".example.org", "g", false},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (matches(&(struct written){.host = cases[i].rule, .action = INDEX_BECOME},
                            &(struct identity_query){"s", "u", "192.0.2.1", cases[i].host}) != cases[i].matches)
                        fail_msg("rule %s, host %s", cases[i].rule, cases[i].host);
}

/* As for the address: leaving the host out is no way round a deny rule, and no way in. */
static void test_unknown_host(void **state)
{
        static const char *const hosts[] = {"www.example.org", ".example.org"};
        const struct identity_query query = {"s", "u", "192.0.2.1", ""};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(hosts); i++) {
                assert_false(matches(&(struct written){.host = hosts[i], .action = INDEX_BECOME}, &query));
                assert_true(matches(&(struct written){.host = hosts[i], .action = INDEX_DENY}, &query));
        }
        assert_true(matches(&(struct written){.action = INDEX_BECOME}, &query));
}

/* A match kind that this version does not know matches nothing. */
static void test_unknown_kinds(void **state)
{
        struct builder builder;
        struct index_rule rule = {.action = INDEX_BECOME, .line = 1};
        struct index index;

        (void)state;
        builder_init(&builder);
        rule.source = builder_string(&builder, "x");
        rule.user_match = INDEX_SUFFIX;
        list_append(&builder.rules, &rule, sizeof(rule));
        rule.user_match = 99;
        list_append(&builder.rules, &rule, sizeof(rule));
        rule.user_match = INDEX_ANY;
        rule.host_match = INDEX_ANONYMOUS;
        list_append(&builder.rules, &rule, sizeof(rule));
        rule.host_match = 99;
        list_append(&builder.rules, &rule, sizeof(rule));
        index = builder_finish(&builder, (struct index_header){0});
        assert_null(identity_match(&index, &(struct identity_query){"s", "", "192.0.2.1", ""}));
        assert_null(identity_match(&index, &(struct identity_query){"s", "u", "192.0.2.1", "h"}));
        clear(&builder);
}

static void test_parse_network(void **state)
{
        static const struct {
                const char *text;
                int result;
                uint32_t family, prefix;
        } cases[] = {
                {"192.0.2.1", 0, AF_INET, 32},
                {"192.0.2.0/24", 0, AF_INET, 24},
                {"192.0.2.0/024", 0, AF_INET, 24},
                {"0.0.0.0/0", 0, AF_INET, 0},
                {"255.255.255.255/32", 0, AF_INET, 32},
                {"::", 0, AF_INET6, 128},
                {"::/0", 0, AF_INET6, 0},
                {"2001:db8::/32", 0, AF_INET6, 32},
                {"::ffff:192.0.2.1", 0, AF_INET, 32},
                {"::ffff:192.0.2.0/120", 0, AF_INET, 24},
                {"::ffff:0:0/96", 0, AF_INET, 0},
                {"::fffe:0:0/95", 0, AF_INET6, 95},
                {"192.0.2.1/24", -ERANGE, 0, 0},
                {"128.0.0.0/0", -ERANGE, 0, 0},
                {"192.0.2.3/31", -ERANGE, 0, 0},
                {"2001:db8::1/64", -ERANGE, 0, 0},
                {"2001:db8::/28", -ERANGE, 0, 0},
                {"::ffff:192.0.2.1/120", -ERANGE, 0, 0},
                {"::ffff:0:0/95", -ERANGE, 0, 0},
                {"", -EINVAL, 0, 0},
                {"/", -EINVAL, 0, 0},
                {"/8", -EINVAL, 0, 0},
                {"192.0.2.0/", -EINVAL, 0, 0},
                {"192.0.2.0/33", -EINVAL, 0, 0},
                {"192.0.2.0/-1", -EINVAL, 0, 0},
                {"192.0.2.0/+1", -EINVAL, 0, 0},
                {"192.0.2.0/ 1", -EINVAL, 0, 0},
                {"192.0.2.0/1 ", -EINVAL, 0, 0},
                {"192.0.2.0/24/24", -EINVAL, 0, 0},
                {"192.0.2.0/0x8", -EINVAL, 0, 0},
                {"192.0.2.0/255.255.255.0", -EINVAL, 0, 0},
                {"192.0.2.0/4294967296", -EINVAL, 0, 0},
                {"192.0.2.0/99999999999999999999999", -EINVAL, 0, 0},
                {"::/129", -EINVAL, 0, 0},
                {"192.0.2", -EINVAL, 0, 0},
                {"192.0.2.256", -EINVAL, 0, 0},
                {"localhost", -EINVAL, 0, 0},
                {":::", -EINVAL, 0, 0},
                {"any", -EINVAL, 0, 0},
        };
        static const struct index_network untouched = {.family = 77, .prefix = 78, .address = {79}};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct index_network network = untouched;

                if (identity_parse_network(cases[i].text, &network) != cases[i].result)
                        fail_msg("%s", cases[i].text);
                if (cases[i].result < 0) {
                        assert_memory_equal(&network, &untouched, sizeof(network));
                } else {
                        assert_int_equal(network.family, cases[i].family);
                        assert_int_equal(network.prefix, cases[i].prefix);
                }
        }
}

static void test_refusal(void **state)
{
        static const uint32_t reserved[] = {5001, 6001};
        static const struct {
                uint32_t uid, gid, groups[2];
                bool refused;
        } cases[] = {
                {1000, 500, {500, 501}, false},
                {UINT32_MAX - 1, UINT32_MAX - 1, {UINT32_MAX - 1, 500}, false},
                {0, 500, {500, 500}, true},
                {1000, 0, {500, 500}, true},
                {65534, 500, {500, 500}, true},
                {1000, 65534, {500, 500}, true},
                {1000, 500, {500, 65534}, true},
                {65533, 65535, {65533, 65535}, false},
                {UINT32_MAX, 500, {500, 500}, true},
                {1000, UINT32_MAX, {500, 500}, true},
                {999, 500, {500, 500}, true},
                {1, 500, {500, 500}, true},
                {1000, 499, {500, 500}, true},
                {1000, 1, {500, 500}, true},
                {5001, 500, {500, 500}, true},
                {6001, 500, {500, 500}, true},
                {1000, 5001, {500, 500}, true},
                {1000, 6001, {500, 500}, true},
                {1000, 500, {500, 0}, true},
                {1000, 500, {0, 500}, true},
                {1000, 500, {UINT32_MAX, 500}, true},
                {1000, 500, {500, 499}, true},
                {1000, 500, {500, 5001}, true},
                {1000, 500, {6001, 500}, true},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct index_rule rule = {.action = INDEX_BECOME, .uid = cases[i].uid, .gid = cases[i].gid};
                struct builder builder;
                struct index index;

                builder_init(&builder);
                rule.groups = builder_array(&builder, cases[i].groups, 2, sizeof(uint32_t));
                index = builder_finish(&builder, (struct index_header){.min_uid = 1000, .min_gid = 500});
                if ((identity_refusal(&index, &rule, reserved, 2) != NULL) != cases[i].refused)
                        fail_msg("%u:%u %u %u", cases[i].uid, cases[i].gid, cases[i].groups[0], cases[i].groups[1]);
                clear(&builder);
        }
}

/* Whatever the minimum says: not root, and not "no change". */
static void test_refusal_without_minimum(void **state)
{
        static const uint32_t ids[] = {0, 65534, UINT32_MAX};
        struct builder builder;
        struct index index;

        (void)state;
        builder_init(&builder);
        index = builder_finish(&builder, (struct index_header){0});
        for (size_t i = 0; i < ELEMENTS(ids); i++) {
                assert_non_null(identity_refusal(&index, &(struct index_rule){.uid = ids[i], .gid = 1}, NULL, 0));
                assert_non_null(identity_refusal(&index, &(struct index_rule){.uid = 1, .gid = ids[i]}, NULL, 0));
        }
        assert_null(identity_refusal(&index, &(struct index_rule){.uid = 1, .gid = 1}, NULL, 0));
        clear(&builder);
}

/*
 * A second matcher, written from the manual and sharing nothing with the first: addresses as strings of binary
 * digits, hosts by folding and comparing from the end.
 */

enum { RULES_MAX = 8, CASES = 20000 };

static uint64_t seed = 20240229;

static uint32_t below(uint32_t n)
{
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return (uint32_t)(seed >> 20) % n;
}

/* "4" or "6" and the digits; an IPv4-mapped address is "4" and the last 32. Empty: not an address. */
static void naive_bits(const char *text, char bits[130])
{
        unsigned char bytes[16];
        size_t n = 4, skip = 0;

        bits[0] = '\0';
        if (inet_pton(AF_INET, text, bytes) == 1) {
                strcpy(bits, "4");
        } else if (inet_pton(AF_INET6, text, bytes) == 1) {
                n = 16;
                if (memcmp(bytes, "\0\0\0\0\0\0\0\0\0\0\377\377", 12) == 0)
                        skip = 12;
                strcpy(bits, skip ? "4" : "6");
        } else {
                return;
        }
        for (size_t i = skip * 8; i < n * 8; i++)
                strcat(bits, bytes[i / 8] >> (7 - i % 8) & 1 ? "1" : "0");
}

static bool naive_address(const struct written *rule, const char *address)
{
        char network[64], network_bits[130], address_bits[130];
        const char *slash;
        size_t prefix, lost;

        if (!rule->network)
                return true;
        naive_bits(address, address_bits);
        if (!address_bits[0])
                return rule->action == INDEX_DENY;
        snprintf(network, sizeof(network), "%s", rule->network);
        slash = strchr(rule->network, '/');
        network[strcspn(network, "/")] = '\0';
        naive_bits(network, network_bits);
        if (!slash)
                return strcmp(network_bits, address_bits) == 0;
        prefix = (size_t)atoi(slash + 1);
        lost = strchr(network, ':') && network_bits[0] == '4' ? 96 : 0;
        return strncmp(network_bits, address_bits, 1 + prefix - lost) == 0;
}

static bool naive_host(const struct written *written, const char *host)
{
        const char *rule = written->host;
        size_t r, h;

        if (!rule)
                return true;
        if (!host[0])
                return written->action == INDEX_DENY;
        r = strlen(rule);
        h = strlen(host);
        if (rule[0] == '.' ? h <= r : h != r)
                return false;
        while (r > 0)
                if (tolower((unsigned char)rule[--r]) != tolower((unsigned char)host[--h]))
                        return false;
        return true;
}

static uint32_t naive_match(const struct written *rules, size_t n, const struct identity_query *query)
{
        for (size_t i = 0; i < n; i++)
                if ((!rules[i].service || !strcmp(rules[i].service, query->service)) &&
                        (!rules[i].user || !strcmp(rules[i].user, query->user)) &&
                        naive_address(&rules[i], query->address) && naive_host(&rules[i], query->host))
                        return (uint32_t)i + 1;
        return 0;
}

/* An address near one of a few, so that rules and queries meet. */
static void random_address(char *text, size_t size, uint32_t prefix, bool *ret_v6)
{
        static const char *const near[] = {
                "10.0.0.0", "10.128.0.0", "192.0.2.0", "2001:db8::", "::ffff:10.0.0.0", "fe80::"};
        unsigned char bytes[16] = {0};
        const char *base = near[below(ELEMENTS(near))];
        bool v6 = strchr(base, ':');
        uint32_t width = v6 ? 128 : 32;

        inet_pton(v6 ? AF_INET6 : AF_INET, base, bytes);
        for (int i = 0; i < 3; i++) {
                uint32_t bit = below(width);

                bytes[bit / 8] ^= (unsigned char)(0x80 >> bit % 8);
        }
        for (uint32_t bit = prefix; bit < width; bit++)
                bytes[bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
        inet_ntop(v6 ? AF_INET6 : AF_INET, bytes, text, (socklen_t)size);
        *ret_v6 = v6;
}

static const char *random_network(char *text, size_t size)
{
        uint32_t prefix = below(4) ? below(129) : 104;
        bool v6;
        size_t length;

        if (below(3) == 0)
                return NULL;
        random_address(text, size, prefix, &v6);
        length = strlen(text);
        if (!v6 && prefix > 32)
                prefix = 32;
        if (prefix < (v6 ? 128 : 32) || below(2))
                snprintf(text + length, size - length, "/%u", prefix);
        return text;
}

static const char *pick(const char *const *list, size_t n)
{
        return list[below((uint32_t)n)];
}

static void test_differential(void **state)
{
        static const char *const services[] = {"wiki", "cgi", "mail"};
        static const char *const users[] = {"", "alice", "bob", "any", "anonymous", "*"};
        static const char *const hosts[] = {"", "example.org", "www.example.org", "a.www.EXAMPLE.org", ".example.org",
                "Example.Org", "xexample.org", "org"};
        static const char *const rule_hosts[] = {"example.org", "www.example.org", ".example.org", ".org", "."};
        static const char *const odd[] = {"", "-", "10.0.0.0/8", "10.0.0", "::g"};
        unsigned matched = 0;

        (void)state;
        print_message("seed %ju\n", (uintmax_t)seed);
        for (unsigned i = 0; i < CASES; i++) {
                char networks[RULES_MAX][64], address[64];
                struct written rules[RULES_MAX];
                size_t n = 1 + below(RULES_MAX);
                struct identity_query query;
                struct builder builder;
                struct index index;
                uint32_t expected;
                bool v6;

                for (size_t k = 0; k < n; k++)
                        rules[k] = (struct written){
                                .service = below(2) ? NULL : pick(services, ELEMENTS(services)),
                                .user = below(2) ? NULL : pick(users, ELEMENTS(users)),
                                .network = random_network(networks[k], sizeof(networks[k])),
                                .host = below(2) ? NULL : pick(rule_hosts, ELEMENTS(rule_hosts)),
                                .action = below(3) ? INDEX_BECOME : INDEX_DENY,
                        };
                random_address(address, sizeof(address), 128, &v6);
                query.service = pick(services, ELEMENTS(services));
                query.user = pick(users, ELEMENTS(users));
                query.address = below(8) ? address : pick(odd, ELEMENTS(odd));
                query.host = pick(hosts, ELEMENTS(hosts));
                index = build(&builder, rules, n);
                expected = naive_match(rules, n, &query);
                matched += expected != 0;
                if (match(&index, &query) != expected)
                        fail_msg("case %u: %s %s %s %s: rule %u, expected %u", i, query.service, query.user,
                                query.address, query.host, match(&index, &query), expected);
                clear(&builder);
        }
        print_message("%u of %u matched\n", matched, CASES);
        assert_in_range(matched, CASES / 5, CASES - CASES / 5);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_first_match),
                cmocka_unit_test(test_users),
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_unknown_address_falls_to_any),
                cmocka_unit_test(test_hosts),
                cmocka_unit_test(test_unknown_host),
                cmocka_unit_test(test_unknown_kinds),
                cmocka_unit_test(test_parse_network),
                cmocka_unit_test(test_refusal),
                cmocka_unit_test(test_refusal_without_minimum),
                cmocka_unit_test(test_differential),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
