/* SPDX-License-Identifier: Apache-2.0 */
/* links: compiler/value.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "compiler/value.h"

#define UNTOUCHED UINT64_C(0x7777)

struct number_case {
        const char *text;
        int result;
        uint64_t value;
};

static void check_numbers(const struct number_case *cases, size_t n, int (*parse)(const char *text, uint64_t *ret))
{
        for (size_t i = 0; i < n; i++) {
                uint64_t value = UNTOUCHED;
                int r = parse(cases[i].text, &value);

                if (r != cases[i].result || value != (r < 0 ? UNTOUCHED : cases[i].value))
                        fail_msg("'%s': %d, %ju", cases[i].text, r, (uintmax_t)value);
        }
}

static void test_boolean(void **state)
{
        static const struct {
                const char *text;
                int result; /* -1: refused */
        } cases[] = {
                {"yes", 1},
                {"true", 1},
                {"on", 1},
                {"1", 1},
                {"y", 1},
                {"t", 1},
                {"YES", 1},
                {"True", 1},
                {"no", 0},
                {"false", 0},
                {"off", 0},
                {"0", 0},
                {"n", 0},
                {"f", 0},
                {"OFF", 0},
                {"", -1},
                {"ye", -1},
                {"yess", -1},
                {"2", -1},
                {"10", -1},
                {" yes", -1},
                {"yes ", -1},
                {"enable", -1},
                {"-1", -1},
                {"o", -1},
                {"tru", -1},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (int before = 0; before < 2; before++) {
                        bool value = before;
                        int r = value_boolean(cases[i].text, &value);

                        if (r != (cases[i].result < 0 ? -EINVAL : 0) ||
                                value != (cases[i].result < 0 ? before : cases[i].result))
                                fail_msg("'%s'", cases[i].text);
                }
}

static int parse_number(const char *text, uint64_t *ret)
{
        return value_number(text, 65536, ret);
}

static int parse_any_number(const char *text, uint64_t *ret)
{
        return value_number(text, UINT64_MAX, ret);
}

static int parse_octal(const char *text, uint64_t *ret)
{
        return value_octal(text, 0777, ret);
}

static void test_number(void **state)
{
        static const struct number_case cases[] = {
                {"0", 0, 0},
                {"1", 0, 1},
                {"65536", 0, 65536},
                {"0010", 0, 10},
                {"65537", -ERANGE, 0},
                {"18446744073709551615", -ERANGE, 0},
                {"18446744073709551616", -ERANGE, 0},
                {"99999999999999999999999999999", -ERANGE, 0},
                {"", -EINVAL, 0},
                {"-1", -EINVAL, 0},
                {"+1", -EINVAL, 0},
                {" 1", -EINVAL, 0},
                {"1 ", -EINVAL, 0},
                {"1.0", -EINVAL, 0},
                {"0x10", -EINVAL, 0},
                {"1e3", -EINVAL, 0},
                {"1K", -EINVAL, 0},
                {"one", -EINVAL, 0},
                {"\xb2", -EINVAL, 0},
        };
        static const struct number_case any[] = {
                {"18446744073709551615", 0, UINT64_MAX},
                {"18446744073709551616", -ERANGE, 0},
        };

        (void)state;
        check_numbers(cases, ELEMENTS(cases), parse_number);
        check_numbers(any, ELEMENTS(any), parse_any_number);
}

static void test_octal(void **state)
{
        static const struct number_case cases[] = {
                {"0", 0, 0},
                {"0077", 0, 077},
                {"77", 0, 077},
                {"777", 0, 0777},
                {"00000777", 0, 0777},
                {"1000", -ERANGE, 0},
                {"8", -EINVAL, 0},
                {"08", -EINVAL, 0},
                {"0o77", -EINVAL, 0},
                {"0x7", -EINVAL, 0},
                {"-7", -EINVAL, 0},
                {"", -EINVAL, 0},
                {"7 ", -EINVAL, 0},
                {"u=rwx", -EINVAL, 0},
                {"7777777777777777777777777", -ERANGE, 0},
        };

        (void)state;
        check_numbers(cases, ELEMENTS(cases), parse_octal);
}

