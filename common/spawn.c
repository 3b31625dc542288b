/* SPDX-License-Identifier: Apache-2.0 */
#include "common/spawn.h"

#include <errno.h>
#include <string.h>

#define SPAWN_FLAGS (uint32_t)(SPAWN_CGROUP | SPAWN_TEMPORARY | SPAWN_COMMAND)

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

size_t spawn_size(const struct spawn_request *request)
{
        return offsetof(struct spawn_request, script) + strlen(request->script) + 1;
}

static bool ends(const char *text, size_t size)
{
        return memchr(text, '\0', size) != NULL;
}

int spawn_check_request(const struct spawn_request *request, size_t size, size_t n_fds)
{
        if (size <= offsetof(struct spawn_request, script) || size > sizeof(*request) ||
                ((const char *)request)[size - 1] != '\0')
                return -EBADMSG;
        if (request->magic != SPAWN_MAGIC || request->n_groups > INDEX_GROUPS_MAX || request->flags & ~SPAWN_FLAGS ||
                n_fds != SPAWN_FDS + (size_t)__builtin_popcount(request->flags))
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

        if (size != sizeof(*reply) || reply->magic != SPAWN_MAGIC || reply->step >= STEPS || (n_fds == 1) != is_process)
                return -EBADMSG;
        return ends(reply->detail, sizeof(reply->detail)) ? 0 : -EBADMSG;
}
