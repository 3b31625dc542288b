/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/accept.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "common/warm.h"
#include "warm/child.h"
#include "warm/event.h"
#include "warm/fitness.h"
#include "warm/rehearsal.h"
#include "warm/request.h"
#include "warm/snapshot.h"
#include "warm/warm-up.h"
#include "warm/zygote.h"

/*
 * The way of an application zygote, by file name:
 *
 *   settings.c   before main(): what the broker said, and where our descriptors are
 *   accept.c     the application asks for its first connection
 *   warm-up.c    it is given the operator's own, one after the other; answer.c judges what it answers
 *   rehearsal.c  the last one again: what memory does a request use?
 *   fitness.c    may it be forked? smaps.c and private.c see to its memory, files.c to its descriptors
 *   watch.c      what it was made of is watched from now on
 *   snapshot.c   what the linker has relocated becomes a file's, which a fork need not copy
 *   zygote.c     it keeps a child in every slot; fork.c makes one
 *   child.c      a child makes itself apart, and takes one request; reseed.c
 *   request.c    the request is judged and handed to the application; fastcgi.c
 *
 * This file is the program: it has the state, because accept(2) has no room for any.
 */

enum stage {
        STAGE_OFF, /* no application zygote */
        STAGE_WARMING_UP,
        STAGE_CHILD, /* which has its request */
};

static struct {
        enum stage stage;
        pid_t pid; /* of the zygote */
        struct settings settings;
        size_t n_warmed_up;
        struct warm_up warm_up;
        struct rehearsal rehearsal;
        struct files files;
        struct watch watch;
        struct reseed reseed;
        sigset_t mask;             /* the application's own, */
        struct sigaction on_child; /* and its handler of SIGCHLD */
        struct child child;
} warm;

__attribute__((constructor)) static void begin(void)
{
        if (!settings_take(&warm.settings))
                return;
        warm.pid = getpid();
        warm.stage = STAGE_WARMING_UP;
        rehearsal_open(&warm.rehearsal, &warm.settings);
        /* Before there is anything that a neighbour could want to see. */
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                warm.settings.problem = "it cannot be made non-dumpable";
}

/* Interrupts ppoll(2), no more. */
static void on_child(int signal)
{
        (void)signal;
}

/* The zygote handles no signal of the application's, nor do children until they have their request. */
static int hold_signals(void)
{
        const struct sigaction action = {.sa_handler = on_child};
        sigset_t all;

        sigfillset(&all);
        if (sigprocmask(SIG_SETMASK, &all, &warm.mask) < 0 || sigaction(SIGCHLD, &action, &warm.on_child) < 0)
                return -errno;
        return 0;
}

static void release_signals(void)
{
        if (sigaction(SIGCHLD, &warm.on_child, NULL) < 0 || sigprocmask(SIG_SETMASK, &warm.mask, NULL) < 0)
                _exit(EXIT_FAILURE);
}

static void check(int r, const char *what)
{
        if (r < 0)
                event_end(warm.settings.control, WARM_UNFIT, "%s: %s", what, strerrordesc_np(-r));
}

/* Fit, watched, and told so; or the process ends. */
static void get_ready(void)
{
        struct settings *settings = &warm.settings;
        char reason[200] = "";
        int32_t memory = 0;
        int r;

        fflush(NULL); /* what is still in there would be written once by each child */
        r = fitness_check(settings, &warm.files, &memory, reason, sizeof(reason));
        if (r == FITNESS_UNFIT)
                event_end(settings->control, WARM_UNFIT, "%s", reason);
        check(r, "looking at itself");
        check(watch_begin(&warm.watch, settings), "watching its files");
        reseed_find(&warm.reseed);
        check(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0, "becoming a subreaper");
        check(hold_signals(), "signals");
        snapshot_take(settings->proc);
        settings->proc = close_fd(settings->proc);
        check(event_send(settings->control, WARM_READY, 0, memory, 0,
                      warm.watch.incomplete ? "not all of its files can be watched" : ""),
                "the control socket");
}

