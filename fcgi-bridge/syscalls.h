/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The bridge's system-call filter: seccomp(2), by libseccomp. An allow-list; it cannot be taken off.
 */

/* Attaches the filter. PR_SET_NO_NEW_PRIVS must be set. Returns 0 or a negative errno. */
int syscalls_enter(void);
