/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/wire.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/wire.h"

static void valid_request(struct wire_request *request)
{
        wire_init_request(request);
        memcpy(request->request_id, "0123456789abcdef0123456789abcdef", 32);
        strcpy(request->user, "alice");
        strcpy(request->address, "192.0.2.1");
        strcpy(request->host, "example.org");
        strcpy(request->script, "/srv/cgi/a.cgi");
}

static int check(const struct wire_request *request)
{
        return wire_check_request(request, sizeof(*request), WIRE_FDS);
}

static void test_init(void **state)
{
        struct wire_request request;
        struct wire_result result;

        (void)state;
        memset(&request, 0xee, sizeof(request));
        memset(&result, 0xee, sizeof(result));
        wire_init_request(&request);
        wire_init_result(&result, WIRE_SIGNALED, 9);
        assert_int_equal(request.magic, WIRE_MAGIC);
        assert_int_equal(request.version, WIRE_VERSION);
        for (size_t i = offsetof(struct wire_request, request_id); i < sizeof(request); i++)
                assert_int_equal(((const char *)&request)[i], 0);
        assert_int_equal(result.outcome, WIRE_SIGNALED);
        assert_int_equal(result.detail, 9);
        for (size_t i = 0; i < sizeof(result.reason); i++)
                assert_int_equal(result.reason[i], 0);
}

static void test_request_accepted(void **state)
{
        struct wire_request request;

        (void)state;
        valid_request(&request);
        assert_int_equal(check(&request), 0);
        memset(request.user, 0, sizeof(request.user));
        memset(request.address, 0, sizeof(request.address));
        memset(request.host, 0, sizeof(request.host));
        memset(request.script, 0, sizeof(request.script));
        assert_int_equal(check(&request), 0);
        /* Full to the last byte before the NUL; bytes beyond ASCII are names, too. */
        memset(request.user, 'x', sizeof(request.user) - 1);
        memset(request.script, 0xc3, sizeof(request.script) - 1);
        assert_int_equal(check(&request), 0);
}

static void test_request_envelope(void **state)
{
        const size_t size = sizeof(struct wire_request);
        const struct {
                size_t length, n_fds;
                uint32_t magic, version;
        } cases[] = {
                {0, WIRE_FDS, WIRE_MAGIC, WIRE_VERSION},
                {1, WIRE_FDS, WIRE_MAGIC, WIRE_VERSION},
                {size - 1, WIRE_FDS, WIRE_MAGIC, WIRE_VERSION},
                {size + 1, WIRE_FDS, WIRE_MAGIC, WIRE_VERSION},
                {SIZE_MAX, WIRE_FDS, WIRE_MAGIC, WIRE_VERSION},
                {size, 0, WIRE_MAGIC, WIRE_VERSION},
                {size, WIRE_FDS - 1, WIRE_MAGIC, WIRE_VERSION},
                {size, WIRE_FDS + 1, WIRE_MAGIC, WIRE_VERSION},
                {size, SIZE_MAX, WIRE_MAGIC, WIRE_VERSION},
                {size, WIRE_FDS, 0, WIRE_VERSION},
                {size, WIRE_FDS, UINT32_C(0x786f6253), WIRE_VERSION}, /* the other byte order */
                {size, WIRE_FDS, WIRE_MAGIC, 0},
                {size, WIRE_FDS, WIRE_MAGIC, WIRE_VERSION + 1},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct wire_request request;

                valid_request(&request);
                request.magic = cases[i].magic;
                request.version = cases[i].version;
                assert_int_equal(wire_check_request(&request, cases[i].length, cases[i].n_fds), -EBADMSG);
        }
}

