/* SPDX-License-Identifier: Apache-2.0 */
#include "child/init.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "child/application.h"
#include "common/cleanup.h"

static void report(int fd, enum report_kind kind, enum step step, int value)
{
        struct report report = {.kind = kind, .step = step, .value = value};

        /* A report is smaller than PIPE_BUF: whole or not at all. Without one, the broker takes it for a
         * failure. */
        if (write(fd, &report, sizeof(report)) < 0)
                _exit(JAIL_EXIT);
}

void init_fail(int fd, enum step step, int error)
{
        report(fd, REPORT_FAILED, step, error);
        _exit(JAIL_EXIT);
}

static void on_child(int number)
{
        (void)number; /* its arrival ends ppoll(2) */
}

/*
 * Until a child has died, or the broker has closed its end of the report pipe: then nobody knows of this request
 * any more, because its zygote died before it could name it.
 */
static void wait_for_child(void)
{
        struct pollfd report_pipe = {.fd = JAIL_FD_REPORT};
        sigset_t none;

        sigemptyset(&none);
        if (ppoll(&report_pipe, 1, NULL, &none) > 0)
                _exit(JAIL_EXIT);
}

/* The zombies are the application's orphans; PID 2 alone decides when the request is over. */
_Noreturn static void reap_until(pid_t application)
{
        const struct sigaction action = {.sa_handler = on_child};
        siginfo_t info = {0};
        sigset_t child;

        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &child, NULL) < 0 || sigaction(SIGCHLD, &action, NULL) < 0)
                init_fail(JAIL_FD_REPORT, STEP_FORK, errno);
        while (info.si_pid != application) {
                info.si_pid = 0;
                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0)
                        init_fail(JAIL_FD_REPORT, STEP_FORK, errno);
                if (info.si_pid == 0)
                        wait_for_child();
        }
        if (info.si_code == CLD_EXITED)
                report(JAIL_FD_REPORT, REPORT_EXITED, STEP_NONE, info.si_status);
        else
                report(JAIL_FD_REPORT, REPORT_SIGNALED, STEP_NONE, info.si_status);
        _exit(EXIT_SUCCESS);
}

void init_run(const struct jail *jail, struct jail_request *request)
{
        static struct application application;
        static enum step step; /* static: the child of vfork(2) writes it too */
        pid_t pid;
        int r;

        r = application_prepare(jail, request, &application, &step);
        if (r < 0)
                init_fail(JAIL_FD_REPORT, step, -r);

        /* vfork(2): the child runs in our memory until it executes, so that no page is copied for it. */
        pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork): nobody waits for us */
        if (pid == 0) {
                /* NOLINTNEXTLINE(clang-analyzer-unix.Vfork): system calls only, on memory that is static */
                r = application_execute(jail, request->spawn, &application, &step);
                init_fail(JAIL_FD_REPORT, step, -r); /* NOLINT(clang-analyzer-unix.Vfork): a write(2) and _exit(2) */
        }
        if (pid < 0)
                init_fail(JAIL_FD_REPORT, STEP_FORK, errno);

        /* Whoever reads the application's output sees its end only when nobody else holds the pipe. */
        if (close_range(0, JAIL_FD_REPORT - 1, 0) < 0 || close_range(JAIL_FD_REPORT + 1, ~0U, 0) < 0)
                init_fail(JAIL_FD_REPORT, STEP_DESCRIPTORS, errno);
        reap_until(pid);
}
