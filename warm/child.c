/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/child.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "common/descriptors.h"
#include "common/rseq.h"
#include "warm/event.h"

_Static_assert(WIRE_FD_STDERR == WIRE_FD_FRONT + 1, "child_fd()");

/* Until it has taken a request the control socket is still there. */
static void check(const struct settings *settings, int r, const char *what)
{
        if (r < 0)
                event_end(settings->control, WARM_TROUBLE, "a child cannot begin: %s: %s", what, strerrordesc_np(-r));
}

/* Compares of process ids with WARM_FILTER_PID are with the child's own. */
static int attach_filter(const struct settings *settings)
{
        struct sock_fprog program = {.len = (unsigned short)settings->n_filter, .filter = settings->filter};

        for (size_t i = 0; i < settings->n_filter; i++)
                if (BPF_CLASS(settings->filter[i].code) == BPF_JMP && settings->filter[i].k == WARM_FILTER_PID)
                        settings->filter[i].k = (uint32_t)getpid();
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

static int enter_domain(const struct settings *settings)
{
        if (settings->landlock < 0)
                return 0;
        return syscall(SYS_landlock_restrict_self, settings->landlock, 0) < 0 ? -errno : 0;
}

/* The socket on which a FastCGI application believes to listen is one for all children: they could meet in it. */
static int replace_input(const struct settings *settings)
{
        return dup3(settings->null, STDIN_FILENO, 0) < 0 ? -errno : 0;
}

/* The slots' groups and the like; control and queue are below them. */
static int close_most(const struct settings *settings)
{
        return close_range((unsigned)settings_free_fd(settings), ~0U, 0) < 0 ? -errno : 0;
}

void child_begin(const struct settings *settings, const struct files *files, const struct reseed *reseed)
{
        rseq_register();
        check(settings, replace_input(settings), "standard input");
        check(settings, files_replace(files), "its own files");
        check(settings, reseed_child(reseed), "random numbers");
        check(settings, enter_domain(settings), "Landlock");
        check(settings, close_most(settings), "descriptors");
        check(settings, attach_filter(settings), "the last filter");
}

/* From here on it has no way to say anything but on the request's stderr. */
static void place(const struct settings *settings, struct child *child)
{
        int log = child_fd(child, WIRE_FD_STDERR);

        if (close_range((unsigned)settings->first_fd, ~0U, 0) < 0 || dup3(log, STDERR_FILENO, 0) < 0 ||
                dup3(log, STDOUT_FILENO, 0) < 0)
                _exit(EXIT_FAILURE);
        child->fds[0] = close_fd(log);
}

void child_take(const struct settings *settings, uint32_t slot, struct child *ret_child)
{
        size_t n_fds = 0;
        ssize_t n = descriptors_receive(settings->queue, &ret_child->request, sizeof(ret_child->request),
                ret_child->fds, WIRE_FDS - 1, &n_fds, 0);

        if (n == 0 || n == -ECONNRESET)
                _exit(EXIT_SUCCESS);
        if (n > 0)
                n = warm_check_request(&ret_child->request, (size_t)n, n_fds);
        check(settings, (int)n, "a malformed request");
        if (event_send(settings->control, WARM_TAKEN, slot, 0, ret_child->request.number, "") < 0)
                _exit(EXIT_FAILURE);
        place(settings, ret_child);
}
