/* SPDX-License-Identifier: Apache-2.0 */
/* links: fcgi-bridge/params.c fcgi-bridge/record.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "fcgi-bridge/params.h"

enum { MAX_BYTES = 4096, MAX_COUNT = 8 };

/* Gives the stream to the decoder in pieces of `step` bytes. */
static int decode(struct params *params, const char *stream, size_t length, size_t step)
{
        params_init(params, MAX_BYTES, MAX_COUNT);
        for (size_t done = 0; done < length; done += step) {
                size_t part = length - done < step ? length - done : step;
                int r = params_feed(params, (const unsigned char *)stream + done, part);

                if (r < 0)
                        return r;
        }
        return params_end(params);
}

#define TEXT(literal) literal, sizeof(literal) - 1

static const struct {
        const char *what;
        const char *stream;
        size_t length;
        int result;
        const char *block;
        size_t block_length;
} cases[] = {
        {"nothing", TEXT(""), 0, TEXT("")},
        /* Appendix B, example 1 */
        {"specification", TEXT("\013\002SERVER_PORT80\013\016SERVER_ADDR199.170.183.42"), 0,
                TEXT("SERVER_PORT=80\0SERVER_ADDR=199.170.183.42\0")},
        {"empty value", TEXT("\001\000A"), 0, TEXT("A=\0")},
        {"long form of a short length", TEXT("\200\000\000\001\200\000\000\002ABC"), 0, TEXT("A=BC\0")},
        {"mixed forms", TEXT("\001\200\000\000\001AB\200\000\000\001\001CD"), 0, TEXT("A=B\0C=D\0")},
        {"value with '=' and newline", TEXT("\001\003A=\n="), 0, TEXT("A==\n=\0")},
        {"case counts", TEXT("\001\001Aa\001\001ab"), 0, TEXT("A=a\0a=b\0")},
        {"no name", TEXT("\000\001A"), -EINVAL, NULL, 0},
        {"NUL in a name", TEXT("\003\001A\0BC"), -EINVAL, NULL, 0},
        {"'=' in a name", TEXT("\003\001A=BC"), -EINVAL, NULL, 0},
        {"NUL in a value", TEXT("\001\003AB\0C"), -EINVAL, NULL, 0},
        {"repeated", TEXT("\001\001AB\001\001AC"), -EEXIST, NULL, 0},
        /* RFC 3875, 4.1.18; between them and behind them stands what must move along */
        {"repeated header", TEXT("\010\001HTTP_X_Fa\001\001AB\010\002HTTP_X_Fbc\001\001CD"), 0,
                TEXT("HTTP_X_F=a, bc\0A=B\0C=D\0")},
        {"repeated cookie", TEXT("\013\003HTTP_COOKIEa=1\013\003HTTP_COOKIEb=2\013\000HTTP_COOKIE"), 0,
                TEXT("HTTP_COOKIE=a=1; b=2; \0")},
        {"ends in a length", TEXT("\001"), -EINVAL, NULL, 0},
        {"ends in a long length", TEXT("\200\000\000"), -EINVAL, NULL, 0},
        {"ends in a name", TEXT("\003\001AB"), -EINVAL, NULL, 0},
        {"ends in a value", TEXT("\001\003ABC"), -EINVAL, NULL, 0},
        {"name of 2 GB", TEXT("\377\377\377\377\001A"), -E2BIG, NULL, 0},
        {"value of 2 GB", TEXT("\001\377\377\377\377A"), -E2BIG, NULL, 0},
        {"both of 2 GB", TEXT("\377\377\377\377\377\377\377\377"), -E2BIG, NULL, 0},
        {"value one byte beyond the limit", TEXT("\001\200\000\017\373"), -E2BIG, NULL, 0},
        {"too many", TEXT("\001\0A\001\0B\001\0C\001\0D\001\0E\001\0F\001\0G\001\0H\001\0I"), -E2BIG, NULL, 0},
        {"HTTP_PROXY", TEXT("\012\001HTTP_PROXYx\001\001AB"), 0, TEXT("A=B\0")},
        {"http_Proxy", TEXT("\012\001http_Proxyx"), 0, TEXT("")},
        {"longer than HTTP_PROXY", TEXT("\013\001HTTP_PROXY_x"), 0, TEXT("HTTP_PROXY_=x\0")},
        {"ours", TEXT("\013\001SANDBOXD_IDx\013\001sandboxd_IDx\011\001SANDBOXD_x"), 0, TEXT("")},
        {"almost ours", TEXT("\010\001SANDBOXDx"), 0, TEXT("SANDBOXD=x\0")},
        {"invalid names", TEXT("\003\001A-Bx\002\0011Ax\002\001A x\001\001\351x\002\001_1x"), 0, TEXT("_1=x\0")},
};

