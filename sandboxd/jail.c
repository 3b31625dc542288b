/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/jail.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>

#include "child/keeper.h"
#include "child/limits.h"
#include "child/verify.h"
#include "common/capabilities.h"
#include "common/cleanup.h"
#include "common/keyed.h"

/*
 * Standard input, output and error, the report pipe, and in the end nothing else. Descriptors that arrived in
 * the message have numbers above those the zygote holds, so placing one cannot overwrite another that is
 * still needed.
 */
static int step_descriptors(const struct jail *jail, struct jail_request *request)
{
        static const int order[] = {SPAWN_FD_STDIN, SPAWN_FD_STDOUT, SPAWN_FD_STDERR};

        for (int i = 0; i < (int)ELEMENTS(order); i++)
                if (dup2(request->fds.always[order[i]], i) < 0)
                        return -errno;
        if (dup3(request->fds.always[SPAWN_FD_REPORT], JAIL_FD_REPORT, O_CLOEXEC) < 0)
                return -errno;
        _Static_assert(
                (int)JAIL_FD_REPORT == (int)ZYGOTE_FD_CONTROL, "the spawn socket is overwritten, and thereby closed");
        if (jail->control != JAIL_FD_REPORT)
                return -EBADF;
        _Static_assert(
                (int)SPAWN_FD_ENVIRONMENT == 0 && SPAWN_FD_REPORT == SPAWN_FDS - 1, "in between: the placed ones");
        if (request->fds.always[SPAWN_FD_REPORT] != JAIL_FDS + SPAWN_FD_REPORT)
                return -EBADF;
        return close_range(JAIL_FDS + SPAWN_FD_ENVIRONMENT + 1, JAIL_FDS + SPAWN_FD_REPORT, 0) < 0 ? -errno : 0;
}

/* A fresh /tmp: the broker made the tmpfs, so that the zygote's filter can deny every way of making a mount.
 */
static int step_temporary(const struct jail *jail, struct jail_request *request)
{
        if (request->fds.temporary < 0)
                return 0;
        if (keyed_call(jail->key, SYS_move_mount, request->fds.temporary, (long)"", AT_FDCWD, (long)"/tmp",
                    MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return -errno;
        request->fds.temporary = close_fd(request->fds.temporary);
        return 0;
}

/*
 * A process group that nobody of another request is in: kill(0, …). Where there is a keeper it is the keeper's, which
 * leads it: the application may then call setsid(2), as it may elsewhere. It needs no session for itself: the zygote's
 * has no terminal, and with each session the kernel makes and frees a group of the scheduler (sched(7), "autogroup").
 */
static int step_session(const struct jail *jail, const struct spawn_request *spawn)
{
        if (spawn_is_kept(spawn->flags))
                return keyed_call(jail->key, SYS_setpgid, 0, KEEPER_PID, 0, 0, 0) < 0 ? -errno : 0;
        return setsid() < 0 ? -errno : 0;
}

/* groups → gid → uid: after the uid there is no right left to set the others. */
static int step_identity(const struct jail *jail, const struct spawn_request *spawn, enum step *step)
{
        const long uid = spawn->uid, gid = spawn->gid;

        *step = STEP_GROUPS;
        if (keyed_call(jail->key, SYS_setgroups, spawn->n_groups, (long)spawn->groups, 0, 0, 0) < 0)
                return -errno;
        *step = STEP_GID;
        if (keyed_call(jail->key, SYS_setresgid, gid, gid, gid, 0, 0) < 0)
                return -errno;
        *step = STEP_UID;
        return keyed_call(jail->key, SYS_setresuid, uid, uid, uid, 0, 0) < 0 ? -errno : 0;
}

int jail_enter(const struct jail *jail, struct jail_request *request, enum step *ret_step)
{
        int r;

        JAIL_STEP(STEP_DESCRIPTORS, step_descriptors(jail, request));
        JAIL_STEP(STEP_TEMPORARY, step_temporary(jail, request));
        JAIL_STEP(STEP_SESSION, step_session(jail, request->spawn));
        JAIL_STEP(STEP_LIMITS, limits_apply(jail, request->spawn->nice));
        JAIL_STEP(STEP_UID, step_identity(jail, request->spawn, ret_step));
        JAIL_STEP(STEP_CAPABILITIES, capabilities_drop(jail->key));
        JAIL_STEP(STEP_VERIFY, verify_identity(jail, request->spawn));
        return 0;
}
