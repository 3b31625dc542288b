/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/*
 * The programs that the privileged ones start: compiler, resolvers, zygotes. Each is forked and executed afresh, with
 * an empty environment, in a session of its own, with /dev/null as standard input and output, and no descriptor but
 * standard error and those listed. Does not log.
 */

enum { HELPER_FDS_MAX = 2, HELPER_FD_FIRST = 3, HELPER_NOT_STARTED = 127 /* exit status */ };

struct helper {
        const char *libexec;          /* the folder of the program */
        const char *const *arguments; /* NULL at the end; the first is the program's name */
        uid_t uid;                    /* it is executed as, without groups and with no_new_privs; 0: as we are */
        gid_t gid;
        int fds[HELPER_FDS_MAX]; /* become HELPER_FD_FIRST and the next */
        size_t n_fds;
        bool silent;          /* /dev/null as standard error too */
        unsigned cpu_seconds; /* of processor time at most; 0: as many as it takes */
        unsigned processes;   /* of its account at most, RLIMIT_NPROC; 0: as many as we may have */
        int cgroup;           /* a folder to start it in, or -1 */
};

/*
 * Starts it. The descriptors stay the caller's. Returns 0 with the pidfd, or a negative errno; one that cannot be
 * executed ends with HELPER_NOT_STARTED.
 */
int helper_start(const struct helper *helper, int *ret_pidfd);

/*
 * Kills it, waits for its end and closes the pidfd, if there is one. Returns -1. After a second without an end it goes
 * on: what hangs in the kernel must not hang us too.
 */
int helper_end(int pidfd);

/*
 * Likewise without waiting: the event loop does. It has been killed, but what it hangs in may not let it go this
 * instant. When it has gone, *ret_gone becomes -1, if that is not NULL; it must last as long as the event loop.
 */
void helper_end_later(sd_event *event, int pidfd, int *ret_gone);
