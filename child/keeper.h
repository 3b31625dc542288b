/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandboxd/jail.h"

/*
 * The init of a PID namespace that outlives a request. A request whose control group is known to be empty afterwards
 * has left nothing in the namespace either, since the two go together; so the next one can have it, and needs neither a
 * namespace nor an init of its own. Where something is left, the broker kills the keeper, and with it the kernel kills
 * whatever is in its namespace (pid_namespaces(7)).
 *
 * It runs nobody's code: it sleeps, as the zygote's account, without a capability or a descriptor, and ends with the
 * broker. The kernel reaps the orphans, because it ignores SIGCHLD (waitpid(2), "NOTES").
 */
enum { KEEPER_PID = 1 }; /* in its namespace; and the number of its process group, in which its guests are as well */

/*
 * Waits, in the zygote, until a keeper that was just cloned is one. A zygote with a keeper that does not become one
 * ends: the broker starts another.
 */
void keeper_await(const struct jail *jail);

/*
 * Becomes one, in the process that was cloned for it. By the pidfd of a process setns(2) enters its namespaces only if
 * the caller might look into it, so this one is dumpable. It holds a copy of its zygote's memory; who else has the
 * account are other services' zygotes, in Landlock domains of their own where that is possible (docs/design.md, "Known
 * limits").
 */
_Noreturn void keeper_run(const struct jail *jail);
