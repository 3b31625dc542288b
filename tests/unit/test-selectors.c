/* SPDX-License-Identifier: Apache-2.0 */
/* links: fcgi-bridge/selectors.c fcgi-bridge/params.c fcgi-bridge/record.c common/wire.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "fcgi-bridge/selectors.h"

/* Decodes one parameter; its lengths are below 16 MB. */
static void add(struct params *params, const char *name, const char *value, size_t length)
{
        const unsigned char lengths[5] = {(unsigned char)strlen(name), 0x80, (unsigned char)(length >> 16),
                (unsigned char)(length >> 8), (unsigned char)length};

        assert_int_equal(params_feed(params, lengths, 5), 0);
        assert_int_equal(params_feed(params, (const unsigned char *)name, strlen(name)), 0);
        assert_int_equal(params_feed(params, (const unsigned char *)value, length), 0);
}

static void test_fill(void **state)
{
        struct wire_request request;
        struct params params;
        const char *name;

        (void)state;
        wire_init_request(&request);
        params_init(&params, 65536, 64);
        add(&params, "REMOTE_USER", "alice", 5);
        add(&params, "REMOTE_ADDR", "192.0.2.1", 9);
        add(&params, "SERVER_NAME", "example.org", 11);
        add(&params, "SCRIPT_FILENAME", "/srv/a", 6);
        assert_int_equal(selectors_fill(&params, &request, &name), 0);
        assert_string_equal(request.user, "alice");
        assert_string_equal(request.address, "192.0.2.1");
        assert_string_equal(request.host, "example.org");
        assert_string_equal(request.script, "/srv/a");
        params_clear(&params);
}

static void test_fill_nothing(void **state)
{
        struct wire_request request;
        struct params params;
        const char *name;

        (void)state;
        wire_init_request(&request);
        params_init(&params, 65536, 64);
        assert_int_equal(selectors_fill(&params, &request, &name), 0);
        assert_string_equal(request.user, "");
        assert_string_equal(request.script, "");
        params_clear(&params);
}

static void test_fill_refused(void **state)
{
        static const struct {
                const char *name, *value;
                size_t length;
        } cases[] = {
                {"REMOTE_USER", "a\nb", 3},
                {"REMOTE_ADDR", "0123456789012345678901234567890123456789012345", 46},
                {"SERVER_NAME", "a\x7f", 2},
                {"SCRIPT_FILENAME", "/a\tb", 4},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct wire_request request;
                struct params params;
                const char *name = NULL;

                wire_init_request(&request);
                params_init(&params, 65536, 64);
                add(&params, cases[i].name, cases[i].value, cases[i].length);
                assert_int_equal(selectors_fill(&params, &request, &name), -EINVAL);
                assert_string_equal(name, cases[i].name);
                params_clear(&params);
        }
}

static void test_script(void **state)
{
        static const struct {
                const char *sent, *script; /* NULL: refused */
        } cases[] = {
                {"", ""},
                {"/srv/a.php", "/srv/a.php"},
                {"/srv/a?b", "/srv/a?b"},
                {"proxyfcgi://h/a", "proxyfcgi://h/a"},
                {"proxy:fcgi://127.0.0.1:9000/srv/a.php", "/srv/a.php"},
                {"proxy:fcgi://[::1]:9000/srv/a.php", "/srv/a.php"},
                {"proxy:fcgi://localhost/srv/a.php?x=/y", "/srv/a.php"},
                {"proxy:fcgi://localhost//srv/a.php", "//srv/a.php"},
                {"proxy:balancer://pool/srv/a.php", "/srv/a.php"},
                {"proxy:unix:/run/x.sock|fcgi://localhost/srv/a.php", "/srv/a.php"},
                {"proxy:unix:/run/x.sock|fcgi://localhost:8000/srv/a", "/srv/a"},
                {"proxy:fcgi://localhost", NULL},
                {"proxy:fcgi://", NULL},
                {"proxy:http://localhost/a", NULL},
                {"proxy:unix:/run/x.sock", NULL},
                {"proxy:unix:/run/x.sock|fcgi://localhost", NULL},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct wire_request request;
                struct params params;
                const char *name = NULL;
                int r;

                wire_init_request(&request);
                params_init(&params, 65536, 64);
                add(&params, "A", "1", 1);
                add(&params, "SCRIPT_FILENAME", cases[i].sent, strlen(cases[i].sent));
                add(&params, "Z", "2", 1);
                r = selectors_fill(&params, &request, &name);
                if (!cases[i].script) {
                        assert_int_equal(r, -EINVAL);
                        assert_string_equal(name, "SCRIPT_FILENAME");
                } else {
                        assert_int_equal(r, 0);
                        assert_string_equal(request.script, cases[i].script);
                        /* The application sees the same. */
                        assert_string_equal(
                                params.block + params_find(&params, "SCRIPT_FILENAME")->value, cases[i].script);
                        assert_string_equal(params.block + params_find(&params, "Z")->value, "2");
                }
                params_clear(&params);
        }
}