/* Each kind has its own descriptors, flags and size. */
static void test_request_kinds(void **state)
{
        static const struct {
                uint32_t kind, flags, environment_size;
                size_t n_fds;
                bool accepted;
        } cases[] = {
                {WIRE_STREAMS, 0, 0, WIRE_FDS, true},
                {WIRE_STREAMS, 0, 0, WIRE_CONNECTION_FDS, false},
                {WIRE_STREAMS, WIRE_NO_BODY, 0, WIRE_FDS, false},
                {WIRE_STREAMS, 0, 1, WIRE_FDS, false},
                {WIRE_CONNECTION, 0, 0, WIRE_CONNECTION_FDS, true},
                {WIRE_CONNECTION, WIRE_NO_BODY, 1, WIRE_CONNECTION_FDS, true},
                {WIRE_CONNECTION, 0, WIRE_CONNECTION_ENVIRONMENT_MAX, WIRE_CONNECTION_FDS, true},
                {WIRE_CONNECTION, 0, WIRE_CONNECTION_ENVIRONMENT_MAX + 1, WIRE_CONNECTION_FDS, false},
                {WIRE_CONNECTION, 0, UINT32_MAX, WIRE_CONNECTION_FDS, false},
                {WIRE_CONNECTION, WIRE_NO_BODY << 1, 0, WIRE_CONNECTION_FDS, false},
                {WIRE_CONNECTION, UINT32_MAX, 0, WIRE_CONNECTION_FDS, false},
                {WIRE_CONNECTION, 0, 0, WIRE_FDS, false},
                {WIRE_CONNECTION, 0, 0, WIRE_CONNECTION_FDS - 1, false},
                {WIRE_CONNECTION + 1, 0, 0, WIRE_FDS, false},
                {WIRE_CONNECTION + 1, 0, 0, WIRE_CONNECTION_FDS, false},
                {UINT32_MAX, 0, 0, WIRE_FDS, false},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct wire_request request;

                valid_request(&request);
                request.kind = cases[i].kind;
                request.flags = cases[i].flags;
                request.environment_size = cases[i].environment_size;
                if (wire_check_request(&request, sizeof(request), cases[i].n_fds) != (cases[i].accepted ? 0 : -EBADMSG))
                        fail_msg("case %zu", i);
        }
}

static void test_done(void **state)
{
        struct wire_done done = {.magic = WIRE_DONE_MAGIC, .version = WIRE_VERSION};

        (void)state;
        assert_int_equal(wire_check_done(&done, sizeof(done), 0), 0);
        assert_int_equal(wire_check_done(&done, sizeof(done), 1), -EBADMSG);
        assert_int_equal(wire_check_done(&done, sizeof(done) - 1, 0), -EBADMSG);
        assert_int_equal(wire_check_done(&done, sizeof(done) + 1, 0), -EBADMSG);
        assert_int_equal(wire_check_done(&done, 0, 0), -EBADMSG);
        done.version++;
        assert_int_equal(wire_check_done(&done, sizeof(done), 0), -EBADMSG);
        done = (struct wire_done){.magic = WIRE_MAGIC, .version = WIRE_VERSION};
        assert_int_equal(wire_check_done(&done, sizeof(done), 0), -EBADMSG);
}

/* In every string field: a control character, no NUL at all, anything after the NUL. */
static void test_request_strings(void **state)
{
        static const struct {
                size_t offset, size;
        } fields[] = {
                {offsetof(struct wire_request, request_id), WIRE_REQUEST_ID_SIZE},
                {offsetof(struct wire_request, user), WIRE_USER_SIZE},
                {offsetof(struct wire_request, address), WIRE_ADDRESS_SIZE},
                {offsetof(struct wire_request, host), WIRE_HOST_SIZE},
                {offsetof(struct wire_request, script), WIRE_SCRIPT_SIZE},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(fields); i++) {
                struct wire_request request;
                char *field = (char *)&request + fields[i].offset;

                for (int c = 1; c < 0x80; c = c == 0x1f ? 0x7f : c + 1) {
                        valid_request(&request);
                        field[0] = (char)c;
                        assert_int_equal(check(&request), -EBADMSG);
                }
                valid_request(&request);
                memset(field, 'a', fields[i].size);
                assert_int_equal(check(&request), -EBADMSG);
                for (size_t at = strlen(field); at < fields[i].size; at++) {
                        valid_request(&request);
                        if (at <= strlen(field))
                                continue;
                        field[at] = 'x';
                        assert_int_equal(check(&request), -EBADMSG);
                }
                valid_request(&request);
                field[fields[i].size - 1] = '\n';
                assert_int_equal(check(&request), -EBADMSG);
        }
}

