/* SPDX-License-Identifier: Apache-2.0 */
#include "common/helper.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/cleanup.h"

enum { END_PATIENCE = 1000 }; /* ms, from the killing of a helper to its end */

/*
 * No terminal of ours: neither as the session's, before the program's change of domain, which may not be allowed to use
 * it, nor to be read and typed into. What is written goes with our own, unless the program is to say nothing.
 */
static int detach(bool silent)
{
        _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (setsid() < 0 || null < 0)
                return -errno;
        for (int fd = 0; fd <= (silent ? STDERR_FILENO : STDOUT_FILENO); fd++)
                if (dup2(null, fd) < 0)
                        return -errno;
        return 0;
}

static int limit(const struct helper *helper)
{
        const struct rlimit cpu = {helper->cpu_seconds, helper->cpu_seconds};
        const struct rlimit processes = {helper->processes, helper->processes};

        if ((helper->cpu_seconds > 0 && setrlimit(RLIMIT_CPU, &cpu) < 0) ||
                (helper->processes > 0 && setrlimit(RLIMIT_NPROC, &processes) < 0))
                return -errno;
        return 0;
}

static int drop(uid_t uid, gid_t gid)
{
        if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0))
                return -errno;
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* Those that are kept are moved out of the way first: one may have the number that another is to get. */
static int place(const int *fds, size_t n)
{
        int moved[HELPER_FDS_MAX];

        for (size_t i = 0; i < n; i++) {
                moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, HELPER_FD_FIRST + HELPER_FDS_MAX);
                if (moved[i] < 0)
                        return -errno;
        }
        for (size_t i = 0; i < n; i++)
                if (dup2(moved[i], HELPER_FD_FIRST + (int)i) < 0)
                        return -errno;
        return close_range(HELPER_FD_FIRST + (unsigned)n, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

_Noreturn static void execute(const struct helper *helper, const char *path)
{
        char *envp[] = {NULL};
        sigset_t none;
        /* Opened while we are still ourselves: the account need not reach the folder that the program lies in. */
        int program = fcntl(open(path, O_PATH | O_CLOEXEC), F_DUPFD_CLOEXEC, HELPER_FD_FIRST + HELPER_FDS_MAX);

        sigemptyset(&none);
        if (program < 0 || detach(helper->silent) < 0 || limit(helper) < 0 ||
                (helper->uid != 0 && drop(helper->uid, helper->gid) < 0) || sigprocmask(SIG_SETMASK, &none, NULL) < 0 ||
                place(helper->fds, helper->n_fds) < 0)
                _exit(HELPER_NOT_STARTED);
        /* By its path where that can be reached, because then ps(1) shows its name. */
        execve(path, (char *const *)(uintptr_t)helper->arguments, envp);
        syscall(SYS_execveat, program, "", helper->arguments, envp, AT_EMPTY_PATH);
        _exit(HELPER_NOT_STARTED);
}

int helper_start(const struct helper *helper, int *ret_pidfd)
{
        int pidfd = -1;
        struct clone_args arguments = {
                .flags = CLONE_PIDFD | (helper->cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
                .exit_signal = SIGCHLD,
                .pidfd = (uint64_t)(uintptr_t)&pidfd,
                .cgroup = helper->cgroup >= 0 ? (unsigned)helper->cgroup : 0,
        };
        char path[PATH_MAX];
        long pid;

        snprintf(path, sizeof(path), "%s/%s", helper->libexec, helper->arguments[0]);
        if (access(path, X_OK) < 0)
                return -errno;
        pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
        if (pid == 0)
                execute(helper, path);
        if (pid < 0)
                return -errno;
        *ret_pidfd = pidfd;
        return 0;
}

int helper_end(int pidfd)
{
        siginfo_t info;

        struct pollfd end = {.fd = pidfd, .events = POLLIN};

        if (pidfd >= 0) {
                syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
                if (poll(&end, 1, END_PATIENCE) > 0)
                        waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
        }
        return close_fd(pidfd);
}

static int on_end(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        siginfo_t info = {0};
        int ignored = -1, *gone = userdata ? userdata : &ignored;

        (void)events;
        if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0)
                return 0; /* not yet */
        sd_event_source_disable_unref(source);
        *gone = close_fd(fd);
        return 0;
}

void helper_end_later(sd_event *event, int pidfd, int *ret_gone)
{
        int ignored = -1, *gone = ret_gone ? ret_gone : &ignored;

        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        if (sd_event_add_io(event, NULL, pidfd, EPOLLIN, on_end, ret_gone) < 0)
                *gone = helper_end(pidfd);
}
