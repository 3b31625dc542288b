/* SPDX-License-Identifier: Apache-2.0 */
#include "common/wire.h"

#include <errno.h>
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

/* A clean string: no control character before its NUL, nothing but zeroes after it. */
static bool is_clean(const char *field, size_t size)
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

int wire_check_request(const struct wire_request *request, size_t length, size_t n_fds)
{
        if (length != sizeof(*request) || n_fds != WIRE_FDS)
                return -EBADMSG;
        if (request->magic != WIRE_MAGIC || request->version != WIRE_VERSION)
                return -EBADMSG;
        if (!is_clean(request->request_id, sizeof(request->request_id)) ||
                !is_clean(request->user, sizeof(request->user)) ||
                !is_clean(request->address, sizeof(request->address)) ||
                !is_clean(request->host, sizeof(request->host)) || !is_clean(request->script, sizeof(request->script)))
                return -EBADMSG;
        return is_request_id(request->request_id) ? 0 : -EBADMSG;
}

int wire_check_result(const struct wire_result *result, size_t length, size_t n_fds)
{
        if (length != sizeof(*result) || n_fds != 0)
                return -EBADMSG;
        if (result->magic != WIRE_MAGIC || result->version != WIRE_VERSION)
                return -EBADMSG;
        if (result->outcome >= WIRE_OUTCOMES || !is_clean(result->reason, sizeof(result->reason)))
                return -EBADMSG;
        return 0;
}