static void test_size(void **state)
{
        static const struct number_case cases[] = {
                {"0", 0, 0},
                {"1", 0, 1},
                {"1B", 0, 1},
                {"1K", 0, 1024},
                {"64M", 0, 64 << 20},
                {"2G", 0, UINT64_C(2) << 30},
                {"3T", 0, UINT64_C(3) << 40},
                {"0T", 0, 0},
                {"007K", 0, 7 << 10},
                {"infinity", 0, UINT64_MAX},
                {"9223372036854775807", 0, INT64_MAX},
                {"8388607T", 0, UINT64_C(8388607) << 40},
                {"8388608T", -ERANGE, 0},
                {"16777216T", -ERANGE, 0},
                {"18446744073709551615K", -ERANGE, 0},
                {"9007199254740991K", 0, UINT64_C(9007199254740991) << 10},
                {"9007199254740992K", -ERANGE, 0},
                {"18014398509481984K", -ERANGE, 0},
                {"8589934592G", -ERANGE, 0},
                {"18446744073709551616", -ERANGE, 0},
                {"99999999999999999999M", -ERANGE, 0},
                {"", -EINVAL, 0},
                {"K", -EINVAL, 0},
                {"1k", -EINVAL, 0},
                {"1KB", -EINVAL, 0},
                {"1KiB", -EINVAL, 0},
                {"1 K", -EINVAL, 0},
                {"1.5G", -EINVAL, 0},
                {"-1", -EINVAL, 0},
                {"+1", -EINVAL, 0},
                {" 1", -EINVAL, 0},
                {"10%", -EINVAL, 0},
                {"Infinity", -EINVAL, 0},
                {"infinity ", -EINVAL, 0},
                {"1X", -EINVAL, 0},
                {"0x10", -EINVAL, 0},
        };

        (void)state;
        check_numbers(cases, ELEMENTS(cases), value_size);
}

static void test_timespan(void **state)
{
        static const struct number_case cases[] = {
                {"0", 0, 0},
                {"90", 0, 90000000},
                {"90s", 0, 90000000},
                {"90sec", 0, 90000000},
                {"500ms", 0, 500000},
                {"7us", 0, 7},
                {"2m", 0, 120000000},
                {"2min", 0, 120000000},
                {"1h", 0, UINT64_C(3600000000)},
                {"1hr", 0, UINT64_C(3600000000)},
                {"1d", 0, UINT64_C(86400000000)},
                {"1min 30s", 0, 90000000},
                {"1min30s", 0, 90000000},
                {"1min   30", 0, 90000000},
                {"1h 1m 1s 1ms 1us", 0, UINT64_C(3661001001)},
                {"30s ", 0, 30000000},
                {"4294967295s", 0, UINT64_C(4294967295000000)},
                {"4294967296s", -ERANGE, 0},
                {"5000000000us", -ERANGE, 0},
                {"99999999999999999999s", -ERANGE, 0},
                /* the largest number of days in 64 bits, and what is beyond */
                {"213503982d", 0, UINT64_C(213503982) * UINT64_C(86400000000)},
                {"213503983d", -ERANGE, 0},
                {"427007966d", -ERANGE, 0},
                {"4294967295d", -ERANGE, 0},
                {"213503982d 8h", 0, UINT64_C(213503982) * UINT64_C(86400000000) + UINT64_C(28800000000)},
                {"213503982d 9h", -ERANGE, 0},
                {"4294967295h 4294967295h", -ERANGE, 0},
                {"", -EINVAL, 0},
                {" ", -EINVAL, 0},
                {" 1s", -EINVAL, 0},
                {"s", -EINVAL, 0},
                {"1 s", -EINVAL, 0},
                {"1x", -EINVAL, 0},
                {"1S", -EINVAL, 0},
                {"1M", -EINVAL, 0},
                {"-1s", -EINVAL, 0},
                {"+1s", -EINVAL, 0},
                {"1.5s", -EINVAL, 0},
                {"1s,2s", -EINVAL, 0},
                {"1mins", -EINVAL, 0},
                {"1se", -EINVAL, 0},
                {"infinity", -EINVAL, 0},
                {"1min -30s", -EINVAL, 0},
                {"1\xc2\xb5s", -EINVAL, 0},
        };

        (void)state;
        check_numbers(cases, ELEMENTS(cases), value_timespan);
}

struct word {
        const char *text;
        bool quoted;
};

