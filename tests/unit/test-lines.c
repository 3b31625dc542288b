/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/lines.c fcgi-bridge/buffer.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/lines.h"
#include "fcgi-bridge/buffer.h"

struct seen {
        char text[256]; /* the lines, each followed by '|' */
        size_t lines, bytes, longest;
};

static void emit(const char *line, void *userdata)
{
        struct seen *seen = userdata;
        size_t length = strlen(line), used = strlen(seen->text);

        snprintf(seen->text + used, sizeof(seen->text) - used, "%s|", line);
        seen->lines++;
        seen->bytes += length;
        if (length > seen->longest)
                seen->longest = length;
}

static void test_lines(void **state)
{
        static const char sent[] = "one\n\ntwo\nth\0ree";

        (void)state;
        for (size_t step = 1; step < sizeof(sent); step++) {
                struct lines lines = {0};
                struct seen seen = {0};

                for (size_t i = 0; i < sizeof(sent) - 1; i += step)
                        lines_feed(&lines, sent + i, sizeof(sent) - 1 - i < step ? sizeof(sent) - 1 - i : step, emit,
                                &seen);
                assert_string_equal(seen.text, "one|two|");
                lines_end(&lines, emit, &seen);
                assert_string_equal(seen.text, "one|two|th?ree|");
                lines_end(&lines, emit, &seen);
                assert_int_equal(seen.lines, 3);
        }
}

static void test_bounds(void **state)
{
        static char sent[LINES_TOTAL * 3];
        struct lines lines = {0};
        struct seen seen = {0};

        (void)state;
        memset(sent, 'x', sizeof(sent));
        lines_feed(&lines, sent, sizeof(sent), emit, &seen);
        lines_feed(&lines, "\nmore\n", 6, emit, &seen);
        lines_end(&lines, emit, &seen);
        assert_int_equal(seen.longest, LINES_LENGTH);
        assert_int_equal(seen.lines, LINES_TOTAL / LINES_LENGTH + 1);
        assert_int_equal(seen.bytes, LINES_TOTAL + strlen("(further lines suppressed)"));
}

static void test_buffer(void **state)
{
        struct buffer buffer;

        (void)state;
        assert_int_equal(buffer_init(&buffer, 8), 0);
        buffer_append(&buffer, "abcdef", 6);
        buffer_consume(&buffer, 4);
        assert_int_equal(buffer_room(&buffer), 6);
        buffer_append(&buffer, "ghijkl", 6); /* fits only when the rest is moved */
        assert_int_equal(buffer_used(&buffer), 8);
        assert_memory_equal(buffer_head(&buffer), "efghijkl", 8);
        assert_int_equal(buffer_room(&buffer), 0);
        buffer_consume(&buffer, 8);
        assert_int_equal(buffer_used(&buffer), 0);
        assert_int_equal(buffer_room(&buffer), 8);
        buffer_clear(&buffer);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_bounds),
                cmocka_unit_test(test_buffer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
