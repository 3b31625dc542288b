/* SPDX-License-Identifier: Apache-2.0 */
#include "common/zygote.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/descriptors.h"
#include "common/helper.h"

int zygote_start(const struct zygote_start *start, struct zygote_process *ret_zygote)
{
        char service[16], uid[16], gid[16];
        const char *const arguments[] = {"sandboxd-zygote", service, uid, gid, start->libexec, NULL};
        struct helper helper = {
                .libexec = start->libexec,
                .arguments = arguments,
                .n_fds = 2,
                .silent = true,
                .cgroup = start->cgroup,
        };
        const int queue = 1 << 20;
        int pair[2], pidfd, r;

        snprintf(service, sizeof(service), "%zu", start->service);
        snprintf(uid, sizeof(uid), "%u", start->uid);
        snprintf(gid, sizeof(gid), "%u", start->gid);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        _Static_assert((int)ZYGOTE_FD_CONTROL == (int)HELPER_FD_FIRST && ZYGOTE_FD_INDEX == ZYGOTE_FD_CONTROL + 1,
                "the order of the descriptors");
        helper.fds[0] = pair[1];
        helper.fds[1] = start->index_fd;
        r = helper_start(&helper, &pidfd);
        close_fd(pair[1]);
        if (r < 0) {
                close_fd(pair[0]);
                return r;
        }
        /* As far as net.core.wmem_max goes: what does not fit is refused as busy. Not a matter of failing. */
        (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &queue, sizeof(queue));
        *ret_zygote = (struct zygote_process){.pidfd = pidfd, .control = pair[0]};
        return 0;
}

int zygote_open_temporary(uint64_t size)
{
        _cleanup_close_ int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
        char text[32];
        int fd;

        snprintf(text, sizeof(text), "%ju", (uintmax_t)size);
        if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "mode", "1777", 0) < 0 ||
                fsconfig(context, FSCONFIG_SET_STRING, "size", text, 0) < 0 ||
                fsconfig(context, FSCONFIG_SET_STRING, "nr_inodes", "16384", 0) < 0 ||
                fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        fd = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        return fd < 0 ? -errno : fd;
}

int zygote_send(const struct zygote_process *zygote, struct spawn_request *request, const int *fds, size_t n_fds)
{
        return descriptors_send(zygote->control, request, spawn_size(request), fds, n_fds);
}

static int check_child(int pidfd)
{
        siginfo_t info;

        /* waitid(2) knows only our own children; WNOHANG and WNOWAIT make it a question. */
        return waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ? -EBADMSG : 0;
}

int zygote_receive(const struct zygote_process *zygote, int flags, struct zygote_answer *ret_answer)
{
        struct spawn_reply reply;
        size_t n_fds = 0;
        int fds[SPAWN_REPLY_FDS_MAX];
        ssize_t n = descriptors_receive(zygote->control, &reply, sizeof(reply), fds, ELEMENTS(fds), &n_fds, flags);
        int r;

        if (n == 0)
                return -ECONNRESET;
        if (n < 0)
                return (int)n;
        r = spawn_check_reply(&reply, (size_t)n, n_fds);
        for (size_t i = 0; r == 0 && i < n_fds; i++)
                r = check_child(fds[i]);
        if (r < 0) {
                descriptors_close(fds, n_fds);
                return r;
        }
        ret_answer->number = reply.number;
        ret_answer->pidfd = n_fds > reply.keeper ? fds[0] : -1;
        ret_answer->keeper = reply.keeper ? fds[n_fds - 1] : -1;
        ret_answer->step = reply.step;
        ret_answer->error = reply.error;
        memcpy(ret_answer->detail, reply.detail, sizeof(ret_answer->detail));
        return 0;
}
