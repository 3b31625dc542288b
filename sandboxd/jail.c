/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/jail.h"

#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/cleanup.h"

/*
 * Standard input, output and error, the report pipe, and in the end nothing else. Descriptors that arrived in
 * the message have numbers above those the zygote holds, so placing one cannot overwrite another that is
 * still needed.
 */
static int step_descriptors(const struct jail *jail, struct jail_request *request)
{
        static const int order[] = {SPAWN_FD_STDIN, SPAWN_FD_STDOUT, SPAWN_FD_STDERR};

        for (int i = 0; i < (int)ELEMENTS(order); i++)
                if (dup2(request->fds[order[i]], i) < 0)
                        return -errno;
        if (dup3(request->fds[SPAWN_FD_REPORT], JAIL_FD_REPORT, O_CLOEXEC) < 0)
                return -errno;
        _Static_assert(
                (int)JAIL_FD_REPORT == (int)ZYGOTE_FD_CONTROL, "the spawn socket is overwritten, and thereby closed");
        if (jail->control != JAIL_FD_REPORT)
                return -EBADF;
        for (int i = 0; i < SPAWN_FDS; i++)
                if (i != SPAWN_FD_ENVIRONMENT)
                        request->fds[i] = close_fd(request->fds[i]);
        return 0;
}

/* A fresh /tmp: the broker made the tmpfs, so that the zygote's filter can deny every way of making a mount.
 */
static int step_temporary(struct jail_request *request)
{
        if (request->temporary < 0)
                return 0;
        if (move_mount(request->temporary, "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return -errno;
        request->temporary = close_fd(request->temporary);
        return 0;
}

static int step_limits(const struct index_service *service, const struct spawn_request *spawn)
{
        for (int i = 0; i < INDEX_LIMITS; i++) {
                struct rlimit limit = {.rlim_cur = service->limits[i], .rlim_max = service->limits[i]};

                if (service->limits_set & (UINT64_C(1) << i) && setrlimit((__rlimit_resource_t)i, &limit) < 0)
                        return -errno;
        }
        if (spawn->nice != 0 && setpriority(PRIO_PROCESS, 0, spawn->nice) < 0)
                return -errno;
        umask(service->umask);
        return 0;
}

/* groups → gid → uid: after the uid there is no right left to set the others. */
static int step_identity(const struct spawn_request *spawn, enum step *step)
{
        *step = STEP_GROUPS;
        if (setgroups(spawn->n_groups, spawn->groups) < 0)
                return -errno;
        *step = STEP_GID;
        if (setresgid(spawn->gid, spawn->gid, spawn->gid) < 0)
                return -errno;
        *step = STEP_UID;
        return setresuid(spawn->uid, spawn->uid, spawn->uid) < 0 ? -errno : 0;
}

/* The bounding set is empty since the zygote's set-up. */
static int step_capabilities(void)
{
        cap_t none = cap_init();
        int r;

        if (!none)
                return -ENOMEM;
        r = cap_set_proc(none) < 0 ? -errno : 0;
        cap_free(none);
        return r;
}

static bool same_groups(const struct spawn_request *spawn)
{
        gid_t groups[INDEX_GROUPS_MAX + 1];
        int n = getgroups(ELEMENTS(groups), groups);

        if (n < 0 || (uint32_t)n != spawn->n_groups)
                return false;
        for (uint32_t i = 0; i < spawn->n_groups; i++) {
                int found = 0;

                for (int k = 0; k < n; k++)
                        found |= groups[k] == spawn->groups[i];
                if (!found)
                        return false;
        }
        return true;
}

static bool capabilities_gone(void)
{
        cap_t now = cap_get_proc(), none = cap_init();
        bool gone = now && none && cap_compare(now, none) == 0;

        cap_free(now);
        cap_free(none);
        for (cap_value_t value = 0; gone && value < cap_max_bits(); value++)
                gone = cap_get_bound(value) == 0 && cap_get_ambient(value) == 0;
        return gone;
}

/*
 * Asks the kernel what we are now, and tries to become another identity that the filter lets through: a
 * filter's EPERM would prove nothing about the capability.
 */
static int step_verify(const struct index *index, const struct spawn_request *spawn)
{
        uid_t other = spawn->uid == index->header->min_uid ? spawn->uid + 1 : index->header->min_uid;
        uid_t uids[3];
        gid_t gids[3];

        if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 || getresgid(&gids[0], &gids[1], &gids[2]) < 0)
                return -errno;
        for (int i = 0; i < 3; i++)
                if (uids[i] != spawn->uid || gids[i] != spawn->gid)
                        return -ENOTRECOVERABLE;
        if (!same_groups(spawn) || !capabilities_gone() || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
                return -ENOTRECOVERABLE;
        if (setresuid(other, other, other) == 0 || errno != EPERM)
                return -ENOTRECOVERABLE;
        return 0;
}

int jail_enter(const struct jail *jail, struct jail_request *request, enum step *ret_step)
{
        int r;

        JAIL_STEP(STEP_DESCRIPTORS, step_descriptors(jail, request));
        JAIL_STEP(STEP_TEMPORARY, step_temporary(request));
        JAIL_STEP(STEP_SESSION, setsid() < 0 ? -errno : 0);
        JAIL_STEP(STEP_LIMITS, step_limits(jail->service, request->spawn));
        JAIL_STEP(STEP_UID, step_identity(request->spawn, ret_step));
        JAIL_STEP(STEP_CAPABILITIES, step_capabilities());
        JAIL_STEP(STEP_VERIFY, step_verify(jail->index, request->spawn));
        return 0;
}
