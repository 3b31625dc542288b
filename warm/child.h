/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "common/warm.h"
#include "warm/files.h"
#include "warm/reseed.h"
#include "warm/settings.h"

/* A child of an application zygote, up to where it looks at its request. */

/* What it was given. */
struct child {
        struct warm_request request;
        int fds[WIRE_FDS]; /* in the order of enum wire_fd, without WIRE_FD_FRONT: see child_fd() */
};

/*
 * What can be done before there is a request: standard input, files and random state of its own, a Landlock domain of
 * its own, the last filter. After the filter the library itself calls recvmsg, sendmsg, close_range, dup3 and fcntl,
 * and what warm/request.h says. A failure is told to the broker, and ends the process.
 */
void child_begin(const struct settings *settings, const struct files *files, const struct reseed *reseed);

/*
 * Waits for a request, says WARM_TAKEN, puts the request's stderr at 2, and closes everything else that was ours. Ends
 * the process when there are no requests any more. On return the process is like any other that serves one request.
 */
void child_take(const struct settings *settings, uint32_t slot, struct child *ret_child);

/* The descriptor `number` of enum wire_fd. */
static inline int child_fd(const struct child *child, enum wire_fd number)
{
        return child->fds[number - WIRE_FD_STDERR];
}