static void test_request_id(void **state)
{
        static const char *const cases[] = {
                "",
                "0",
                "0123456789abcdef0123456789abcde",
                "0123456789ABCDEF0123456789ABCDEF",
                "0123456789abcdef0123456789abcdeg",
                "0123456789abcdef0123456789abcde ",
                "0123456789abcdef-123456789abcdef",
                "/123456789abcdef0123456789abcdef",
                ":123456789abcdef0123456789abcdef",
                "`123456789abcdef0123456789abcdef",
                "\377123456789abcdef0123456789abcdef",
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct wire_request request;

                valid_request(&request);
                memset(request.request_id, 0, sizeof(request.request_id));
                memcpy(request.request_id, cases[i], strlen(cases[i]));
                assert_int_equal(check(&request), -EBADMSG);
        }
}

static void test_result(void **state)
{
        const size_t size = sizeof(struct wire_result);
        struct wire_result result;

        (void)state;
        for (unsigned outcome = 0; outcome < WIRE_OUTCOMES; outcome++) {
                wire_init_result(&result, (enum wire_outcome)outcome, UINT32_MAX);
                assert_int_equal(wire_check_result(&result, size, 0), 0);
        }
        wire_init_result(&result, WIRE_EXITED, 0);
        assert_int_equal(wire_check_result(&result, size - 1, 0), -EBADMSG);
        assert_int_equal(wire_check_result(&result, size + 1, 0), -EBADMSG);
        assert_int_equal(wire_check_result(&result, 0, 0), -EBADMSG);
        assert_int_equal(wire_check_result(&result, size, 1), -EBADMSG);
        result.outcome = WIRE_OUTCOMES;
        assert_int_equal(wire_check_result(&result, size, 0), -EBADMSG);
        result.outcome = UINT32_MAX;
        assert_int_equal(wire_check_result(&result, size, 0), -EBADMSG);
        wire_init_result(&result, WIRE_EXITED, 0);
        result.wants = WIRE_CONNECTION;
        assert_int_equal(wire_check_result(&result, size, 0), 0);
        result.wants++;
        assert_int_equal(wire_check_result(&result, size, 0), -EBADMSG);
        wire_init_result(&result, WIRE_EXITED, 0);
        result.magic++;
        assert_int_equal(wire_check_result(&result, size, 0), -EBADMSG);
        wire_init_result(&result, WIRE_EXITED, 0);
        result.version++;
        assert_int_equal(wire_check_result(&result, size, 0), -EBADMSG);
}

static void test_result_reason(void **state)
{
        struct wire_result result;

        (void)state;
        wire_init_result(&result, WIRE_FAILED, ENOENT);
        memset(result.reason, 'r', sizeof(result.reason) - 1);
        assert_int_equal(wire_check_result(&result, sizeof(result), 0), 0);
        result.reason[sizeof(result.reason) - 1] = 'r';
        assert_int_equal(wire_check_result(&result, sizeof(result), 0), -EBADMSG);
        result.reason[sizeof(result.reason) - 1] = '\0';
        result.reason[7] = '\n';
        assert_int_equal(wire_check_result(&result, sizeof(result), 0), -EBADMSG);
        result.reason[7] = '\0';
        assert_int_equal(wire_check_result(&result, sizeof(result), 0), -EBADMSG);
}

static void valid_question(struct wire_question *question, uint32_t n_names)
{
        wire_init_question(question);
        question->n_names = n_names;
        for (uint32_t i = 0; i < n_names && i < WIRE_VARIABLES_MAX; i++)
                strcpy(question->names[i], "SSL_CLIENT_S_DN_CN");
}