/* One that the application has closed would be the next thing that we open. */
static int fill_streams(void)
{
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (fcntl(fd, F_GETFD) < 0 && dup3(warm.settings.null, fd, 0) < 0)
                        return -errno;
        return 0;
}

/* A process that the application has made takes requests: PHP_FCGI_CHILDREN, for example. It would be made again. */
static _Noreturn void end_family(void)
{
        if (getppid() == warm.pid)
                kill(warm.pid, SIGKILL);
        event_end(warm.settings.control, WARM_UNFIT, "it makes processes of its own, which take requests");
}

/* Whether the caller is to serve a warm-up request first: *ret_request. Otherwise returns in a child. */
static bool go_on(const char **ret_request)
{
        struct settings *settings = &warm.settings;
        uint32_t slot;

        if (warm.stage == STAGE_CHILD)
                _exit(EXIT_SUCCESS);
        if (getpid() != warm.pid)
                end_family();
        if (settings->problem)
                event_end(settings->control, WARM_UNFIT, "%s", settings->problem);
        warm_up_end(&warm.warm_up, settings);
        check(fill_streams(), "standard streams");
        if (warm.n_warmed_up < settings->n_requests) {
                *ret_request = settings->requests[warm.n_warmed_up++];
                return true;
        }
        if (rehearsal_goes_on(&warm.rehearsal, settings)) {
                *ret_request = settings->requests[settings->n_requests - 1];
                return true;
        }
        get_ready();
        slot = zygote_run(settings, &warm.watch);
        warm.stage = STAGE_CHILD;
        child_begin(settings, &warm.files, &warm.reseed);
        rehearsal_populate(&warm.rehearsal);
        request_prepare();
        child_take(settings, slot, &warm.child);
        return false;
}

/* As accept4(2) returns a connection from a socket that has no name. */
static int like_accept(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
        const sa_family_t family = AF_UNIX;
        int low = fcntl(fd, flags & SOCK_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, STDERR_FILENO + 1);

        if (low < 0)
                return -1;
        close_fd(fd);
        if (flags & SOCK_NONBLOCK && fcntl(low, F_SETFL, fcntl(low, F_GETFL) | O_NONBLOCK) < 0)
                return -1;
        if (address && length) {
                memcpy(address, &family, *length < sizeof(family) ? *length : sizeof(family));
                *length = sizeof(family);
        }
        return low;
}

static int stand_in(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
        const char *request;

        if (warm.stage == STAGE_OFF || fd != STDIN_FILENO)
                return (int)syscall(SYS_accept4, fd, address, length, flags);
        if (go_on(&request))
                return like_accept(warm_up_connect(&warm.warm_up, &warm.settings, request), address, length, flags);
        fd = like_accept(request_connection(&warm.settings, &warm.child), address, length, flags);
        release_signals();
        return fd;
}

__attribute__((visibility("default"))) int accept(int fd, __SOCKADDR_ARG address, socklen_t *restrict length)
{
        return stand_in(fd, address.__sockaddr__, length, 0);
}

__attribute__((visibility("default"))) int accept4(
        int fd, __SOCKADDR_ARG address, socklen_t *restrict length, int flags)
{
        return stand_in(fd, address.__sockaddr__, length, flags);
}

int sandboxd_warm_active(void)
{
        return warm.stage == STAGE_WARMING_UP;
}

void sandboxd_warm_watch(const char *path)
{
        if (warm.stage == STAGE_WARMING_UP && watch_one(&warm.watch, &warm.settings, path) < 0)
                warm.watch.incomplete = true;
}

void sandboxd_warm_answered(void)
{
        if (warm.stage == STAGE_WARMING_UP)
                rehearsal_end(&warm.rehearsal, &warm.settings);
}

int sandboxd_warm_take(const char **ret_block, size_t *ret_size)
{
        const char *request;

        if (warm.stage == STAGE_OFF)
                return -ENOTSUP;
        if (go_on(&request)) {
                warm_up_stream(&warm.warm_up, &warm.settings, request, ret_block, ret_size);
                return 1;
        }
        request_streams(&warm.settings, &warm.child, ret_block, ret_size);
        release_signals();
        return 0;
}
