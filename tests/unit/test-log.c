/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/log.c */
/* libs: -lsystemd */

/*
 * What others have written, in a line of the log: it moves no cursor of whoever reads it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/log.h"

static void capture(const char *text, char line[256])
{
        FILE *file = tmpfile();
        int kept = dup(STDERR_FILENO);
        size_t length;

        assert_non_null(file);
        assert_true(kept >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
        log_message(LOG_WARNING, "%s", text);
        assert_true(dup2(kept, STDERR_FILENO) >= 0);
        close(kept);
        rewind(file);
        length = fread(line, 1, 255, file);
        line[length] = '\0';
        fclose(file);
}

static void check_line(const char *text, const char *expected)
{
        char line[256], *behind;

        capture(text, line);
        behind = strstr(line, "]: ");
        assert_non_null(behind);
        assert_string_equal(behind + 3, expected);
}

static void test_controls(void **state)
{
        (void)state;
        check_line("a\033[2Jb\nc\177", "a?[2Jb?c?\n");
        check_line("a\302\2332Jb\302\200\302\237", "a??2Jb????\n"); /* CSI, and the ends of C1 */
        check_line("\302", "\302\n");
}

static void test_letters(void **state)
{
        (void)state;
        check_line("\303\211mile \302\240 \344\273\233", "\303\211mile \302\240 \344\273\233\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_controls),
                cmocka_unit_test(test_letters),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
