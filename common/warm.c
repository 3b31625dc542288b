/* SPDX-License-Identifier: Apache-2.0 */
#include "common/warm.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool ends(const char *text, size_t size)
{
        return memchr(text, '\0', size) != NULL;
}

void warm_init_request(
        struct warm_request *request, const struct wire_request *wire, const char *address, uint64_t number)
{
        memset(request, 0, sizeof(*request));
        request->magic = WARM_MAGIC;
        request->kind = wire->kind;
        request->flags = wire->flags;
        request->environment_size = wire->environment_size;
        request->number = number;
        memcpy(request->request_id, wire->request_id, sizeof(request->request_id));
        memcpy(request->user, wire->user, sizeof(request->user));
        memcpy(request->host, wire->host, sizeof(request->host));
        memcpy(request->script, wire->script, sizeof(request->script));
        strncpy(request->address, address, sizeof(request->address) - 1);
}

size_t warm_request_fds(uint32_t kind)
{
        return (kind == WIRE_CONNECTION ? (size_t)WIRE_CONNECTION_FDS : (size_t)WIRE_FDS) - 1;
}

size_t warm_request_size(const struct warm_request *request)
{
        return offsetof(struct warm_request, script) + strlen(request->script) + 1;
}

int warm_check_slot(const struct warm_slot *slot, size_t size, size_t n_fds)
{
        return size == sizeof(*slot) && (n_fds == WARM_SLOT_FDS || n_fds == 0) && slot->magic == WARM_MAGIC &&
                               slot->slot < WARM_SLOTS_MAX
                       ? 0
                       : -EBADMSG;
}

int warm_check_event(const struct warm_event *event, size_t size, size_t n_fds)
{
        return size == sizeof(*event) && n_fds == 0 && event->magic == WARM_MAGIC && event->kind >= WARM_READY &&
                               event->kind < WARM_EVENTS && event->slot < WARM_SLOTS_MAX &&
                               wire_is_string(event->detail, sizeof(event->detail))
                       ? 0
                       : -EBADMSG;
}

int warm_check_request(const struct warm_request *request, size_t size, size_t n_fds)
{
        if (size <= offsetof(struct warm_request, script) ||
                size > offsetof(struct warm_request, script) + sizeof(request->script) ||
                ((const char *)request)[size - 1] != '\0')
                return -EBADMSG;
        if (request->magic != WARM_MAGIC || request->kind > WIRE_CONNECTION ||
                n_fds != warm_request_fds(request->kind) || request->environment_size > WIRE_CONNECTION_ENVIRONMENT_MAX)
                return -EBADMSG;
        return ends(request->request_id, sizeof(request->request_id)) && ends(request->user, sizeof(request->user)) &&
                               ends(request->address, sizeof(request->address)) &&
                               ends(request->host, sizeof(request->host))
                       ? 0
                       : -EBADMSG;
}
