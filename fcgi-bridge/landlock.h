/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * landlock(7): no file may be opened, made, changed or executed any more, and no TCP port used.
 */

enum {
        LANDLOCK_MISSING = 1,   /* this kernel has none, or it is switched off */
        LANDLOCK_SANITIZER = 2, /* the build's sanitizers need files at exit: nothing was done */
};

/*
 * Handles every file and TCP right of the running kernel and allows none of them. PR_SET_NO_NEW_PRIVS must be
 * set. Returns 0, one of the above, or a negative errno.
 */
int landlock_enter(void);
