/* SPDX-License-Identifier: Apache-2.0 */
/* links: fcgi-bridge/record.c */

/*
 * The record layer against byte strings written by hand from the FastCGI Specification 1.0.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "fcgi-bridge/record.h"

#define BYTES(...) ((const unsigned char[]){__VA_ARGS__})

/* Appendix B of the specification, example 1: {FCGI_BEGIN_REQUEST, 1, {FCGI_RESPONDER, 0}}. */
static void test_begin_request(void **state)
{
        const unsigned char bytes[] = {1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0};
        struct record record;
        uint16_t role;
        uint8_t flags;

        (void)state;
        assert_int_equal(record_decode(bytes, sizeof(bytes), &record), 1);
        assert_int_equal(record.type, FCGI_BEGIN_REQUEST);
        assert_int_equal(record.id, 1);
        assert_int_equal(record.length, 8);
        assert_int_equal(record.size, 16);
        assert_int_equal(record_begin_request(&record, &role, &flags), 0);
        assert_int_equal(role, FCGI_RESPONDER);
        assert_int_equal(flags, 0);
}

static void test_begin_request_length(void **state)
{
        const struct record record = {.type = FCGI_BEGIN_REQUEST, .content = BYTES(0, 1, 0, 0, 0, 0, 0), .length = 7};
        uint16_t role = 99;
        uint8_t flags = 99;

        (void)state;
        assert_int_equal(record_begin_request(&record, &role, &flags), -EPROTO);
        assert_int_equal(role, 99);
        assert_int_equal(flags, 99);
}

static void test_header_fields(void **state)
{
        /* type 5, id 0x1234, content length 3, padding 5 (of any value), reserved 9 */
        const unsigned char bytes[] = {1, 5, 0x12, 0x34, 0, 3, 5, 9, 'a', 'b', 'c', 7, 7, 7, 7, 7, 1};
        struct record record;

        (void)state;
        assert_int_equal(record_decode(bytes, sizeof(bytes), &record), 1);
        assert_int_equal(record.type, 5);
        assert_int_equal(record.id, 0x1234);
        assert_int_equal(record.length, 3);
        assert_memory_equal(record.content, "abc", 3);
        assert_int_equal(record.size, 16);
        for (size_t length = 0; length < 16; length++)
                assert_int_equal(record_decode(bytes, length, &record), 0);
}

