/* SPDX-License-Identifier: Apache-2.0 */
/* links: fcgi-bridge/response.c fcgi-bridge/error-page.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "fcgi-bridge/error-page.h"
#include "fcgi-bridge/response.h"

#define TEXT(literal) literal, sizeof(literal) - 1

/* Each is followed by a body "BODY" in the test. */
static const struct {
        const char *what;
        const char *sent;
        size_t length;
        const char *header; /* NULL: refused */
        unsigned status;
} cases[] = {
        {"LF", TEXT("Content-Type: text/html\n\n"), "Content-Type: text/html\r\n\r\n", 200},
        {"CRLF", TEXT("Content-Type: text/html\r\n\r\n"), "Content-Type: text/html\r\n\r\n", 200},
        {"mixed", TEXT("Content-Type: a\r\nX: b\n\r\n"), "Content-Type: a\r\nX: b\r\n\r\n", 200},
        {"no space, more space", TEXT("content-type:a\nX:  b \t\nY:\n\n"), "content-type: a\r\nX: b\r\nY: \r\n\r\n",
                200},
        {"Status first", TEXT("X: y\nStatus: 404 Not Found\nZ: z\n\n"), "Status: 404 Not Found\r\nX: y\r\nZ: z\r\n\r\n",
                404},
        {"Status without reason", TEXT("Status: 204\n\n"), "Status: 204\r\n\r\n", 204},
        {"status in lower case", TEXT("status: 599 X\n\n"), "Status: 599 X\r\n\r\n", 599},
        {"Location", TEXT("Location: http://example.org/\n\n"),
                "Status: 302 Found\r\nLocation: http://example.org/\r\n\r\n", 302},
        {"fields for the front end",
                TEXT("X-Accel-Redirect: /secret\nContent-Type: a/b\nx-sendfile: /etc/passwd\nX-Acc: 1\n\n"),
                "Content-Type: a/b\r\nX-Acc: 1\r\n\r\n", 200},
        {"Location with Status", TEXT("Location: /a\nStatus: 301 Moved\n\n"),
                "Status: 301 Moved\r\nLocation: /a\r\n\r\n", 301},
        {"whole HTTP header", TEXT("HTTP/1.1 418 Teapot\r\nX: y\r\n\r\n"), "Status: 418 Teapot\r\nX: y\r\n\r\n", 418},
        {"HTTP/1.0, no field", TEXT("HTTP/1.0 200 OK\n\n"), "Status: 200 OK\r\n\r\n", 200},
        {"repeated other field", TEXT("Content-Type: a\nSet-Cookie: a=1\nSet-Cookie: b=2\n\n"),
                "Content-Type: a\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n", 200},
        {"bytes above 0x7f", TEXT("Content-Type: a\nX: \303\244\n\n"), "Content-Type: a\r\nX: \303\244\r\n\r\n", 200},
        {"tab in a value", TEXT("Content-Type: a\tb\n\n"), "Content-Type: a\tb\r\n\r\n", 200},

        {"nothing", TEXT("\n"), NULL, 0},
        {"nothing, CRLF", TEXT("\r\n"), NULL, 0},
        {"none of the three", TEXT("X: y\n\n"), NULL, 0},
        {"no colon", TEXT("Content-Type: a\nhello\n\n"), NULL, 0},
        {"continued line", TEXT("Content-Type: a\n b\n\n"), NULL, 0},
        {"continued first line", TEXT(" Content-Type: a\n\n"), NULL, 0},
        {"continued by tab", TEXT("Content-Type: a\n\tb\n\n"), NULL, 0},
        {"space before the colon", TEXT("Content-Type : a\n\n"), NULL, 0},
        {"empty name", TEXT("Content-Type: a\n: b\n\n"), NULL, 0},
        {"name not a token", TEXT("Content-Type: a\nX(y): b\n\n"), NULL, 0},
        {"name above 0x7f", TEXT("Content-Type: a\n\303\244: b\n\n"), NULL, 0},
        {"NUL in a value", TEXT("Content-Type: a\0b\n\n"), NULL, 0},
        {"NUL in a name", TEXT("Content-Type: a\nX\0: b\n\n"), NULL, 0},
        {"bare CR", TEXT("Content-Type: a\rX: b\n\n"), NULL, 0},
        {"two CR", TEXT("Content-Type: a\r\r\n\n"), NULL, 0},
        {"control character", TEXT("Content-Type: a\033[0m\n\n"), NULL, 0},
        {"DEL", TEXT("Content-Type: a\177\n\n"), NULL, 0},
        {"control character in a status line", TEXT("HTTP/1.1 200 O\001K\n\n"), NULL, 0},
        {"Status 100", TEXT("Status: 100 Continue\n\n"), NULL, 0},
        {"Status 199", TEXT("Status: 199 X\n\n"), NULL, 0},
        {"Status 600", TEXT("Status: 600 X\n\n"), NULL, 0},
        {"Status of two digits", TEXT("Status: 20\n\n"), NULL, 0},
        {"Status of four digits", TEXT("Status: 2000\n\n"), NULL, 0},
        {"Status empty", TEXT("Status:\n\n"), NULL, 0},
        {"Status of letters", TEXT("Status: OK\n\n"), NULL, 0},
        {"Status negative", TEXT("Status: -20\n\n"), NULL, 0},
        {"HTTP/2", TEXT("HTTP/2 200 OK\nContent-Type: a\n\n"), NULL, 0},
        {"status line 101", TEXT("HTTP/1.1 101 Switching\nContent-Type: a\n\n"), NULL, 0},
        {"status line second", TEXT("Content-Type: a\nHTTP/1.1 200 OK\n\n"), NULL, 0},
        {"Status twice", TEXT("Status: 200\nStatus: 404\n\n"), NULL, 0},
        {"Status line and Status", TEXT("HTTP/1.1 200 OK\nStatus: 404\n\n"), NULL, 0},
        {"Location twice", TEXT("Location: /a\nlocation: /b\n\n"), NULL, 0},
        {"Content-Type twice", TEXT("Content-Type: a\nContent-Type: b\n\n"), NULL, 0},
};

