/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandboxd/jail.h"

/*
 * PID 1 of a request that has a PID namespace of its own, once it is in the jail: starts the application as PID 2,
 * reaps what dies, and when PID 2 is gone reports how and exits; the kernel then kills the rest of the namespace
 * (pid_namespaces(7)). As PID 1 itself an application would not be killed by its own SIGTERM or abort().
 */

/*
 * Once, in the zygote: every signal at its default, and SIGCHLD blocked, which the application's process undoes.
 * Returns a descriptor by which each child of the zygote sees its own SIGCHLD (signalfd(2)), for JAIL_FD_SIGNALS; or a
 * negative errno.
 */
int init_signals(void);

/* Does all that. */
_Noreturn void init_run(const struct jail *jail, struct jail_request *request);
