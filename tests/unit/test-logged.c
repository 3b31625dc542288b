/* SPDX-License-Identifier: Apache-2.0 */
/* links: sandboxctl/logged.c common/wire.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "sandboxctl/logged.h"

#define LINE "outcome=exited detail=0 user=\"alice\" address=\"::1\" host=\"www.example.org\" identity=1:2"

static void test_all_fields(void **state)
{
        static struct logged logged;
        struct map_query query;

        (void)state;
        memset(&logged, 0, sizeof(logged));
        assert_int_equal(
                logged_parse(LINE " rule=/etc/a.map:7 variable=\"A=1=2 3\" variable=\"B=\" wall=1ms", &logged), 0);
        assert_string_equal(logged.outcome, "exited");
        assert_string_equal(logged.identity, "1:2");
        assert_string_equal(logged.rule, "/etc/a.map:7");
        assert_false(logged.altered);
        strcpy(logged.service, "wiki");
        logged_query(&logged, &query);
        assert_string_equal(query.service, "wiki");
        assert_string_equal(query.user, "alice");
        assert_string_equal(query.address, "::1");
        assert_string_equal(query.host, "www.example.org");
        assert_int_equal(query.n_variables, 2);
        assert_string_equal(query.variables[0].name, "A");
        assert_string_equal(query.variables[0].value, "1=2 3");
        assert_string_equal(query.variables[1].name, "B");
        assert_string_equal(query.variables[1].value, "");
        assert_false(query.variables_unknown);
        assert_false(query.groups_known);
}

/* What a user or a web server may have chosen is in quotes, and the reason is the last. */
static void test_nothing_passes_for_a_field(void **state)
{
        static struct logged logged;

        (void)state;
        memset(&logged, 0, sizeof(logged));
        assert_int_equal(logged_parse("outcome=no-rule detail=0 user=\"x identity=0:0 host=y\" address=\"\" host=\"\" "
                                      "identity=- reason=user=\"bob\" rule=b:1 variable=\"A=1\"",
                                 &logged),
                0);
        assert_string_equal(logged.user, "x identity=0:0 host=y");
        assert_string_equal(logged.host, "");
        assert_string_equal(logged.identity, "-");
        assert_string_equal(logged.rule, "");
        assert_int_equal(logged.n_variables, 0);
}

static void test_marks(void **state)
{
        static struct logged logged;

        (void)state;
        memset(&logged, 0, sizeof(logged));
        assert_int_equal(logged_parse(LINE " variables=unknown", &logged), 0);
        assert_true(logged.variables_unknown);
        assert_false(logged.altered);
        memset(&logged, 0, sizeof(logged));
        assert_int_equal(logged_parse(LINE " variable=\"A=?\" variables=known", &logged), 0);
        assert_false(logged.variables_unknown);
        assert_true(logged.altered);
        memset(&logged, 0, sizeof(logged));
        assert_int_equal(logged_parse(LINE " other=\"?\" odd ?", &logged), 0);
        assert_false(logged.altered);
}

static void test_what_is_no_such_line(void **state)
{
        static const char *const lines[] = {
                "",
                "detail=0",
                " " LINE,
                "outcome=exited",
                "outcome=exited user=\"a\" address=\"\" host=\"\"",
                "outcome=exited user=\"a\" address=\"\" identity=-",
                LINE " user=\"bob\"",
                LINE " outcome=exited",
                LINE " variable=\"A=1",
                LINE " other=\"unfinished",
                LINE " variable=A=1",
                LINE " variable=\"A=1\"rule=a:1",
                LINE " variable=\"=1\"",
                LINE " variable=\"A\"",
                LINE " variable=\"A=1\" variable=\"A=1\" variable=\"A=1\" variable=\"A=1\" variable=\"A=1\" "
                     "variable=\"A=1\" "
                     "variable=\"A=1\" variable=\"A=1\" variable=\"A=1\"",
        };
        static struct logged logged;
        char line[1024];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(lines); i++) {
                memset(&logged, 0, sizeof(logged));
                assert_int_equal(logged_parse(lines[i], &logged), -EBADMSG);
        }
        for (size_t length = 250; length < 260; length++) { /* a user has at most 255 bytes */
                memset(&logged, 0, sizeof(logged));
                snprintf(line, sizeof(line), "outcome=exited user=\"%0*d\" address=\"\" host=\"\" identity=-",
                        (int)length, 0);
                assert_int_equal(logged_parse(line, &logged), length <= 255 ? 0 : -EBADMSG);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_fields),
                cmocka_unit_test(test_nothing_passes_for_a_field),
                cmocka_unit_test(test_marks),
                cmocka_unit_test(test_what_is_no_such_line),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
