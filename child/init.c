/* SPDX-License-Identifier: Apache-2.0 */
#include "child/init.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "child/application.h"
#include "child/report.h"
#include "common/cleanup.h"

int init_signals(void)
{
        const struct sigaction action = {.sa_handler = SIG_DFL};
        sigset_t child;
        int fd;

        for (int i = 1; i < NSIG; i++)
                sigaction(i, &action, NULL); /* EINVAL for SIGKILL, SIGSTOP and libc's own two */
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        if (sigprocmask(SIG_SETMASK, &child, NULL) < 0)
                return -errno;
        fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
        return fd < 0 ? -errno : fd;
}

/*
 * Until a child has died, or the broker has closed its end of the report pipe: then nobody knows of this request
 * any more, because its zygote died before it could name it.
 */
static void wait_for_child(void)
{
        struct pollfd fds[] = {{.fd = JAIL_FD_REPORT}, {.fd = JAIL_FD_SIGNALS, .events = POLLIN}};
        struct signalfd_siginfo ignored;

        if (poll(fds, ELEMENTS(fds), -1) < 0 || fds[0].revents != 0)
                _exit(JAIL_EXIT);
        /* Before asking who has died: whoever dies after that makes it readable again. */
        if (read(JAIL_FD_SIGNALS, &ignored, sizeof(ignored)) < 0)
                _exit(JAIL_EXIT);
}

/* The zombies are the application's orphans; PID 2 alone decides when the request is over. */
_Noreturn static void reap_until(pid_t application)
{
        siginfo_t info = {0};

        while (info.si_pid != application) {
                if (info.si_pid == 0)
                        wait_for_child();
                info.si_pid = 0;
                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0)
                        report_failure(JAIL_FD_REPORT, STEP_FORK, errno);
        }
        if (info.si_code == CLD_EXITED)
                report_write(JAIL_FD_REPORT, REPORT_EXITED, STEP_NONE, info.si_status);
        else
                report_write(JAIL_FD_REPORT, REPORT_SIGNALED, STEP_NONE, info.si_status);
        _exit(EXIT_SUCCESS);
}

/* What the application's process needs until it executes: in memory that it shares with init. */
struct start {
        const struct jail *jail;
        const struct jail_request *request;
        struct application application;
};

static int start_application(void *userdata)
{
        const struct start *start = userdata;

        application_start(start->jail, start->request, &start->application);
        return JAIL_EXIT;
}

void init_run(const struct jail *jail, struct jail_request *request)
{
        static char stack[64 * 1024] __attribute__((aligned(16)));
        static struct start start;
        enum step step;
        pid_t pid;
        int r = application_prepare(jail, request, &start.application, &step);

        if (r < 0)
                report_failure(JAIL_FD_REPORT, step, -r);
        start.jail = jail;
        start.request = request;
        /*
         * As vfork(2), so that no page is copied, but for the waiting: each goes its way, and init is not woken up for
         * nothing in between. They share errno too; what init calls from here on fails for no reason, but in which it
         * gives up.
         */
        pid = clone(start_application, stack + sizeof(stack), CLONE_VM | SIGCHLD, &start);
        if (pid < 0)
                report_failure(JAIL_FD_REPORT, STEP_FORK, errno);

        /* Whoever reads the application's output sees its end only when nobody else holds the pipe. */
        if (close_range(0, JAIL_FD_REPORT - 1, 0) < 0 || close_range(JAIL_FD_SIGNALS + 1, ~0U, 0) < 0)
                report_failure(JAIL_FD_REPORT, STEP_DESCRIPTORS, errno);
        reap_until(pid);
}
