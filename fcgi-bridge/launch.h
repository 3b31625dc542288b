/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <sys/un.h>

#include "common/wire.h"

/*
 * One launch at the broker: common/wire.h has the protocol.
 */

/* Our ends. All are non-blocking and close-on-exec. */
struct launch {
        int broker;    /* closing it ends whatever the launch started */
        int stdin_fd;  /* write end */
        int stdout_fd; /* read end */
        int stderr_fd; /* read end */
};

/* Writes a new request id: 128 random bits as lower-case hexadecimal digits. Returns 0 or a negative errno.
 */
int launch_make_id(char id[WIRE_REQUEST_ID_SIZE]);

/*
 * Asks the broker at `address` to run what `request` selects, with `environment` ("NAME=VALUE\0" …, `length`
 * bytes) and with pipes to us as its standard streams. `front_fd` is the web server's connection; it stays
 * the caller's.
 *
 * Returns 0, and the caller closes what is in `ret_launch`. On failure nothing was started: -EAGAIN when
 * the broker's backlog is full, -ENOENT or -ECONNREFUSED when there is no broker, or another negative errno.
 */
int launch_start(const struct sockaddr_un *address, const struct wire_request *request, const char *environment,
        size_t length, int front_fd, struct launch *ret_launch);

/*
 * Looks for the broker's answer without waiting. Returns 1 with it; 0 when it has not come yet; -ECONNRESET
 * when the broker has closed without one; -EBADMSG when it is not one.
 */
int launch_result(const struct launch *launch, struct wire_result *ret_result);

/* Closes what is open. */
void launch_close(struct launch *launch);
