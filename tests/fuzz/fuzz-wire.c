/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/wire.c */

/*
 * Any bytes as a launch request, a question, its answer, a launch result and a value for a field: what is accepted is
 * strings without control characters and with nothing behind their NUL, and what wire_set_string() wrote is accepted.
 */

#include <stdlib.h>
#include <string.h>

#include "common/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
        if (!condition)
                abort();
}

static void check_string(const char *field, size_t size)
{
        size_t i = 0;

        for (; i < size && field[i]; i++)
                check((unsigned char)field[i] >= ' ' && field[i] != 0x7f);
        check(i < size);
        for (; i < size; i++)
                check(field[i] == '\0');
}

/* In memory of the packet's length, at least the size of the struct: the packet's length is what decides. */
static void fuzz_request(const uint8_t *data, size_t size)
{
        struct wire_request request;
        size_t n_fds;

        memset(&request, 0, sizeof(request));
        memcpy(&request, data, size < sizeof(request) ? size : sizeof(request));
        n_fds = request.kind == WIRE_CONNECTION ? (size_t)WIRE_CONNECTION_FDS : (size_t)WIRE_FDS;
        if (wire_check_request(&request, size, n_fds) < 0) {
                /* Again, past the envelope. */
                request.magic = WIRE_MAGIC;
                request.version = WIRE_VERSION;
                if (wire_check_request(&request, sizeof(request), n_fds) < 0)
                        return;
        }
        check(request.kind <= WIRE_CONNECTION && request.environment_size <= WIRE_CONNECTION_ENVIRONMENT_MAX);
        check(request.kind == WIRE_CONNECTION || (request.flags == 0 && request.environment_size == 0));
        check_string(request.request_id, sizeof(request.request_id));
        check_string(request.user, sizeof(request.user));
        check_string(request.address, sizeof(request.address));
        check_string(request.host, sizeof(request.host));
        check_string(request.script, sizeof(request.script));
        check(strlen(request.request_id) == 32 && strspn(request.request_id, "0123456789abcdef") == 32);
}

static void fuzz_result(const uint8_t *data, size_t size)
{
        struct wire_result result;

        memset(&result, 0, sizeof(result));
        memcpy(&result, data, size < sizeof(result) ? size : sizeof(result));
        result.magic = WIRE_MAGIC;
        result.version = WIRE_VERSION;
        if (wire_check_result(&result, sizeof(result), 0) < 0)
                return;
        check_string(result.reason, sizeof(result.reason));
        check(wire_status((enum wire_outcome)result.outcome) >= 403);
        check(strlen(wire_outcome_name((enum wire_outcome)result.outcome)) > 0);
}

static void fuzz_question(const uint8_t *data, size_t size)
{
        struct wire_question question;

        memset(&question, 0, sizeof(question));
        memcpy(&question, data, size < sizeof(question) ? size : sizeof(question));
        if (wire_check_question(&question, size, 0) < 0) {
                question.magic = WIRE_QUESTION_MAGIC;
                question.version = WIRE_VERSION;
                if (wire_check_question(&question, sizeof(question), 0) < 0)
                        return;
        }
        check(question.n_names >= 1 && question.n_names <= WIRE_VARIABLES_MAX);
        for (uint32_t i = 0; i < WIRE_VARIABLES_MAX; i++) {
                check_string(question.names[i], sizeof(question.names[i]));
                check((strlen(question.names[i]) > 0) == (i < question.n_names));
        }
}

static void fuzz_variables(const uint8_t *data, size_t size)
{
        struct wire_variables variables;

        memset(&variables, 0, sizeof(variables));
        memcpy(&variables, data, size < sizeof(variables) ? size : sizeof(variables));
        for (size_t n = 1; n <= WIRE_VARIABLES_MAX; n++) {
                if (wire_check_variables(&variables, size, 0, n) < 0) {
                        variables.magic = WIRE_VARIABLES_MAGIC;
                        variables.version = WIRE_VERSION;
                        if (wire_check_variables(&variables, sizeof(variables), 0, n) < 0)
                                continue;
                }
                check(variables.n_values == n);
                for (size_t i = 0; i < WIRE_VARIABLES_MAX; i++) {
                        check_string(variables.values[i], sizeof(variables.values[i]));
                        check(i < n || strlen(variables.values[i]) == 0);
                }
        }
}

static void fuzz_fields(const uint8_t *data, size_t size)
{
        const char *text = (const char *)data;
        struct wire_request request;
        int r = 0;

        wire_init_request(&request);
        memset(request.request_id, 'a', sizeof(request.request_id) - 1);
        for (int i = 0; i < 4; i++) {
                static const size_t offsets[] = {offsetof(struct wire_request, user),
                        offsetof(struct wire_request, address), offsetof(struct wire_request, host),
                        offsetof(struct wire_request, script)};
                static const size_t sizes[] = {WIRE_USER_SIZE, WIRE_ADDRESS_SIZE, WIRE_HOST_SIZE, WIRE_SCRIPT_SIZE};
                char *field = (char *)&request + offsets[i];

                r = wire_set_string(field, sizes[i], text, size);
                check((r == 0) == (size < sizes[i] && !memchr(text, '\0', size) && strlen(field) == size &&
                                          memcmp(field, text, size) == 0) ||
                        size == 0);
                check(wire_check_request(&request, sizeof(request), WIRE_FDS) == 0);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        fuzz_request(data, size);
        fuzz_question(data, size);
        fuzz_variables(data, size);
        fuzz_result(data, size);
        fuzz_fields(data, size);
        return 0;
}
