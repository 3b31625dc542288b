/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/load.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/cleanup.h"

enum { OUTPUT_FD = 3, CPU_SECONDS = 60, EXIT_NOT_STARTED = 127 };

static int drop(const struct accounts *accounts)
{
        const struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS};

        uid_t uid = accounts->uid[ACCOUNT_CONFIG];
        gid_t gid = accounts->gid[ACCOUNT_CONFIG];

        if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0))
                return -errno;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_CPU, &cpu) < 0)
                return -errno;
        return 0;
}

_Noreturn static void execute(const char *compiler, const char *directory, const char *controllers,
        const struct accounts *accounts, int output)
{
        char config[PATH_MAX], groups[512], reserved[128], output_fd[32];
        char *argv[] = {(char *)"sandboxd-compile", config, groups, reserved, output_fd, NULL};
        char *envp[] = {NULL};
        const uint32_t *ids = accounts->ids;
        sigset_t none;
        /* Opened while we are still ourselves: the account need not reach the folder that the program lies in. */
        int program = open(compiler, O_PATH | O_CLOEXEC);

        snprintf(config, sizeof(config), "--config=%s", directory);
        snprintf(groups, sizeof(groups), "--controllers=%s", controllers);
        snprintf(reserved, sizeof(reserved), "--reserved=%u,%u,%u,%u,%u,%u", ids[0], ids[1], ids[2], ids[3], ids[4],
                ids[5]);
        snprintf(output_fd, sizeof(output_fd), "--output-fd=%d", OUTPUT_FD);
        sigemptyset(&none);
        /* F_DUPFD first: `output` may be OUTPUT_FD already, and dup2(2) would then leave it close-on-exec. */
        if (drop(accounts) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0 ||
                (output = fcntl(output, F_DUPFD, OUTPUT_FD + 1)) < 0 || dup2(output, OUTPUT_FD) < 0 ||
                close_range(OUTPUT_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
                _exit(EXIT_NOT_STARTED);
        syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
        _exit(EXIT_NOT_STARTED);
}

int load_start(const char *libexec, const char *directory, const char *controllers, const struct accounts *accounts,
        struct load *ret_load)
{
        struct load load = {.pidfd = -1};
        struct clone_args arguments = {
                .flags = CLONE_PIDFD,
                .exit_signal = SIGCHLD,
                .pidfd = (uint64_t)(uintptr_t)&load.pidfd,
        };
        char compiler[PATH_MAX];
        long pid;

        snprintf(compiler, sizeof(compiler), "%s/sandboxd-compile", libexec);
        if (access(compiler, X_OK) < 0)
                return -errno;
        load.output = memfd_create("sandboxd-index", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (load.output < 0)
                return -errno;
        pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
        if (pid == 0)
                execute(compiler, directory, controllers, accounts, load.output);
        if (pid < 0) {
                load.output = close_fd(load.output);
                return -errno;
        }
        *ret_load = load;
        return 0;
}

int load_finish(struct load *load, struct index *ret_index)
{
        siginfo_t info;
        int r;

        do
                r = waitid(P_PIDFD, (id_t)load->pidfd, &info, WEXITED) < 0 ? -errno : 0;
        while (r == -EINTR);
        load->pidfd = close_fd(load->pidfd);
        if (r == 0 && (info.si_code != CLD_EXITED || info.si_status != 0))
                r = info.si_code != CLD_EXITED ? -ECHILD : info.si_status == EXIT_NOT_STARTED ? -ENOEXEC : -EINVAL;
        if (r == 0)
                r = index_open(load->output, ret_index);
        if (r < 0)
                close_fd(load->output);
        load->output = -1;
        return r;
}

void load_cancel(struct load *load)
{
        siginfo_t info;

        if (load->pidfd >= 0) {
                syscall(SYS_pidfd_send_signal, load->pidfd, SIGKILL, NULL, 0);
                waitid(P_PIDFD, (id_t)load->pidfd, &info, WEXITED);
        }
        load->pidfd = close_fd(load->pidfd);
        load->output = close_fd(load->output);
}
