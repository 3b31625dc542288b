/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/zygote.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
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

/* In the child. Nothing may be left open that is not listed; numbers above are moved first, out of the way.
 */
_Noreturn static void execute(const struct zygote_start *start, const char *program, int control)
{
        char service[16], uid[16], gid[16], entry[PATH_MAX];
        char *argv[] = {(char *)"sandboxd-zygote", service, uid, gid, entry, NULL};
        char *envp[] = {NULL};
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        int index = fcntl(start->index_fd, F_DUPFD_CLOEXEC, 10);

        control = fcntl(control, F_DUPFD_CLOEXEC, 10);
        /* A session of its own, before the change of domain: the new one may not use a terminal of the starter's. */
        if (setsid() < 0 || null < 0 || index < 0 || control < 0)
                _exit(EXIT_FAILURE);
        for (int fd = 0; fd <= STDERR_FILENO; fd++)
                if (dup2(null, fd) < 0)
                        _exit(EXIT_FAILURE);
        if (dup2(control, ZYGOTE_FD_CONTROL) < 0 || dup2(index, ZYGOTE_FD_INDEX) < 0 ||
                close_range(ZYGOTE_FD_INDEX + 1, ~0U, 0) < 0)
                _exit(EXIT_FAILURE);
        snprintf(service, sizeof(service), "%zu", start->service);
        snprintf(uid, sizeof(uid), "%u", start->uid);
        snprintf(gid, sizeof(gid), "%u", start->gid);
        snprintf(entry, sizeof(entry), "%s/sandboxd-entry", start->libexec);
        execve(program, argv, envp);
        _exit(EXIT_FAILURE); /* seen by the starter as a zygote that is gone before its first answer */
}

int zygote_start(const struct zygote_start *start, struct zygote_process *ret_zygote)
{
        struct zygote_process zygote = {.pidfd = -1, .control = -1};
        struct clone_args arguments = {
                .flags = CLONE_PIDFD,
                .exit_signal = SIGCHLD,
                .pidfd = (uint64_t)(uintptr_t)&zygote.pidfd,
        };
        const int queue = 1 << 20;
        char program[PATH_MAX];
        int pair[2];
        long pid;

        snprintf(program, sizeof(program), "%s/sandboxd-zygote", start->libexec);
        if (access(program, X_OK) < 0)
                return -errno;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        if (start->cgroup >= 0) {
                arguments.flags |= CLONE_INTO_CGROUP;
                arguments.cgroup = (unsigned)start->cgroup;
        }
        pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
        if (pid == 0)
                execute(start, program, pair[1]);
        if (pid < 0) {
                int error = errno;

                close_fd(pair[0]);
                close_fd(pair[1]);
                return -error;
        }
        close_fd(pair[1]);
        /* As far as net.core.wmem_max goes: what does not fit is refused as busy. Not a matter of failing. */
        (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &queue, sizeof(queue));
        zygote.control = pair[0];
        *ret_zygote = zygote;
        return 0;
}

void zygote_stop(struct zygote_process *zygote)
{
        zygote->control = close_fd(zygote->control);
        zygote->pidfd = close_fd(zygote->pidfd);
}

void zygote_fill_request(const struct index *index, const struct index_service *service, const struct index_rule *rule,
        struct spawn_request *ret_request)
{
        const char *context = index_text(index, rule->context ? rule->context : service->context);

        memset(ret_request, 0, sizeof(*ret_request));
        ret_request->uid = rule->uid;
        ret_request->gid = rule->gid;
        ret_request->n_groups = rule->groups.count;
        memcpy(ret_request->groups, index_array(index, rule->groups), rule->groups.count * sizeof(uint32_t));
        if (context)
                snprintf(ret_request->context, sizeof(ret_request->context), "%s", context);
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
        size_t size = offsetof(struct spawn_request, script) + strlen(request->script) + 1;

        request->magic = SPAWN_MAGIC;
        return descriptors_send(zygote->control, request, size, fds, n_fds);
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
        int pidfd = -1;
        ssize_t n = descriptors_receive(zygote->control, &reply, sizeof(reply), &pidfd, 1, &n_fds, flags);
        bool expected;

        if (n == 0)
                return -ECONNRESET;
        if (n < 0)
                return (int)n;
        expected = reply.step == STEP_NONE && reply.number != 0;
        if (n != sizeof(reply) || reply.magic != SPAWN_MAGIC || reply.step >= STEPS || (n_fds == 1) != expected ||
                memchr(reply.detail, '\0', sizeof(reply.detail)) == NULL || (pidfd >= 0 && check_child(pidfd) < 0)) {
                close_fd(pidfd);
                return -EBADMSG;
        }
        ret_answer->number = reply.number;
        ret_answer->pidfd = pidfd;
        ret_answer->step = reply.step;
        ret_answer->error = reply.error;
        memcpy(ret_answer->detail, reply.detail, sizeof(ret_answer->detail));
        return 0;
}