static void test_largest(void **state)
{
        static unsigned char bytes[RECORD_MAX] = {1, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
        struct record record;

        (void)state;
        assert_int_equal(record_decode(bytes, sizeof(bytes) - 1, &record), 0);
        assert_int_equal(record_decode(bytes, sizeof(bytes), &record), 1);
        assert_int_equal(record.length, 65535);
        assert_int_equal(record.id, 65535);
        assert_int_equal(record.size, 8 + 65535 + 255);
}

/* The header alone is enough for record_decode_header(), and what it says is what the record will be. */
static void test_header_alone(void **state)
{
        const unsigned char header[] = {1, FCGI_STDOUT, 0x12, 0x34, 0xff, 0xff, 255, 0};
        struct record record = {0};

        (void)state;
        for (size_t length = 0; length < sizeof(header); length++)
                assert_int_equal(record_decode_header(header, length, &record), 0);
        assert_int_equal(record.size, 0);
        assert_int_equal(record_decode_header(header, sizeof(header), &record), 1);
        assert_int_equal(record.type, FCGI_STDOUT);
        assert_int_equal(record.id, 0x1234);
        assert_int_equal(record.length, 65535);
        assert_int_equal(record.size, RECORD_MAX);
        assert_int_equal(record_decode_header(BYTES(2), 1, &record), -EPROTO);
}

static void test_end_status(void **state)
{
        unsigned char bytes[RECORD_FIXED_SIZE];
        struct record record;
        uint32_t app_status;
        uint8_t protocol_status;

        (void)state;
        record_end_request(bytes, 1, UINT32_C(0x89abcdef), FCGI_OVERLOADED);
        assert_int_equal(record_decode(bytes, sizeof(bytes), &record), 1);
        record_end_status(&record, &app_status, &protocol_status);
        assert_int_equal(app_status, UINT32_C(0x89abcdef));
        assert_int_equal(protocol_status, FCGI_OVERLOADED);
}

static void test_version(void **state)
{
        struct record record;

        (void)state;
        assert_int_equal(record_decode(BYTES(0), 1, &record), -EPROTO);
        assert_int_equal(record_decode(BYTES(2, 1, 0, 1, 0, 0, 0, 0), 8, &record), -EPROTO);
        assert_int_equal(record_decode(BYTES('G'), 1, &record), -EPROTO);
        assert_int_equal(record_decode(BYTES(1), 1, &record), 0);
}

/* Section 3.4: "the high-order bit of the first byte of a length indicates the length's encoding". */
static void test_pair_length(void **state)
{
        const struct {
                unsigned char bytes[4];
                size_t length, used;
                uint32_t value;
        } cases[] = {
                {{0}, 0, 0, 77},
                {{0}, 1, 1, 0},
                {{127}, 1, 1, 127},
                {{127, 1}, 2, 1, 127},
                {{0x80, 0, 0, 0}, 4, 4, 0},
                {{0x80, 0, 0, 5}, 4, 4, 5},
                {{0x80, 0, 1, 0}, 4, 4, 256},
                {{0x80, 0, 1, 0}, 3, 0, 77},
                {{0x81, 2, 3, 4}, 4, 4, 0x01020304},
                {{0xff, 0xff, 0xff, 0xff}, 4, 4, 0x7fffffff},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint32_t value = 77;

                assert_int_equal(record_pair_length(cases[i].bytes, cases[i].length, &value), cases[i].used);
                assert_int_equal(value, cases[i].value);
        }
}

static void test_padding(void **state)
{
        (void)state;
        assert_int_equal(record_padding(0), 0);
        assert_int_equal(record_padding(1), 7);
        assert_int_equal(record_padding(7), 1);
        assert_int_equal(record_padding(8), 0);
        assert_int_equal(record_padding(65535), 1);
}

static void test_header(void **state)
{
        unsigned char out[8];

        (void)state;
        memset(out, 0xee, sizeof(out));
        record_header(out, FCGI_STDOUT, 0x0102, 0xfedc, 4);
        assert_memory_equal(out, BYTES(1, 6, 1, 2, 0xfe, 0xdc, 4, 0), 8);
}

/* Appendix B, example 1: {FCGI_END_REQUEST, 1, {0, FCGI_REQUEST_COMPLETE}}; example 3: {938, ...}. */
static void test_end_request(void **state)
{
        unsigned char out[RECORD_FIXED_SIZE];

        (void)state;
        memset(out, 0xee, sizeof(out));
        record_end_request(out, 1, 0, FCGI_REQUEST_COMPLETE);
        assert_memory_equal(out, BYTES(1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 16);
        record_end_request(out, 0x0203, 938, FCGI_OVERLOADED);
        assert_memory_equal(out, BYTES(1, 3, 2, 3, 0, 8, 0, 0, 0, 0, 3, 0xaa, 2, 0, 0, 0), 16);
        record_end_request(out, 1, 0x01020304, FCGI_CANT_MPX_CONN);
        assert_memory_equal(out, BYTES(1, 3, 0, 1, 0, 8, 0, 0, 1, 2, 3, 4, 1, 0, 0, 0), 16);
}

static void test_unknown_type(void **state)
{
        unsigned char out[RECORD_FIXED_SIZE];

        (void)state;
        memset(out, 0xee, sizeof(out));
        record_unknown_type(out, 77);
        assert_memory_equal(out, BYTES(1, 11, 0, 0, 0, 8, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0), 16);
}

static size_t ask(const char *query, size_t length, unsigned char *out)
{
        const struct record record = {
                .type = FCGI_GET_VALUES, .content = (const unsigned char *)query, .length = length};

        return record_values_result(out, &record, 1024, 256);
}

/* Section 4.1. */
static void test_values(void **state)
{
        static const char all[] = "\016\000FCGI_MAX_CONNS\015\000FCGI_MAX_REQS\017\000FCGI_MPXS_CONNS";
        static const char answer[] = "\001\012\000\000\000\070\000\000"
                                     "\016\004FCGI_MAX_CONNS1024\015\003FCGI_MAX_REQS256\017\001FCGI_MPXS_CONNS0";
        static const char twice[] = "\015\000FCGI_MAX_REQS\015\000FCGI_MAX_REQS\001\000X";
        static const char once[] = "\001\012\000\000\000\022\000\000\015\003FCGI_MAX_REQS256";
        unsigned char out[RECORD_VALUES_MAX];

        (void)state;
        assert_int_equal(ask(all, sizeof(all) - 1, out), sizeof(answer) - 1);
        assert_memory_equal(out, answer, sizeof(answer) - 1);
        assert_int_equal(ask(twice, sizeof(twice) - 1, out), sizeof(once) - 1);
        assert_memory_equal(out, once, sizeof(once) - 1);
}

static void test_values_malformed(void **state)
{
        static const struct {
                const char *query;
                size_t length;
        } cases[] = {
                {"", 0},
                {"\016", 1},
                {"\016\000FCGI_MAX_CONN", 15},  /* cut */
                {"\016\001FCGI_MAX_CONNS", 16}, /* value missing */
                {"\xff\xff\xff\xff\xff\xff\xff\xff"
                 "A",
                        9}, /* lengths of 2 GB each */
                {"\xff\xff\xff", 3},
        };
        unsigned char out[RECORD_VALUES_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(ask(cases[i].query, cases[i].length, out), 8);
                assert_memory_equal(out, BYTES(1, 10, 0, 0, 0, 0, 0, 0), 8);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_begin_request),
                cmocka_unit_test(test_begin_request_length),
                cmocka_unit_test(test_header_fields),
                cmocka_unit_test(test_largest),
                cmocka_unit_test(test_header_alone),
                cmocka_unit_test(test_end_status),
                cmocka_unit_test(test_version),
                cmocka_unit_test(test_pair_length),
                cmocka_unit_test(test_padding),
                cmocka_unit_test(test_header),
                cmocka_unit_test(test_end_request),
                cmocka_unit_test(test_unknown_type),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_values_malformed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
