/* SPDX-License-Identifier: Apache-2.0 */
/* links: compiler/diagnostics.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/cleanup.h"
#include "compiler/diagnostics.h"

static void test_nearest(void **state)
{
        static const char *const words[] = {"FrontDoor", "FrontEndUser", "ExecStart", "BindPaths", "BindReadOnlyPaths",
                "UMask", "Nice", "LimitAS", "LimitCPU", "LimitNOFILE", "PrivateTmp", "PrivateNetwork"};
        static const struct {
                const char *word, *nearest; /* NULL: none */
        } cases[] = {
                {"FrontDoor", "FrontDoor"},
                {"frontdoor", "FrontDoor"},
                {"FRONTDOOR", "FrontDoor"},
                {"FrontDor", "FrontDoor"},
                {"FrontDoors", "FrontDoor"},
                {"FrotnDoor", "FrontDoor"},
                {"ExecStrat", "ExecStart"},
                {"Execstart", "ExecStart"},
                {"FrontEndUsers", "FrontEndUser"},
                {"PrivateTemp", "PrivateTmp"},
                {"BindReadOnlyPath", "BindReadOnlyPaths"},
                {"BindPath", "BindPaths"},
                {"LimitNFILE", "LimitNOFILE"},
                {"UMsk", "UMask"},
                {"Nic", "Nice"},
                {"", NULL},
                {"X", NULL},
                {"Zebra", NULL},
                {"CompletelyDifferent", NULL},
                {"NetworkPrivate", NULL},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const char *nearest = nearest_word(cases[i].word, words, ELEMENTS(words));

                if (nearest != cases[i].nearest &&
                        (!nearest || !cases[i].nearest || strcmp(nearest, cases[i].nearest) != 0))
                        fail_msg("%s: %s", cases[i].word, nearest ? nearest : "none");
        }
}

/* Equally near: the first. Nearer: that one, wherever it stands. */
static void test_order(void **state)
{
        static const char *const words[] = {"abcdxx", "abcdex", "abcxef", "abcdef"};

        (void)state;
        assert_string_equal(nearest_word("abcdef", words, 4), "abcdef");
        assert_string_equal(nearest_word("abcdef", words, 3), "abcdex");
        assert_string_equal(nearest_word("abcdef", words, 1), "abcdxx");
        assert_null(nearest_word("abcdef", words, 0));
}

/* Half of the word wrong is not near. */
static void test_far(void **state)
{
        static const char *const words[] = {"abcdefghijkl"};

        (void)state;
        assert_non_null(nearest_word("abcdefghiXXX", words, 1));
        assert_null(nearest_word("abcdefXXXXXX", words, 1));
        assert_null(nearest_word("XXXXXXXXXXXX", words, 1));
}

static void test_long(void **state)
{
        char word[100], listed[100];
        const char *words[] = {listed};

        (void)state;
        for (size_t length = 60; length < sizeof(word); length++) {
                memset(word, 'a', length);
                memset(listed, 'a', length);
                word[length] = listed[length] = '\0';
                if (length <= 64)
                        assert_ptr_equal(nearest_word(word, words, 1), listed);
                else
                        assert_null(nearest_word(word, words, 1));
                listed[3] = '\0';
                assert_null(nearest_word(word, words, 1));
                assert_null(nearest_word("aaaaaaaaaaaaaaaaaaa", words, 1));
        }
}

/* What is written while `file` stands in for stderr. */
static FILE *real_stderr;

static void begin(void)
{
        real_stderr = stderr;
        stderr = tmpfile();
        assert_non_null(stderr);
}

static const char *end(void)
{
        static char text[16384];
        size_t length;

        rewind(stderr);
        length = fread(text, 1, sizeof(text) - 1, stderr);
        text[length] = '\0';
        fclose(stderr);
        stderr = real_stderr;
        return text;
}

