/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "fcgi-bridge/bridge.h"

/*
 * How a bridge ends: by SIGTERM, with requests that finish and connections that go to the next bridge; or by itself,
 * when nobody has been connected for a while.
 */

struct connection;

/* Prepares --idle-exit=. Returns 0 or a negative errno. */
int stop_start(struct bridge *bridge);

/* SIGTERM came. Returns 0 or a negative errno, as a handler of sd-event does. */
int stop_begin(struct bridge *bridge);

/*
 * Decides about a connection that is idle (connection_is_idle()) while the bridge is stopping: notes in it that it is
 * to be closed, or leaves it. For connection_settle().
 */
void stop_idle_connection(struct connection *connection);

/* How long a record that belongs to no request yet may take to come in, from its first byte or from SIGTERM. */
uint64_t stop_record_timeout(const struct bridge *bridge);

/* The number of connections has changed: --idle-exit= runs while it is 0. */
void stop_watch_idleness(struct bridge *bridge);