/* Feeds the header and "BODY" in pieces of `step` bytes; `ret_at` is where the body began. */
static int feed(struct response *response, const char *sent, size_t length, size_t step, size_t *ret_at)
{
        char *all = malloc(length + 4);
        int r = 0;

        assert_non_null(all);
        memcpy(all, sent, length);
        memcpy(all + length, "BODY", 4);
        response_init(response);
        for (size_t done = 0; done < length + 4 && r == 0; done += step) {
                size_t part = length + 4 - done < step ? length + 4 - done : step, used = 0;

                r = response_feed(response, all + done, part, &used);
                *ret_at = done + used;
        }
        free(all);
        return r;
}

static void test_cases(void **state)
{
        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (size_t step = 1; step < 80; step++) {
                        struct response response;
                        size_t at = 0;
                        int r = feed(&response, cases[i].sent, cases[i].length, step, &at);

                        if (r != (cases[i].header ? 1 : -EBADMSG))
                                fail_msg("%s in steps of %zu: %d", cases[i].what, step, r);
                        if (r < 0)
                                assert_non_null(response.problem);
                        if (r == 1) {
                                assert_int_equal(at, cases[i].length);
                                assert_int_equal(response.status, cases[i].status);
                                assert_int_equal(response.header_length, strlen(cases[i].header));
                                assert_memory_equal(response.header, cases[i].header, response.header_length);
                        }
                        response_clear(&response);
                }
}

static void test_unfinished(void **state)
{
        struct response response;
        size_t used;

        (void)state;
        response_init(&response);
        assert_int_equal(response_feed(&response, TEXT("Content-Type: a\n"), &used), 0);
        assert_int_equal(used, 16);
        assert_int_equal(response_feed(&response, TEXT("\r"), &used), 0);
        assert_int_equal(response_feed(&response, TEXT("\nB"), &used), 1);
        assert_int_equal(used, 1);
        response_clear(&response);
}

static void test_too_long(void **state)
{
        static char sent[RESPONSE_HEADER_MAX + 1];
        struct response response;
        size_t used;

        (void)state;
        memset(sent, 'x', sizeof(sent));
        response_init(&response);
        assert_int_equal(response_feed(&response, sent, RESPONSE_HEADER_MAX, &used), 0);
        assert_int_equal(response_feed(&response, sent, 1, &used), -EMSGSIZE);
        response_clear(&response);

        /* Short enough as received, too long once every line has its CRLF and its space. */
        memset(sent, '\n', sizeof(sent));
        memcpy(sent, "Content-Type:a", 14);
        for (size_t i = 15; i + 3 < RESPONSE_HEADER_MAX; i += 3)
                memcpy(sent + i, "a:\n", 3);
        response_init(&response);
        assert_int_equal(response_feed(&response, sent, RESPONSE_HEADER_MAX, &used), -EMSGSIZE);
        response_clear(&response);
}

static void test_excerpt(void **state)
{
        char out[RESPONSE_EXCERPT_SIZE], longest[200];
        struct response response;
        size_t used;

        (void)state;
        response_init(&response);
        response_excerpt(&response, out);
        assert_string_equal(out, "");
        assert_int_equal(response_feed(&response, TEXT("a\033\0\303b\nsecond"), &used), 0);
        response_excerpt(&response, out);
        assert_string_equal(out, "a???b");
        response_clear(&response);

        memset(longest, 'y', sizeof(longest));
        assert_int_equal(response_feed(&response, longest, sizeof(longest), &used), 0);
        response_excerpt(&response, out);
        assert_int_equal(strlen(out), RESPONSE_EXCERPT_SIZE - 1);
        response_clear(&response);
}

static void test_error(void **state)
{
        static const char id[] = "0123456789abcdef0123456789abcdef";
        static const char forbidden[] = "Status: 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
                                        "403 Forbidden\nrequest 0123456789abcdef0123456789abcdef\n";
        static const char busy[] = "Status: 503 Service Unavailable\r\nContent-Type: text/plain; "
                                   "charset=utf-8\r\nRetry-After: 1\r\n\r\n"
                                   "503 Service Unavailable\nrequest 0123456789abcdef0123456789abcdef\n";
        char out[ERROR_PAGE_MAX];

        (void)state;
        assert_int_equal(error_page(out, 403, id), sizeof(forbidden) - 1);
        assert_memory_equal(out, forbidden, sizeof(forbidden) - 1);
        assert_int_equal(error_page(out, 503, id), sizeof(busy) - 1);
        assert_memory_equal(out, busy, sizeof(busy) - 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cases),
                cmocka_unit_test(test_unfinished),
                cmocka_unit_test(test_too_long),
                cmocka_unit_test(test_excerpt),
                cmocka_unit_test(test_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