static void ask(struct wire_question *question, const char *const *names, uint32_t n_names)
{
        wire_init_question(question);
        question->n_names = n_names;
        for (uint32_t i = 0; i < n_names; i++)
                strcpy(question->names[i], names[i]);
        assert_int_equal(wire_check_question(question, sizeof(*question), 0), 0);
}

static void test_answer(void **state)
{
        /* Not in the order in which they came; one twice; and others that are not there, or differ a little. */
        static const char *const names[] = {
                "SSL_CLIENT_S_DN_CN", "A", "HTTP_PROXY", "A", "MISSING", "EMPTY", "a", "SANDBOXD_X"};
        static const char *const values[] = {"Alice Example", "1", "", "1", "", "", "", ""};
        struct wire_variables variables;
        struct wire_question question;
        struct params params;
        const char *name;

        (void)state;
        memset(&variables, 0xee, sizeof(variables));
        params_init(&params, 65536, 64);
        add(&params, "A", "1", 1);
        add(&params, "HTTP_PROXY", "evil", 4);
        add(&params, "EMPTY", "", 0);
        add(&params, "SANDBOXD_X", "evil", 4);
        add(&params, "SSL_CLIENT_S_DN_CN", "Alice Example", 13);
        ask(&question, names, ELEMENTS(names));
        assert_int_equal(selectors_answer(&params, &question, &variables, &name), 0);
        assert_int_equal(wire_check_variables(&variables, sizeof(variables), 0, ELEMENTS(names)), 0);
        for (size_t i = 0; i < ELEMENTS(names); i++)
                assert_string_equal(variables.values[i], values[i]);
        params_clear(&params);
        /* Nothing of an answer before is in the next. */
        ask(&question, names, 1);
        assert_int_equal(selectors_answer(&params, &question, &variables, &name), 0);
        assert_int_equal(wire_check_variables(&variables, sizeof(variables), 0, 1), 0);
        assert_string_equal(variables.values[0], "");
}

static void test_answer_refused(void **state)
{
        static const char *const names[] = {"A", "B"};
        const struct {
                const char *value;
                size_t length;
                int result;
        } cases[] = {
                {"plain", 5, 0},
                {"a\nb", 3, -EINVAL},
                {"\x7f", 1, -EINVAL},
                {NULL, WIRE_VARIABLE_VALUE_SIZE - 1, 0},
                {NULL, WIRE_VARIABLE_VALUE_SIZE, -EINVAL},
                {NULL, 40000, -EINVAL},
        };
        static char long_value[40000];

        (void)state;
        memset(long_value, 'v', sizeof(long_value));
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct wire_variables variables;
                struct wire_question question;
                struct params params;
                const char *name = NULL;

                params_init(&params, 65536, 64);
                add(&params, "A", "1", 1);
                add(&params, "B", cases[i].value ? cases[i].value : long_value, cases[i].length);
                ask(&question, names, 2);
                assert_int_equal(selectors_answer(&params, &question, &variables, &name), cases[i].result);
                if (cases[i].result < 0)
                        assert_string_equal(name, "B");
                else
                        assert_int_equal(strlen(variables.values[1]), cases[i].length);
                /* It harms nobody who does not ask for it. */
                ask(&question, names, 1);
                assert_int_equal(selectors_answer(&params, &question, &variables, &name), 0);
                assert_string_equal(variables.values[0], "1");
                params_clear(&params);
        }
}

static void test_content_length(void **state)
{
        static const struct {
                const char *text;
                int result;
                uint64_t length;
        } cases[] = {
                {"", 0, 77},
                {"0", 1, 0},
                {"42", 1, 42},
                {"0042", 1, 42},
                {"9223372036854775807", 1, INT64_MAX},
                {"9223372036854775808", -EINVAL, 77},
                {"99999999999999999999999999", -EINVAL, 77},
                {"-1", -EINVAL, 77},
                {"+1", -EINVAL, 77},
                {" 1", -EINVAL, 77},
                {"1 ", -EINVAL, 77},
                {"1,1", -EINVAL, 77},
                {"0x10", -EINVAL, 77},
                {"x", -EINVAL, 77},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct params params;
                uint64_t length = 77;

                params_init(&params, 65536, 64);
                add(&params, "CONTENT_LENGTH", cases[i].text, strlen(cases[i].text));
                assert_int_equal(selectors_content_length(&params, &length), cases[i].result);
                assert_true(length == cases[i].length);
                params_clear(&params);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fill),
                cmocka_unit_test(test_fill_nothing),
                cmocka_unit_test(test_fill_refused),
                cmocka_unit_test(test_script),
                cmocka_unit_test(test_answer),
                cmocka_unit_test(test_answer_refused),
                cmocka_unit_test(test_content_length),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
