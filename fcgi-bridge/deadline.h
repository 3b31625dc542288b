/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The time limits of all connections, on one timer. Each request sets and drops several, and hardly any is ever
 * reached: so to set one is to note it, and the timer is only ever moved to an earlier time. When it goes off, it looks
 * which limits have passed, and is set to the next.
 */

enum deadline {
        DEADLINE_WORK,   /* of what the connection is doing: idle, a request's, lingering */
        DEADLINE_RECORD, /* runs while a record has begun to come in and there is no request */
        DEADLINE_SEND,   /* runs while bytes wait and the web server takes none */
        DEADLINE_OUTPUT, /* from then on the application's stdout is watched: relay_watch_output() */
        DEADLINE_ERRORS, /* and its stderr: relay_watch_errors() */
        DEADLINES,
};

struct bridge;
struct connection;

/* Makes the timer. Returns 0 or a negative errno. */
int deadline_start(struct bridge *bridge);

/*
 * Sets one to `usec` from now, in place of what it was. At that time, or up to a millisecond later, what the list above
 * says comes about, and the connection is settled. When that cannot be seen to, the connection is dead: without its
 * timer it would have no limit at all.
 */
void deadline_set(struct connection *connection, enum deadline which, uint64_t usec);
void deadline_drop(struct connection *connection, enum deadline which);
bool deadline_is_set(const struct connection *connection, enum deadline which);
