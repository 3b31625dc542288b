/* SPDX-License-Identifier: Apache-2.0 */
#include "common/spawn.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"

#define SPAWN_FLAGS                                                                                                    \
        (uint32_t)(SPAWN_CGROUP | SPAWN_TEMPORARY | SPAWN_COMMAND | SPAWN_WARM | SPAWN_NAMESPACE | SPAWN_KEEP)

void spawn_init(struct spawn_request *request, const struct identity *identity, int nice)
{
        memset(request, 0, sizeof(*request));
        request->magic = SPAWN_MAGIC;
        request->uid = identity->uid;
        request->gid = identity->gid;
        request->nice = nice;
        request->n_groups = identity->n_groups;
        memcpy(request->groups, identity->groups, identity->n_groups * sizeof(request->groups[0]));
        memcpy(request->context, identity->context, sizeof(request->context));
}

void spawn_set_request(
        struct spawn_request *request, const struct wire_request *wire, const char *address, uint64_t number)
{
        request->number = number;
        memcpy(request->request_id, wire->request_id, sizeof(request->request_id));
        memcpy(request->user, wire->user, sizeof(request->user));
        memcpy(request->host, wire->host, sizeof(request->host));
        memcpy(request->script, wire->script, sizeof(request->script));
        strncpy(request->address, address, sizeof(request->address) - 1);
}

size_t spawn_size(const struct spawn_request *request)
{
        return offsetof(struct spawn_request, script) + strlen(request->script) + 1;
}

static bool ends(const char *text, size_t size)
{
        return memchr(text, '\0', size) != NULL;
}

static size_t spawn_fds(uint32_t flags)
{
        return SPAWN_FDS + (size_t)__builtin_popcount(flags & ~(uint32_t)SPAWN_KEEP) + (flags & SPAWN_WARM ? 1 : 0);
}

/* A PID namespace stays with a control group, by which it is known to be empty: one request's process at a time. */
static bool are_flags(uint32_t flags)
{
        const uint32_t kinds = flags & (uint32_t)(SPAWN_WARM | SPAWN_NAMESPACE | SPAWN_KEEP);

        return (flags & ~SPAWN_FLAGS) == 0 && (flags & (SPAWN_WARM | SPAWN_COMMAND)) != (SPAWN_WARM | SPAWN_COMMAND) &&
               (kinds & (kinds - 1)) == 0 && (!(kinds & ~(uint32_t)SPAWN_WARM) || flags & SPAWN_CGROUP);
}

int spawn_check_request(const struct spawn_request *request, size_t size, size_t n_fds)
{
        if (size <= offsetof(struct spawn_request, script) ||
                size > offsetof(struct spawn_request, script) + sizeof(request->script) ||
                ((const char *)request)[size - 1] != '\0')
                return -EBADMSG;
        if (request->magic != SPAWN_MAGIC || request->n_groups > INDEX_GROUPS_MAX || !are_flags(request->flags) ||
                n_fds != spawn_fds(request->flags))
                return -EBADMSG;
        return ends(request->request_id, sizeof(request->request_id)) && ends(request->user, sizeof(request->user)) &&
                               ends(request->address, sizeof(request->address)) &&
                               ends(request->host, sizeof(request->host)) &&
                               ends(request->context, sizeof(request->context))
                       ? 0
                       : -EBADMSG;
}

int spawn_check_reply(const struct spawn_reply *reply, size_t size, size_t n_fds)
{
        bool is_process = reply->step == STEP_NONE && reply->number != 0;

        if (size != sizeof(*reply) || reply->magic != SPAWN_MAGIC || reply->step >= STEPS || reply->keeper > 1 ||
                (reply->keeper && reply->number == 0) || n_fds != (is_process ? 1 : 0) + reply->keeper)
                return -EBADMSG;
        return ends(reply->detail, sizeof(reply->detail)) ? 0 : -EBADMSG;
}

void spawn_sort_fds(uint32_t flags, const int *fds, struct spawn_fds *ret_fds)
{
        struct spawn_fds sorted = {.cgroup = -1, .temporary = -1, .command = -1, .warm = {-1, -1}, .keeper = -1};
        size_t next = SPAWN_FDS;

        memcpy(sorted.always, fds, sizeof(sorted.always));
        if (flags & SPAWN_CGROUP)
                sorted.cgroup = fds[next++];
        if (flags & SPAWN_TEMPORARY)
                sorted.temporary = fds[next++];
        if (flags & SPAWN_COMMAND)
                sorted.command = fds[next++];
        for (size_t i = 0; flags & SPAWN_WARM && i < ELEMENTS(sorted.warm); i++)
                sorted.warm[i] = fds[next++];
        if (flags & SPAWN_NAMESPACE)
                sorted.keeper = fds[next++];
        *ret_fds = sorted;
}
