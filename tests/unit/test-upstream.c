/* SPDX-License-Identifier: Apache-2.0 */
/* links: fcgi-bridge/upstream.c fcgi-bridge/record.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/warm.h"
#include "fcgi-bridge/upstream.h"

/* Bytes that an application sends. */
struct bytes {
        unsigned char data[4096];
        size_t length;
};

static void put(struct bytes *bytes, uint8_t type, uint16_t id, const char *content, size_t padding)
{
        size_t length = strlen(content);

        record_header(bytes->data + bytes->length, type, id, length, padding);
        memcpy(bytes->data + bytes->length + RECORD_HEADER_SIZE, content, length);
        memset(bytes->data + bytes->length + RECORD_HEADER_SIZE + length, 0xee, padding);
        bytes->length += RECORD_HEADER_SIZE + length + padding;
}

static void put_end(struct bytes *bytes, uint32_t app_status, uint8_t protocol_status)
{
        record_end_request(bytes->data + bytes->length, UPSTREAM_ID, app_status, protocol_status);
        bytes->length += RECORD_FIXED_SIZE;
}

/* What came of them: "g" for leave to send the body, then each stream's content. */
struct found {
        char output[512], errors[512], order[64];
};

static void note(struct found *found, int r, const char *piece, size_t length)
{
        if (r == UPSTREAM_GO)
                strcat(found->order, "g");
        else if (r == UPSTREAM_STDOUT)
                strncat(found->output, piece, length);
        else if (r == UPSTREAM_STDERR)
                strncat(found->errors, piece, length);
}

/* Feeds the bytes in steps; returns the last result. */
static int feed(struct upstream *upstream, const struct bytes *bytes, size_t step, struct found *ret_found)
{
        int r = UPSTREAM_NOTHING;

        memset(ret_found, 0, sizeof(*ret_found));
        for (size_t done = 0; done < bytes->length && r == UPSTREAM_NOTHING; done += step) {
                const unsigned char *data = bytes->data + done;
                size_t left = bytes->length - done < step ? bytes->length - done : step;

                do {
                        const char *piece = NULL;
                        size_t length = 0;

                        r = upstream_next(upstream, &data, &left, &piece, &length);
                        note(ret_found, r, piece, length);
                } while (r > UPSTREAM_NOTHING && r != UPSTREAM_END);
        }
        return r;
}

static void test_every_cut(void **state)
{
        struct bytes bytes = {0};

        (void)state;
        put(&bytes, WARM_RECORD_GO, 0, "", 3);
        put(&bytes, FCGI_STDOUT, UPSTREAM_ID, "Content-Type: a/b\n\n", 5);
        put(&bytes, FCGI_STDERR, UPSTREAM_ID, "a message", 0);
        put(&bytes, FCGI_STDOUT, UPSTREAM_ID, "body", 255);
        put(&bytes, FCGI_STDERR, UPSTREAM_ID, "", 8);
        put(&bytes, FCGI_STDOUT, UPSTREAM_ID, "", 0);
        put(&bytes, FCGI_STDOUT, UPSTREAM_ID, "", 0); /* said twice: no harm */
        put_end(&bytes, UINT32_C(0x80000001), FCGI_OVERLOADED);
        put(&bytes, 99, 99, "what follows is nobody's matter", 0);
        for (size_t step = 1; step <= bytes.length; step++) {
                struct upstream upstream;
                struct found found;

                upstream_init(&upstream, true);
                assert_false(upstream_is_partial(&upstream));
                assert_int_equal(feed(&upstream, &bytes, step, &found), UPSTREAM_END);
                assert_string_equal(found.order, "g");
                assert_string_equal(found.output, "Content-Type: a/b\n\nbody");
                assert_string_equal(found.errors, "a message");
                assert_int_equal(upstream.app_status, UINT32_C(0x80000001));
                assert_int_equal(upstream.protocol_status, FCGI_OVERLOADED);
        }
}

/* Whether a record is there in part, after each of its bytes. */
static void test_partial(void **state)
{
        struct bytes bytes = {0};
        struct upstream upstream;

        (void)state;
        put(&bytes, FCGI_STDOUT, UPSTREAM_ID, "abc", 2);
        upstream_init(&upstream, false);
        for (size_t i = 0; i < bytes.length; i++) {
                const unsigned char *data = bytes.data + i;
                const char *piece;
                size_t left = 1, length;

                assert_int_equal(upstream_is_partial(&upstream), i > 0);
                assert_true(upstream_next(&upstream, &data, &left, &piece, &length) >= 0);
                assert_int_equal(left, 0);
        }
        assert_false(upstream_is_partial(&upstream));
}