static void test_diagnose(void **state)
{
        const unsigned before = diagnose_errors();

        (void)state;
        begin();
        diagnose((struct position){.file = "a.map", .line = 7}, "write b", "'%s' is not %d", "%n", 5);
        diagnose((struct position){.file = "maps"}, NULL, "plain");
        diagnose_warning((struct position){.file = "a.map", .line = 8}, "c", "odd");
        assert_string_equal(end(), "a.map:7: error: '%n' is not 5\n"
                                   "    hint: write b\n"
                                   "maps: error: plain\n"
                                   "a.map:8: warning: odd\n"
                                   "    hint: c\n");
        assert_int_equal(diagnose_errors(), before + 2);
}

/* The caret stands under the place: tabs are copied, and a character is one column however many bytes it has. */
static void test_caret(void **state)
{
        static const struct {
                const char *text;
                size_t offset;
                const char *output;
        } cases[] = {
                {"wiki x", 0, "m:1:1: error: e\nwiki x\n^\n"},
                {"wiki x", 5, "m:1:6: error: e\nwiki x\n     ^\n"},
                {"wiki x", 6, "m:1:7: error: e\nwiki x\n      ^\n"},
                {"\twiki\t x", 7, "m:1:8: error: e\n\twiki\t x\n\t    \t ^\n"},
                {"\xc3\xbc \xe6\x97\xa5 \xf0\x9f\x98\x80 x", 12,
                        "m:1:7: error: e\n\xc3\xbc \xe6\x97\xa5 \xf0\x9f\x98\x80 x\n      ^\n"},
                {"a\033[1m\rx", 6, "m:1:7: error: e\na?[1m?x\n      ^\n"},
                {"", 0, "m:1:1: error: e\n\n^\n"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                begin();
                diagnose((struct position){.file = "m", .line = 1, .text = cases[i].text, .offset = cases[i].offset},
                        NULL, "e");
                assert_string_equal(end(), cases[i].output);
        }
}

/* Nothing that the configuration says can write a line of its own, or speak to the terminal. */
static void test_controls(void **state)
{
        (void)state;
        begin();
        diagnose((struct position){.file = "a\nb.map", .line = 1}, "c\033d", "'%s'", "e\nf\x7f");
        assert_string_equal(end(), "a?b.map:1: error: 'e?f?'\n    hint: c?d\n");
}

/* The rest of the errors and of the warnings is counted, each kind for itself. Last: there is no way back. */
static void test_bounded(void **state)
{
        const struct position position = {.file = "m", .line = 1};
        unsigned lines = 0;
        const char *text;

        (void)state;
        begin();
        diagnose_end();
        assert_string_equal(end(), "");
        begin();
        while (diagnose_is_shown())
                diagnose(position, NULL, "e");
        diagnose_end();
        assert_null(strstr(end(), "more"));
        assert_int_equal(diagnose_errors(), DIAGNOSTICS_SHOWN);
        begin();
        diagnose(position, NULL, "e");
        diagnose_end();
        assert_string_equal(end(), "1 more error\n");
        begin();
        diagnose(position, "h", "e");
        for (int i = 0; i < DIAGNOSTICS_SHOWN + 10; i++) /* one has been written above */
                diagnose_warning(position, NULL, "w");
        diagnose_end();
        text = end();
        assert_non_null(strstr(text, "2 more errors\n11 more warnings\n"));
        for (const char *c = text; (c = strstr(c, "m:1: warning: w\n")); c++)
                lines++;
        assert_int_equal(lines, DIAGNOSTICS_SHOWN - 1);
        assert_null(strstr(text, "error: e"));
        assert_int_equal(diagnose_errors(), DIAGNOSTICS_SHOWN + 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nearest),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_far),
                cmocka_unit_test(test_long),
                cmocka_unit_test(test_diagnose),
                cmocka_unit_test(test_caret),
                cmocka_unit_test(test_controls),
                cmocka_unit_test(test_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
