/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

enum { FORK_KILLED = 1 };

/*
 * fork(3) into the control group whose folder is `group`. libc's fork() cannot name a group, and clone3(2) knows
 * nothing of handlers of pthread_atfork(3) and of what libc itself sets right in a child; so a short-lived helper is
 * cloned into the group, on this process's memory (as by vfork(2)), and calls fork(). The child becomes that of the
 * nearest subreaper, which the caller is to be: prctl(2), PR_SET_CHILD_SUBREAPER. All signals must be blocked.
 *
 * Returns 0, with *ret_child 0 in the child and its pid here; FORK_KILLED when somebody killed the helper, after which
 * it is not known what this process's memory has become; or a negative errno of either call.
 */
int fork_into(int group, pid_t *ret_child);