static void expect_refused(bool has_body, const struct bytes *bytes)
{
        struct upstream upstream;
        struct found found;

        for (size_t step = 1; step <= bytes->length; step++) {
                upstream_init(&upstream, has_body);
                assert_int_equal(feed(&upstream, bytes, step, &found), -EPROTO);
                assert_non_null(upstream.problem);
                assert_string_equal(found.output, "");
        }
}

static void test_types(void **state)
{
        static const uint8_t allowed[] = {FCGI_END_REQUEST, FCGI_STDOUT, FCGI_STDERR};

        (void)state;
        for (unsigned type = 0; type < 256; type++)
                if (!memchr(allowed, (int)type, sizeof(allowed))) {
                        struct bytes bytes = {0};

                        put(&bytes, (uint8_t)type, type == WARM_RECORD_GO ? 0 : UPSTREAM_ID, "", 0);
                        expect_refused(false, &bytes);
                }
}

static void test_ids(void **state)
{
        static const uint16_t ids[] = {0, 2, 256, 257, 65535};
        static const uint8_t types[] = {FCGI_END_REQUEST, FCGI_STDOUT, FCGI_STDERR};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(ids) * ELEMENTS(types); i++) {
                struct bytes bytes = {0};

                put(&bytes, types[i % ELEMENTS(types)], ids[i / ELEMENTS(types)], "12345678", 0);
                expect_refused(false, &bytes);
        }
}

static void test_end_length(void **state)
{
        static const char *const contents[] = {"", "1234567", "123456789", "1234567812345678"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(contents); i++) {
                struct bytes bytes = {0};

                put(&bytes, FCGI_END_REQUEST, UPSTREAM_ID, contents[i], 0);
                expect_refused(false, &bytes);
        }
}

static void test_version(void **state)
{
        struct bytes bytes = {.data = {0}, .length = 1};

        (void)state;
        expect_refused(false, &bytes);
        bytes.data[0] = 2;
        expect_refused(true, &bytes);
        bytes.data[0] = 'C';
        expect_refused(true, &bytes);
}

/* Once, first, about no request, without content, and only where there is a body. */
static void test_go(void **state)
{
        struct bytes unasked = {0}, other = {0}, content = {0}, twice = {0}, late = {0}, end = {0};

        (void)state;
        put(&unasked, WARM_RECORD_GO, 0, "", 0);
        expect_refused(false, &unasked);
        put(&other, WARM_RECORD_GO, UPSTREAM_ID, "", 0);
        expect_refused(true, &other);
        put(&content, WARM_RECORD_GO, 0, "x", 0);
        expect_refused(true, &content);
        put(&twice, WARM_RECORD_GO, 0, "", 0);
        put(&twice, WARM_RECORD_GO, 0, "", 0);
        expect_refused(true, &twice);
        put(&late, FCGI_STDOUT, UPSTREAM_ID, "x", 0);
        expect_refused(true, &late);
        put_end(&end, 0, 0);
        expect_refused(true, &end);
}

static void test_after_the_end_of_a_stream(void **state)
{
        static const uint8_t types[] = {FCGI_STDOUT, FCGI_STDERR};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(types); i++) {
                struct bytes bytes = {0};
                struct upstream upstream;
                struct found found;

                put(&bytes, types[i], UPSTREAM_ID, "", 0);
                put(&bytes, types[1 - i], UPSTREAM_ID, "other", 0); /* each has its own */
                upstream_init(&upstream, false);
                assert_int_equal(feed(&upstream, &bytes, bytes.length, &found), UPSTREAM_NOTHING);
                assert_string_equal(i == 0 ? found.errors : found.output, "other");
                put(&bytes, types[i], UPSTREAM_ID, "x", 0);
                upstream_init(&upstream, false);
                assert_int_equal(feed(&upstream, &bytes, bytes.length, &found), -EPROTO);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_cut),
                cmocka_unit_test(test_partial),
                cmocka_unit_test(test_types),
                cmocka_unit_test(test_ids),
                cmocka_unit_test(test_end_length),
                cmocka_unit_test(test_version),
                cmocka_unit_test(test_go),
                cmocka_unit_test(test_after_the_end_of_a_stream),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
