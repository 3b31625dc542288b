/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

/*
 * landlock(7), for the programs that confine themselves, and for zygotes, which confine what they make.
 */

enum {
        LANDLOCK_MISSING = 1,   /* this kernel has none, or it is switched off */
        LANDLOCK_SANITIZER = 2, /* the build's sanitizers need files at exit: nothing was done */
};

/*
 * No file may be opened, made, changed or executed any more, and no TCP port used: handles every file and TCP right of
 * the running kernel and allows none of them; beneath `directory`, a descriptor or
 * -1, those that regular files need. PR_SET_NO_NEW_PRIVS must be set. Returns 0, one of the above, or a negative errno.
 */
int landlock_enter(int directory);

/*
 * Makes a ruleset for processes that are to be apart from each other and otherwise free: whoever enters it can trace
 * nobody outside, and from ABI 6 on neither signal nor reach abstract sockets beyond it. Returns 0 with the ruleset;
 * LANDLOCK_MISSING, also where the kernel's has ABI 1, which would take rename(2) between folders away; or a negative
 * errno.
 */
int landlock_open_apart(int *ret_ruleset);

/* Whether whoever enters such a ruleset signals nobody beyond it: ABI 6. No where that cannot be found out. */
bool landlock_scopes_signals(void);
