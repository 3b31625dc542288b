/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/summary.c common/log.c common/wire.c common/index.c common/identity.c sandboxctl/logged.c */
/* libs: -lsystemd */

/*
 * The line about the end of a request: what is read back from it is who asked, so that the map can be asked again.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/summary.h"
#include "sandboxctl/logged.h"

static void write_and_read(const struct decision *decision, struct logged *ret_logged)
{
        const struct summary summary = {.outcome = "no-rule", .decision = decision, .reason = "variables=unknown"};
        char text[SUMMARY_SIZE];

        summary_format(&summary, text, sizeof(text));
        *ret_logged = (struct logged){0};
        assert_int_equal(logged_parse(text, ret_logged), 0);
}

static void test_who_asked(void **state)
{
        struct map_condition variable = {"SSL_CLIENT_VERIFY", "SUCCESS"};
        struct decision decision = {.query = {.user = "alice \"x\" variables=unknown",
                                            .address = "192.0.2.1",
                                            .host = "www.example.org",
                                            .variables = &variable,
                                            .n_variables = 1}};
        struct logged logged;
        struct map_query query;

        (void)state;
        write_and_read(&decision, &logged);
        logged_query(&logged, &query);
        assert_string_equal(query.user, "alice ?x? variables=unknown");
        assert_string_equal(query.address, "192.0.2.1");
        assert_string_equal(query.host, "www.example.org");
        assert_int_equal(query.n_variables, 1);
        assert_string_equal(query.variables[0].name, "SSL_CLIENT_VERIFY");
        assert_string_equal(query.variables[0].value, "SUCCESS");
        assert_false(query.variables_unknown);
}

/* A rule that denies is met by what is unknown, and not by what is empty: the line tells them apart. */
static void test_unknown_variables(void **state)
{
        struct decision decision = {
                .query = {.user = "", .address = "192.0.2.1", .host = "", .variables_unknown = true}};
        struct logged logged;
        struct map_query query;

        (void)state;
        write_and_read(&decision, &logged);
        logged_query(&logged, &query);
        assert_true(query.variables_unknown);
        assert_int_equal(query.n_variables, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_who_asked),
                cmocka_unit_test(test_unknown_variables),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
