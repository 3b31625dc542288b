/* SPDX-License-Identifier: Apache-2.0 */
#include "common/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
        const char *name;
        unsigned status;
} outcomes[WIRE_OUTCOMES] = {
        [WIRE_EXITED] = {"exited", 502},
        [WIRE_SIGNALED] = {"signaled", 502},
        [WIRE_NO_RULE] = {"no-rule", 403},
        [WIRE_UNTRUSTED] = {"untrusted", 403},
        [WIRE_NO_SERVICE] = {"no-service", 404},
        [WIRE_NO_SCRIPT] = {"no-script", 404},
        [WIRE_FAILED] = {"failed", 502},
        [WIRE_BUSY] = {"busy", 503},
        [WIRE_TIMEOUT] = {"timeout", 504},
        [WIRE_INVALID] = {"invalid", 500},
        [WIRE_AGAIN] = {"again", 503},
};

unsigned wire_status(enum wire_outcome outcome)
{
        return outcome < WIRE_OUTCOMES ? outcomes[outcome].status : 500;
}

const char *wire_outcome_name(enum wire_outcome outcome)
{
        return outcome < WIRE_OUTCOMES ? outcomes[outcome].name : "unknown";
}

void wire_init_request(struct wire_request *request)
{
        memset(request, 0, sizeof(*request));
        request->magic = WIRE_MAGIC;
        request->version = WIRE_VERSION;
}

void wire_init_result(struct wire_result *result, enum wire_outcome outcome, uint32_t detail)
{
        memset(result, 0, sizeof(*result));
        result->magic = WIRE_MAGIC;
        result->version = WIRE_VERSION;
        result->outcome = outcome;
        result->detail = detail;
}

void wire_init_question(struct wire_question *question)
{
        memset(question, 0, sizeof(*question));
        question->magic = WIRE_QUESTION_MAGIC;
        question->version = WIRE_VERSION;
}

void wire_init_variables(struct wire_variables *variables)
{
        memset(variables, 0, sizeof(*variables));
        variables->magic = WIRE_VARIABLES_MAGIC;
        variables->version = WIRE_VERSION;
}

static bool is_control(char c)
{
        return (unsigned char)c < 0x20 || c == 0x7f;
}

int wire_set_string(char *field, size_t size, const char *value, size_t length)
{
        if (length >= size)
                return -ENAMETOOLONG;
        for (size_t i = 0; i < length; i++)
                if (is_control(value[i]))
                        return -EINVAL;
        memcpy(field, value, length);
        memset(field + length, 0, size - length);
        return 0;
}

void wire_set_reason(struct wire_result *result, const char *reason)
{
        snprintf(result->reason, sizeof(result->reason), "%s", reason ? reason : "");
        for (char *c = result->reason; *c; c++)
                if (is_control(*c))
                        *c = '?';
}

bool wire_is_string(const char *field, size_t size)
{
        size_t length = strnlen(field, size);

        for (size_t i = 0; i < length; i++)
                if (is_control(field[i]))
                        return false;
        for (size_t i = length; i < size; i++)
                if (field[i] != '\0')
                        return false;
        return length < size;
}

static bool is_request_id(const char *id)
{
        return strspn(id, "0123456789abcdef") == WIRE_REQUEST_ID_SIZE - 1;
}

/* Descriptors, flags and size as the kind has them. */
static bool is_kind(const struct wire_request *request, size_t n_fds)
{
        if (request->kind == WIRE_STREAMS)
                return n_fds == WIRE_FDS && request->flags == 0 && request->environment_size == 0;
        return request->kind == WIRE_CONNECTION && n_fds == WIRE_CONNECTION_FDS &&
               (request->flags & ~(uint32_t)WIRE_NO_BODY) == 0 &&
               request->environment_size <= WIRE_CONNECTION_ENVIRONMENT_MAX;
}

int wire_check_request(const struct wire_request *request, size_t length, size_t n_fds)
{
        if (length != sizeof(*request))
                return -EBADMSG;
        if (request->magic != WIRE_MAGIC || request->version != WIRE_VERSION || !is_kind(request, n_fds))
                return -EBADMSG;
        if (!wire_is_string(request->request_id, sizeof(request->request_id)) ||
                !wire_is_string(request->user, sizeof(request->user)) ||
                !wire_is_string(request->address, sizeof(request->address)) ||
                !wire_is_string(request->host, sizeof(request->host)) ||
                !wire_is_string(request->script, sizeof(request->script)))
                return -EBADMSG;
        return is_request_id(request->request_id) ? 0 : -EBADMSG;
}

int wire_check_result(const struct wire_result *result, size_t length, size_t n_fds)
{
        if (length != sizeof(*result) || n_fds != 0)
                return -EBADMSG;
        if (result->magic != WIRE_MAGIC || result->version != WIRE_VERSION)
                return -EBADMSG;
        if (result->outcome >= WIRE_OUTCOMES || result->wants > WIRE_CONNECTION ||
                !wire_is_string(result->reason, sizeof(result->reason)))
                return -EBADMSG;
        return 0;
}

int wire_check_done(const struct wire_done *done, size_t length, size_t n_fds)
{
        return length == sizeof(*done) && n_fds == 0 && done->magic == WIRE_DONE_MAGIC && done->version == WIRE_VERSION
                       ? 0
                       : -EBADMSG;
}

int wire_check_question(const struct wire_question *question, size_t length, size_t n_fds)
{
        if (length != sizeof(*question) || n_fds != 0)
                return -EBADMSG;
        if (question->magic != WIRE_QUESTION_MAGIC || question->version != WIRE_VERSION)
                return -EBADMSG;
        if (question->n_names == 0 || question->n_names > WIRE_VARIABLES_MAX)
                return -EBADMSG;
        for (size_t i = 0; i < WIRE_VARIABLES_MAX; i++)
                if (!wire_is_string(question->names[i], sizeof(question->names[i])) ||
                        (question->names[i][0] != '\0') != (i < question->n_names))
                        return -EBADMSG;
        return 0;
}

int wire_check_variables(const struct wire_variables *variables, size_t length, size_t n_fds, size_t n_names)
{
        if (length != sizeof(*variables) || n_fds != 0)
                return -EBADMSG;
        if (variables->magic != WIRE_VARIABLES_MAGIC || variables->version != WIRE_VERSION)
                return -EBADMSG;
        if (variables->n_values != n_names)
                return -EBADMSG;
        for (size_t i = 0; i < WIRE_VARIABLES_MAX; i++)
                if (!wire_is_string(variables->values[i], sizeof(variables->values[i])) ||
                        (i >= n_names && variables->values[i][0] != '\0'))
                        return -EBADMSG;
        return 0;
}