static int check_question(const struct wire_question *question)
{
        return wire_check_question(question, sizeof(*question), 0);
}

static void valid_variables(struct wire_variables *variables, uint32_t n_values)
{
        wire_init_variables(variables);
        variables->n_values = n_values;
        for (uint32_t i = 0; i < n_values && i < WIRE_VARIABLES_MAX; i++)
                strcpy(variables->values[i], "Alice Example");
}

static int check_variables(const struct wire_variables *variables, size_t n_names)
{
        return wire_check_variables(variables, sizeof(*variables), 0, n_names);
}

static void test_init_question(void **state)
{
        struct wire_question question;
        struct wire_variables variables;

        (void)state;
        memset(&question, 0xee, sizeof(question));
        memset(&variables, 0xee, sizeof(variables));
        wire_init_question(&question);
        wire_init_variables(&variables);
        assert_int_equal(question.magic, WIRE_QUESTION_MAGIC);
        assert_int_equal(question.version, WIRE_VERSION);
        assert_int_equal(variables.magic, WIRE_VARIABLES_MAGIC);
        assert_int_equal(variables.version, WIRE_VERSION);
        for (size_t i = offsetof(struct wire_question, n_names); i < sizeof(question); i++)
                assert_int_equal(((const char *)&question)[i], 0);
        for (size_t i = offsetof(struct wire_variables, n_values); i < sizeof(variables); i++)
                assert_int_equal(((const char *)&variables)[i], 0);
}

static void test_question(void **state)
{
        struct wire_question question;

        (void)state;
        for (uint32_t n = 1; n <= WIRE_VARIABLES_MAX; n++) {
                valid_question(&question, n);
                assert_int_equal(check_question(&question), 0);
        }
        memset(question.names[7], 'N', sizeof(question.names[7]) - 1);
        assert_int_equal(check_question(&question), 0);
        valid_question(&question, 0);
        assert_int_equal(check_question(&question), -EBADMSG);
        valid_question(&question, WIRE_VARIABLES_MAX);
        question.n_names = WIRE_VARIABLES_MAX + 1;
        assert_int_equal(check_question(&question), -EBADMSG);
        question.n_names = UINT32_MAX;
        assert_int_equal(check_question(&question), -EBADMSG);
        /* A name too few, a name too many. */
        valid_question(&question, 2);
        question.n_names = 3;
        assert_int_equal(check_question(&question), -EBADMSG);
        question.n_names = 1;
        assert_int_equal(check_question(&question), -EBADMSG);
        valid_question(&question, 3);
        question.names[1][0] = '\0';
        assert_int_equal(check_question(&question), -EBADMSG);
        memset(question.names[1], 0, sizeof(question.names[1]));
        assert_int_equal(check_question(&question), -EBADMSG);
}

static void test_question_envelope(void **state)
{
        const size_t size = sizeof(struct wire_question);
        const struct {
                size_t length, n_fds;
                uint32_t magic, version;
        } cases[] = {
                {0, 0, WIRE_QUESTION_MAGIC, WIRE_VERSION},
                {size - 1, 0, WIRE_QUESTION_MAGIC, WIRE_VERSION},
                {size + 1, 0, WIRE_QUESTION_MAGIC, WIRE_VERSION},
                {SIZE_MAX, 0, WIRE_QUESTION_MAGIC, WIRE_VERSION},
                {size, 1, WIRE_QUESTION_MAGIC, WIRE_VERSION},
                {size, SIZE_MAX, WIRE_QUESTION_MAGIC, WIRE_VERSION},
                {size, 0, 0, WIRE_VERSION},
                {size, 0, WIRE_MAGIC, WIRE_VERSION},
                {size, 0, WIRE_VARIABLES_MAGIC, WIRE_VERSION},
                {size, 0, WIRE_QUESTION_MAGIC, 1},
                {size, 0, WIRE_QUESTION_MAGIC, WIRE_VERSION + 1},
        };
        struct wire_question question;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                valid_question(&question, 2);
                question.magic = cases[i].magic;
                question.version = cases[i].version;
                assert_int_equal(wire_check_question(&question, cases[i].length, cases[i].n_fds), -EBADMSG);
        }
}