static void test_cases(void **state)
{
        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (size_t step = 1; step <= 16; step++) {
                        struct params params;
                        int r = decode(&params, cases[i].stream, cases[i].length, step);

                        if (r != cases[i].result)
                                fail_msg("%s in steps of %zu: %d", cases[i].what, step, r);
                        if (r < 0)
                                assert_non_null(params.problem);
                        if (r == 0 && (params.length != cases[i].block_length ||
                                              (params.length > 0 &&
                                                      memcmp(params.block, cases[i].block, params.length) != 0)))
                                fail_msg("%s in steps of %zu: wrong block", cases[i].what, step);
                        params_clear(&params);
                }
}

/* A length beyond the limits is refused before memory is taken for it. */
static void test_no_allocation(void **state)
{
        struct params params;

        (void)state;
        assert_int_equal(decode(&params, TEXT("\001\377\377\377\377"), 5), -E2BIG);
        assert_null(params.block);
        assert_null(params.list);
        params_clear(&params);
}

static void test_byte_limit(void **state)
{
        static char stream[MAX_BYTES + 1] = "\001\200\000\017\372A"; /* 6 + 4090 bytes: exactly the limit */
        struct params params;

        (void)state;
        memset(stream + 6, 'x', sizeof(stream) - 6);
        assert_int_equal(decode(&params, stream, MAX_BYTES, 1000), 0);
        assert_int_equal(params.length, 2 + 4090 + 1);
        params_clear(&params);
        assert_int_equal(decode(&params, stream, MAX_BYTES + 1, 1000), -E2BIG);
        params_clear(&params);
}

static void test_dropped_count(void **state)
{
        struct params params;

        (void)state;
        assert_int_equal(decode(&params, TEXT("\003\001A-Bx\012\000HTTP_PROXY\001\000A"), 3), 0);
        assert_int_equal(params.dropped, 2);
        assert_int_equal(params.count, 1);
        params_clear(&params);
}

static void test_find(void **state)
{
        struct params params;
        const struct param *param;

        (void)state;
        assert_int_equal(decode(&params, TEXT("\002\002ABxy\001\001Az"), 100), 0);
        param = params_find(&params, "AB");
        assert_non_null(param);
        assert_int_equal(param->value_length, 2);
        assert_string_equal(params.block + param->value, "xy");
        param = params_find(&params, "A");
        assert_string_equal(params.block + param->value, "z");
        assert_null(params_find(&params, "B"));
        assert_null(params_find(&params, ""));
        params_clear(&params);
}

static void test_cut(void **state)
{
        struct params params;

        (void)state;
        assert_int_equal(decode(&params, TEXT("\001\001A1\001\006Babcdef\001\001C2\001\001D3"), 100), 0);
        params_cut(&params, params_find(&params, "B"), 2, 3);
        assert_int_equal(params.length, 18);
        assert_memory_equal(params.block, "A=1\0B=cde\0C=2\0D=3", 18);
        assert_string_equal(params.block + params_find(&params, "C")->value, "2");
        params_cut(&params, params_find(&params, "D"), 1, 0);
        assert_string_equal(params.block + params_find(&params, "D")->value, "");
        params_clear(&params);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cases),
                cmocka_unit_test(test_no_allocation),
                cmocka_unit_test(test_byte_limit),
                cmocka_unit_test(test_dropped_count),
                cmocka_unit_test(test_find),
                cmocka_unit_test(test_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
