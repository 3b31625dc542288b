/* SPDX-License-Identifier: Apache-2.0 */
/* links: sandboxctl/rule-text.c common/network.c compiler/words.c compiler/value.c */

/* What is written here is read again by the compiler's own words_split(). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "compiler/words.h"
#include "sandboxctl/rule-text.h"

static struct words words;

static void test_words_come_back(void **state)
{
        static const char *const texts[] = {"alice", "", "any", "*", "anonymous", "deny", "dynamic", "allow-system",
                "@x", "%user", "#x", "a#b", "a b", "a\tb", "\"", "\\", "'", "a\"b\\c'd", "x=1", "A=\"1\"", ".+", "^a",
                "a|b", "jürgen", "30010:30010", "\\n", "  "};
        char word[RULE_WORD_SIZE], line[RULE_WORD_SIZE + 8];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                snprintf(line, sizeof(line), "x %s y", rule_word(texts[i], word));
                assert_int_equal(words_split(&words, line), 0);
                assert_int_equal(words.count, 3);
                assert_string_equal(words.word[1].text, texts[i]);
                assert_false(words.word[1].assigns);
        }
        assert_string_equal(rule_word("alice", word), "alice");
        assert_string_equal(rule_word("any", word), "\"any\"");
}

static void test_the_longest_word(void **state)
{
        char text[MAP_WORD_MAX + 1] = {0}, word[RULE_WORD_SIZE];

        (void)state;
        memset(text, '"', MAP_WORD_MAX);
        assert_int_equal(strlen(rule_word(text, word)), RULE_WORD_SIZE - 1);
        assert_int_equal(words_split(&words, word), 0);
        assert_string_equal(words.word[0].text, text);
}

/* Every column at its longest: nothing is cut off. */
static void test_the_longest_rule(void **state)
{
        static char value[MAP_WORD_MAX + 1], name[4][MAP_VARIABLE_NAME_MAX + 1], context[INDEX_CONTEXT_MAX + 1];
        static char line[RULE_LINE_SIZE];
        struct map_rule rule = {
                .service = value,
                .user_match = MAP_USER_GROUP,
                .user = value,
                .network = {.family = AF_INET6, .prefix = 127, .address = {[0 ... 15] = 0xfe}},
                .host_match = MAP_HOST_SUFFIX,
                .host = value,
                .n_conditions = 4,
                .action = MAP_BECOME,
                .flags = MAP_ALLOW_SYSTEM | MAP_NICE,
                .uid = UINT32_MAX - 1,
                .gid = UINT32_MAX - 1,
                .n_groups = INDEX_GROUPS_MAX,
                .context = context,
                .max_connections = UINT32_MAX,
                .nice = 19,
                .runtime_max = UINT64_MAX,
        };

        (void)state;
        memset(value, '\\', MAP_WORD_MAX);
        memset(context, 'c', INDEX_CONTEXT_MAX);
        for (size_t i = 0; i < 4; i++) {
                memset(name[i], 'A' + (int)i, MAP_VARIABLE_NAME_MAX);
                rule.conditions[i] = (struct map_condition){name[i], value};
        }
        for (size_t i = 0; i < INDEX_GROUPS_MAX; i++)
                rule.groups[i] = UINT32_MAX - 1;
        rule_line(&rule, line);
        assert_non_null(strstr(line, ",4294967294 ccc"));
        assert_non_null(
                strstr(line, " MaxConnections=4294967295 RuntimeMaxSec=18446744073709551615us Nice=19 allow-system"));
        for (size_t i = 0; i < 4; i++)
                assert_non_null(strstr(line, name[i]));
        assert_int_equal(strlen(line), 512 + strlen("@") + 512 + strlen("fefe:fefe:fefe:fefe:fefe:fefe:fefe:fefe/127") +
                                               strlen("*") + 255 + 4 * (63 + strlen("=") + 512) +
                                               66 * strlen("4294967294") + 65 /* colons and commas */ + 255 +
                                               strlen("MaxConnections=4294967295 RuntimeMaxSec=18446744073709551615us "
                                                      "Nice=19 allow-system") +
                                               10 /* blanks */);
}

static void assert_line(const struct map_rule *rule, const char *expected)
{
        static char line[RULE_LINE_SIZE];

        assert_string_equal(rule_line(rule, line), expected);
}

static void test_columns(void **state)
{
        struct map_rule rule = {0};

        (void)state;
        assert_line(&rule, "any any any any deny");
        rule = (struct map_rule){.service = "any",
                .user_match = MAP_USER_ANONYMOUS,
                .host_match = MAP_HOST_EXACT,
                .host = "any",
                .action = MAP_BECOME_DYNAMIC,
                .context = "*:s0:%mcs"};
        assert_line(&rule, "\"any\" anonymous any \"any\" dynamic *:s0:%mcs");
        rule = (struct map_rule){.user_match = MAP_USER_EXACT,
                .user = "a",
                .host_match = MAP_HOST_SUFFIX,
                .host = ".b",
                .n_conditions = 2,
                .conditions = {{"A", NULL}, {"B", "*"}},
                .action = MAP_BECOME_USER,
                .runtime_max = 1500};
        assert_line(&rule, "any a any *.b A=* B=\"*\" %user RuntimeMaxSec=1500us");
        rule = (struct map_rule){.action = MAP_BECOME,
                .uid = 1,
                .gid = 2,
                .n_groups = 2,
                .groups = {3, 4},
                .runtime_max = 2500000,
                .flags = MAP_NICE};
        assert_line(&rule, "any any any any 1:2:3,4 RuntimeMaxSec=2500ms Nice=0");
        rule = (struct map_rule){.action = MAP_BECOME, .uid = 1, .gid = 2, .account = "dynamic", .flags = MAP_NO_SHELL};
        assert_line(&rule, "any any any any \"dynamic\"");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words_come_back),
                cmocka_unit_test(test_the_longest_word),
                cmocka_unit_test(test_the_longest_rule),
                cmocka_unit_test(test_columns),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