/* In every name, the unused ones too: a control character, no NUL at all, anything after the NUL. */
static void test_question_names(void **state)
{
        (void)state;
        for (size_t i = 0; i < WIRE_VARIABLES_MAX; i++) {
                struct wire_question question;

                for (uint32_t n = 1; n <= WIRE_VARIABLES_MAX; n++) {
                        valid_question(&question, n);
                        question.names[i][0] = '\n';
                        assert_int_equal(check_question(&question), -EBADMSG);
                        valid_question(&question, n);
                        memset(question.names[i], 'a', sizeof(question.names[i]));
                        assert_int_equal(check_question(&question), -EBADMSG);
                        valid_question(&question, n);
                        question.names[i][sizeof(question.names[i]) - 1] = 'x';
                        assert_int_equal(check_question(&question), -EBADMSG);
                }
        }
}

static void test_variables(void **state)
{
        struct wire_variables variables;

        (void)state;
        for (uint32_t n = 1; n <= WIRE_VARIABLES_MAX; n++) {
                valid_variables(&variables, n);
                assert_int_equal(check_variables(&variables, n), 0);
                assert_int_equal(check_variables(&variables, n - 1), -EBADMSG);
                assert_int_equal(check_variables(&variables, n + 1), -EBADMSG);
                /* Each may be empty, or full to the last byte before the NUL. */
                memset(variables.values[n - 1], 0xc3, sizeof(variables.values[n - 1]) - 1);
                assert_int_equal(check_variables(&variables, n), 0);
                memset(variables.values, 0, sizeof(variables.values));
                assert_int_equal(check_variables(&variables, n), 0);
        }
        /* One that nobody asked for. */
        valid_variables(&variables, 3);
        variables.n_values = 2;
        assert_int_equal(check_variables(&variables, 2), -EBADMSG);
        variables.n_values = UINT32_MAX;
        assert_int_equal(check_variables(&variables, 3), -EBADMSG);
}

static void test_variables_envelope(void **state)
{
        const size_t size = sizeof(struct wire_variables);
        const struct {
                size_t length, n_fds;
                uint32_t magic, version;
        } cases[] = {
                {0, 0, WIRE_VARIABLES_MAGIC, WIRE_VERSION},
                {size - 1, 0, WIRE_VARIABLES_MAGIC, WIRE_VERSION},
                {size + 1, 0, WIRE_VARIABLES_MAGIC, WIRE_VERSION},
                {SIZE_MAX, 0, WIRE_VARIABLES_MAGIC, WIRE_VERSION},
                {size, 1, WIRE_VARIABLES_MAGIC, WIRE_VERSION},
                {size, WIRE_FDS, WIRE_VARIABLES_MAGIC, WIRE_VERSION},
                {size, 0, 0, WIRE_VERSION},
                {size, 0, WIRE_MAGIC, WIRE_VERSION},
                {size, 0, WIRE_QUESTION_MAGIC, WIRE_VERSION},
                {size, 0, WIRE_VARIABLES_MAGIC, 1},
                {size, 0, WIRE_VARIABLES_MAGIC, WIRE_VERSION + 1},
        };
        struct wire_variables variables;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                valid_variables(&variables, 2);
                variables.magic = cases[i].magic;
                variables.version = cases[i].version;
                assert_int_equal(wire_check_variables(&variables, cases[i].length, cases[i].n_fds, 2), -EBADMSG);
        }
}

