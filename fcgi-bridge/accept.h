/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "fcgi-bridge/bridge.h"

/*
 * The front doors: the listening sockets that systemd handed over, and the connections that come in on them.
 */

/*
 * Takes the listening sockets of sd_listen_fds(3) into `bridge`. Every one must be a listening stream socket.
 * Logs what is wrong and returns a negative errno otherwise.
 */
int accept_take_doors(struct bridge *bridge);

/* Starts accepting on all doors. Returns 0 or a negative errno. */
int accept_start(struct bridge *bridge);

/* A connection has closed: if it was the limit that kept the doors shut, they open again. */
void accept_resume(struct bridge *bridge);

/* Closes the doors for good. Connections that wait in a backlog stay with systemd's copy of the socket. */
void accept_stop(struct bridge *bridge);
