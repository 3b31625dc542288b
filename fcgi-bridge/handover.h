/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "fcgi-bridge/bridge.h"

/*
 * Connections that outlive the process. The service manager keeps a copy of a connection (its file descriptor store:
 * sd_pid_notify_with_fds(3), FDSTORE=1) until it starts the next bridge, which gets it with its listening sockets. What
 * the web server has sent meanwhile is in the kernel's buffer and goes along, so there is no moment in which a request
 * would meet a connection that is being closed.
 */

/* What the connections are called in LISTEN_FDNAMES. */
#define HANDOVER_NAME "connection"

/* How many connections the service manager keeps: FDSTORE=, from systemd 254 on or the unit. 0 without it. */
unsigned long handover_room(void);

/*
 * Gives a copy of the connection away. The caller closes its own, without shutdown(2). Returns 0 or a negative errno;
 * -ENOSPC when there is no room: the service manager would close it, and not say so.
 */
int handover_give(struct bridge *bridge, int fd);

/*
 * Waits, a few seconds at most, until the service manager has received what was given to it. To be called before the
 * process ends: a message of a process that is gone counts for nothing.
 */
void handover_finish(const struct bridge *bridge);

/*
 * Lets the service manager forget its copies of all that it has stored, by each of the `names`, and serves the
 * connections that the bridge before gave away (`taken`): from here on bytes may be read. Without that message a
 * successor could meet them in the middle of a request, and take a body for records: logs and returns a negative errno
 * if it cannot be sent.
 */
int handover_take(struct bridge *bridge);
