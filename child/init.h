/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandboxd/jail.h"

/*
 * PID 1 of a request, once it is in the jail: starts the application as PID 2, reaps what dies, and when PID 2 is gone
 * reports how and exits; the kernel then kills the rest of the namespace (pid_namespaces(7)). As PID 1 itself an
 * application would not be killed by its own SIGTERM or abort().
 */

/* Reports into the pipe `fd` that a step failed with this errno, and exits. */
_Noreturn void init_fail(int fd, enum step step, int error);

_Noreturn void init_run(const struct jail *jail, struct jail_request *request);