static void test_variables_values(void **state)
{
        (void)state;
        for (size_t i = 0; i < WIRE_VARIABLES_MAX; i++) {
                struct wire_variables variables;

                for (uint32_t n = 1; n <= WIRE_VARIABLES_MAX; n++) {
                        valid_variables(&variables, n);
                        variables.values[i][0] = '\x7f';
                        assert_int_equal(check_variables(&variables, n), -EBADMSG);
                        valid_variables(&variables, n);
                        memset(variables.values[i], 'a', sizeof(variables.values[i]));
                        assert_int_equal(check_variables(&variables, n), -EBADMSG);
                        valid_variables(&variables, n);
                        variables.values[i][sizeof(variables.values[i]) - 1] = 'x';
                        assert_int_equal(check_variables(&variables, n), -EBADMSG);
                }
        }
}

static void test_set_string(void **state)
{
        static const struct {
                const char *value;
                size_t length;
                int result;
        } cases[] = {
                {"", 0, 0},
                {"a", 1, 0},
                {"1234567", 7, 0},
                {"12345678", 8, -ENAMETOOLONG},
                {"123456789", 9, -ENAMETOOLONG},
                {"a\0b", 3, -EINVAL},
                {"\0", 1, -EINVAL},
                {"a\n", 2, -EINVAL},
                {"\x1f", 1, -EINVAL},
                {"\x7f", 1, -EINVAL},
                {"a b", 3, 0},
                {"\xc3\xa9", 2, 0},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char field[8 + 1];

                memset(field, 0x55, sizeof(field));
                assert_int_equal(wire_set_string(field, 8, cases[i].value, cases[i].length), cases[i].result);
                assert_int_equal(field[8], 0x55);
                if (cases[i].result < 0) {
                        for (size_t k = 0; k < sizeof(field); k++)
                                assert_int_equal(field[k], 0x55);
                        continue;
                }
                assert_memory_equal(field, cases[i].value, cases[i].length);
                for (size_t k = cases[i].length; k < 8; k++)
                        assert_int_equal(field[k], 0);
        }
}

static void test_outcomes(void **state)
{
        static const struct {
                enum wire_outcome outcome;
                unsigned number, status;
                const char *name;
        } cases[] = {
                {WIRE_EXITED, 0, 502, "exited"},
                {WIRE_SIGNALED, 1, 502, "signaled"},
                {WIRE_NO_RULE, 2, 403, "no-rule"},
                {WIRE_UNTRUSTED, 3, 403, "untrusted"},
                {WIRE_NO_SERVICE, 4, 404, "no-service"},
                {WIRE_NO_SCRIPT, 5, 404, "no-script"},
                {WIRE_FAILED, 6, 502, "failed"},
                {WIRE_BUSY, 7, 503, "busy"},
                {WIRE_TIMEOUT, 8, 504, "timeout"},
                {WIRE_INVALID, 9, 500, "invalid"},
                {WIRE_AGAIN, 10, 503, "again"},
        };

        (void)state;
        assert_int_equal(ELEMENTS(cases), WIRE_OUTCOMES);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(cases[i].outcome, cases[i].number);
                assert_int_equal(wire_status(cases[i].outcome), cases[i].status);
                assert_string_equal(wire_outcome_name(cases[i].outcome), cases[i].name);
        }
        assert_int_equal(wire_status(WIRE_OUTCOMES), 500);
        assert_string_equal(wire_outcome_name(WIRE_OUTCOMES), "unknown");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_init),
                cmocka_unit_test(test_request_accepted),
                cmocka_unit_test(test_request_envelope),
                cmocka_unit_test(test_request_kinds),
                cmocka_unit_test(test_request_strings),
                cmocka_unit_test(test_request_id),
                cmocka_unit_test(test_done),
                cmocka_unit_test(test_result),
                cmocka_unit_test(test_result_reason),
                cmocka_unit_test(test_init_question),
                cmocka_unit_test(test_question),
                cmocka_unit_test(test_question_envelope),
                cmocka_unit_test(test_question_names),
                cmocka_unit_test(test_variables),
                cmocka_unit_test(test_variables_envelope),
                cmocka_unit_test(test_variables_values),
                cmocka_unit_test(test_set_string),
                cmocka_unit_test(test_outcomes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
