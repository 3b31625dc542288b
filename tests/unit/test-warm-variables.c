/* SPDX-License-Identifier: Apache-2.0 */
/* links: child/warm-variables.c child/environment.c compiler/builder.c compiler/memory.c common/network.c */
/* links: common/front.c common/door.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "child/warm-variables.h"
#include "common/warm.h"
#include "tests/unit/index-sample.h"

static struct builder builder;
static struct index index_;
static struct environment environment;

static int set_up(void **state)
{
        (void)state;
        index_ = sample_build(&builder);
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        sample_free(&builder);
        return 0;
}

/* Into memory of exactly that size, so that ASan sees a byte too many. The environment points into it. */
static int add(const struct index_service *service, size_t size)
{
        static char *buffer;

        free(buffer);
        buffer = malloc(size);
        assert_non_null(buffer);
        environment.n_variables = 0;
        return warm_variables_add(&environment, &index_, service, buffer, size);
}

static const char *value(const char *name)
{
        const char *found = NULL;
        size_t length = strlen(name);

        for (size_t i = 0; i < environment.n_variables; i++)
                if (strncmp(environment.variables[i], name, length) == 0 && environment.variables[i][length] == '=') {
                        assert_null(found);
                        found = environment.variables[i] + length + 1;
                }
        return found;
}

static void test_values(void **state)
{
        const struct index_service *service = index_services(&index_);
        struct sock_filter filter;
        const char *digits;

        (void)state;
        assert_int_equal(add(service, 4096), 0);
        assert_int_equal(environment.n_variables, 8);
        assert_string_equal(value("LD_PRELOAD"), WARM_LIBRARY);
        assert_string_equal(value("LD_BIND_NOW"), "1");
        assert_string_equal(value(WARM_VARIABLE), "1");
        assert_string_equal(value(WARM_VARIABLE_PASS), "X_ONE\nX_TWO");
        assert_string_equal(value(WARM_VARIABLE_SCRIPTS), "/srv/cgi");
        assert_string_equal(value(WARM_VARIABLE_REQUESTS), "/\n/index.php?a=b");
        assert_string_equal(value(WARM_VARIABLE_WATCH), "/srv/cgi\n/etc/php");
        /* Read back as the stand-in does. */
        digits = value(WARM_VARIABLE_FILTER);
        assert_int_equal(strlen(digits), 2 * sizeof(filter));
        assert_int_equal(strspn(digits, "0123456789abcdef"), strlen(digits));
        for (size_t i = 0; i < sizeof(filter); i++) {
                const char pair[] = {digits[2 * i], digits[2 * i + 1], '\0'};

                ((unsigned char *)&filter)[i] = (unsigned char)strtoul(pair, NULL, 16);
        }
        assert_memory_equal(&filter, index_array(&index_, service->filter_warm), sizeof(filter));
}

static void test_empty_lists(void **state)
{
        struct index_service service = index_services(&index_)[0];

        (void)state;
        service.script_directory = 0;
        service.pass_environment.count = service.warm_up.count = service.warm_watch.count = 0;
        assert_int_equal(add(&service, 4096), 0);
        assert_int_equal(environment.n_variables, 7);
        assert_null(value(WARM_VARIABLE_SCRIPTS));
        assert_string_equal(value(WARM_VARIABLE_PASS), "");
        assert_string_equal(value(WARM_VARIABLE_REQUESTS), "");
        assert_string_equal(value(WARM_VARIABLE_WATCH), "");
}

static void test_not_warm(void **state)
{
        (void)state;
        assert_int_equal(add(&index_services(&index_)[1], 4096), -EINVAL);
        assert_int_equal(environment.n_variables, 0);
}

/* Every size that is too small is an error, and the first that is enough is enough. */
static void test_room(void **state)
{
        size_t size = 1;

        (void)state;
        while (add(index_services(&index_), size) == -E2BIG)
                assert_true(++size < 4096);
        assert_int_equal(add(index_services(&index_), size), 0);
        assert_string_equal(value(WARM_VARIABLE_WATCH), "/srv/cgi\n/etc/php");
        assert_int_equal(strlen(value(WARM_VARIABLE_FILTER)), 2 * sizeof(struct sock_filter));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_empty_lists),
                cmocka_unit_test(test_not_warm),
                cmocka_unit_test(test_room),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
