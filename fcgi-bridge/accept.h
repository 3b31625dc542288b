/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "fcgi-bridge/bridge.h"

/*
 * The connections that come in on the front doors.
 */

/* Starts accepting on all doors. Returns 0 or a negative errno. */
int accept_start(struct bridge *bridge);

/*
 * Serves the connected socket `fd`, which becomes its own; says so in the log if that is not possible. `door` is where
 * it came in; NULL if an earlier bridge took it.
 */
void accept_connection(struct bridge *bridge, struct door *door, int fd);

/* A connection has closed: if it was the limit that kept the doors shut, they open again. */
void accept_resume(struct bridge *bridge);

/* Closes the doors for good; what they remember stays. Connections that wait in a backlog stay with systemd's copy of
 * the socket. */
void accept_stop(struct bridge *bridge);
