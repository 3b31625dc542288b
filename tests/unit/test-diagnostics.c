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

/* What `diagnose` writes, in a file that stands in for stderr. */
static void test_diagnose(void **state)
{
        FILE *real = stderr, *file = tmpfile();
        const unsigned before = diagnose_errors();
        char text[512];
        size_t length;

        (void)state;
        assert_non_null(file);
        stderr = file;
        diagnose((struct position){"a.map", 7}, "write b", "'%s' is not %d", "%n", 5);
        diagnose((struct position){.file = "maps"}, NULL, "plain");
        stderr = real;
        rewind(file);
        length = fread(text, 1, sizeof(text) - 1, file);
        text[length] = '\0';
        fclose(file);
        assert_string_equal(text, "a.map:7: error: '%n' is not 5\n"
                                  "    hint: write b\n"
                                  "maps: error: plain\n");
        assert_int_equal(diagnose_errors(), before + 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nearest),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_far),
                cmocka_unit_test(test_long),
                cmocka_unit_test(test_diagnose),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