static void test_words(void **state)
{
        static const struct {
                const char *line;
                struct word words[4];
                int result; /* after those */
        } cases[] = {
                {"", {{0}}, 0},
                {" \t ", {{0}}, 0},
                {"a", {{"a", false}}, 0},
                {"  a\tb \n", {{"a", false}, {"b", false}}, 0},
                {"\"a b\"", {{"a b", true}}, 0},
                {"'a b'", {{"a b", true}}, 0},
                {"\"\"", {{"", true}}, 0},
                {"'' x", {{"", true}, {"x", false}}, 0},
                {"a\"b c\"d", {{"ab cd", true}}, 0},
                {"\"a'b\" 'c\"d'", {{"a'b", true}, {"c\"d", true}}, 0},
                {"\"C=D E\" F=G", {{"C=D E", true}, {"F=G", false}}, 0},
                {"a\\sb", {{"a b", false}}, 0},
                {"\\\"a\\'", {{"\"a'", false}}, 0},
                {"a\\\\b", {{"a\\b", false}}, 0},
                {"\\n\\t", {{"\n\t", false}}, 0},
                {"\"a\\\"b\"", {{"a\"b", true}}, 0},
                {"'a\\'b'", {{"a'b", true}}, 0},
                {"\xc3\xa9 \xff", {{"\xc3\xa9", false}, {"\xff", false}}, 0},
                {"#x", {{"#x", false}}, 0},
                {"a b c", {{"a", false}, {"b", false}, {"c", false}}, 0},
                {"\"a", {{0}}, -EINVAL},
                {"'a", {{0}}, -EINVAL},
                {"a b\"", {{"a", false}}, -EINVAL},
                {"\"a'", {{0}}, -EINVAL},
                {"\\", {{0}}, -EILSEQ},
                {"a\\", {{0}}, -EILSEQ},
                {"\"\\", {{0}}, -EILSEQ},
                {"\\x41", {{0}}, -EILSEQ},
                {"\\101", {{0}}, -EILSEQ},
                {"\\a", {{0}}, -EILSEQ},
                {"\\\xff", {{0}}, -EILSEQ},
                {"a\\ b", {{0}}, -EILSEQ},
                {"1234567", {{"1234567", false}}, 0},
                {"12345678", {{0}}, -ERANGE},
                {"\"1234567\"", {{"1234567", true}}, 0},
                {"x 123456789", {{"x", false}}, -ERANGE},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char *line = strdup(cases[i].line);
                const char *cursor = line;

                for (const struct word *word = cases[i].words; word->text; word++) {
                        char text[8];
                        bool quoted = !word->quoted;

                        if (value_word(&cursor, text, sizeof(text), &quoted) != 1 || strcmp(text, word->text) != 0 ||
                                quoted != word->quoted)
                                fail_msg("%s: %s", cases[i].line, word->text);
                }
                if (value_word(&cursor, (char[8]){0}, 8, &(bool){false}) != cases[i].result)
                        fail_msg("%s: end", cases[i].line);
                if (cases[i].result == 0)
                        assert_ptr_equal(cursor, line + strlen(line));
                free(line);
        }
}

/* The buffer's end is respected whatever the word is made of. */
static void test_word_bounds(void **state)
{
        static const char *const lines[] = {"abcdefgh", "\"abcdefgh\"", "\\n\\n\\n\\n\\n\\n\\n\\n"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(lines); i++)
                for (size_t size = 1; size <= 12; size++) {
                        char *word = malloc(size);
                        const char *cursor = lines[i];
                        bool quoted;

                        assert_int_equal(value_word(&cursor, word, size, &quoted), size > 8 ? 1 : -ERANGE);
                        if (size <= 8)
                                assert_ptr_equal(cursor, lines[i]);
                        free(word);
                }
}

static void test_path(void **state)
{
        static const struct {
                const char *path, *result; /* NULL: refused */
        } cases[] = {
                {"/", "/"},
                {"//", "/"},
                {"///", "/"},
                {"/usr", "/usr"},
                {"/usr/", "/usr"},
                {"//usr///lib//", "/usr/lib"},
                {"/a/b/c", "/a/b/c"},
                {"/.hidden", "/.hidden"},
                {"/..hidden", "/..hidden"},
                {"/a..", "/a.."},
                {"/...", "/..."},
                {"/a b", "/a b"},
                {"/\xc3\xa9", "/\xc3\xa9"},
                {"", NULL},
                {"a", NULL},
                {"a/b", NULL},
                {"./a", NULL},
                {".", NULL},
                {"..", NULL},
                {" /a", NULL},
                {"/.", NULL},
                {"/..", NULL},
                {"/./", NULL},
                {"/../", NULL},
                {"/a/./b", NULL},
                {"/a/../b", NULL},
                {"/a/..", NULL},
                {"//..//a", NULL},
                {"~/a", NULL},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char *path = strdup(cases[i].path);

                if (value_path(path) != (cases[i].result ? 0 : -EINVAL) ||
                        (cases[i].result && strcmp(path, cases[i].result) != 0))
                        fail_msg("%s: %s", cases[i].path, path);
                free(path);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_boolean),
                cmocka_unit_test(test_number),
                cmocka_unit_test(test_octal),
                cmocka_unit_test(test_size),
                cmocka_unit_test(test_timespan),
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_word_bounds),
                cmocka_unit_test(test_path),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
