/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "names/names.h"

/*
 * Worker processes, from outside: started when they are needed, one name at a time, killed when they take too long or
 * say what makes no sense, and when they have been idle for NAMES_IDLE_SECONDS. Until the kernel has ended one that was
 * killed, no other takes its place.
 */

/* Before anything else. */
void worker_init(struct names *names);

/*
 * Hands a look-up to an idle worker, or to a new one; it ends by lookup_finish() or lookup_fail(), never before this
 * function has returned. Returns 0; -EBUSY when there are NAMES_WORKERS_MAX and none is idle; another negative errno
 * when none can be started, after a line in the log.
 */
int worker_ask(struct names *names, struct lookup *lookup);

/* Kills all and waits for their end, but not long. Frees their look-ups. */
void worker_finish(struct names *names);
