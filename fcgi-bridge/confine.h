/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the bridge takes away from itself before it reads a byte from the network. Each function logs what
 * failed, and returns a negative errno; the bridge then does not start.
 */

/* Refuses uid 0, gid 0 and every capability: what is not there cannot be taken over. */
int confine_check_identity(void);

/*
 * No new privileges, not dumpable, no core file, no file access (Landlock), and a system-call filter.
 * Afterwards the process can use the descriptors that it has, make pipes, memfds and Unix sockets, and
 * nothing else. log_open() must have been called and the event loop's signal sources must exist.
 */
int confine_enter(void);
