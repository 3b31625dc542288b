/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "child/environment.h"
#include "child/program.h"
#include "sandboxd/spawn.h"

/*
 * The jail: what stands between a fresh process and the application, as ordered steps. Each is fatal; there
 * is no way back from a partial drop, so whoever gets a failure reports it and ends.
 */

/* What a zygote prepared once for all its children. */
struct jail {
        const struct index *index;
        const struct index_service *service;
        int control;  /* the zygote's end of the spawn socket */
        int landlock; /* a Landlock ruleset, or -1 where the kernel has none */
        int proc;     /* a detached procfs with subset=pid, or -1 where no context is applied */
};

/* One request, as the zygote received it. */
struct jail_request {
        const struct spawn_request *spawn;
        int fds[SPAWN_FDS]; /* enum spawn_fd */
        int temporary;      /* detached tmpfs, or -1 */
        int command;        /* memfd with the command of `sandboxctl run`, or -1 */
};

/* What is ready to execute after jail_enter(). */
struct jailed {
        struct environment environment;
        struct program program;
        char **argv;
};

enum {
        JAIL_FD_REPORT = 3, /* where the report pipe stands after jail_enter() */
};

/*
 * Makes the calling process the request's identity and confines it, but for the steps that only the
 * application takes (jail_execute()). The process must be fresh from clone3(2), with its own PID namespace.
 * The memory that ret_jailed points into is static.
 *
 * Returns 0, or a negative errno with *ret_step naming the step. The report pipe stands at JAIL_FD_REPORT
 * from STEP_DESCRIPTORS on; before, at request->fds[SPAWN_FD_REPORT].
 */
int jail_enter(const struct jail *jail, struct jail_request *request, struct jailed *ret_jailed, enum step *ret_step);

/*
 * The last steps, in the process that becomes the application: exec context, stage 2 of the filter, exec.
 * Returns only on failure, likewise. Safe after vfork(2).
 */
int jail_execute(
        const struct jail *jail, const struct spawn_request *spawn, const struct jailed *jailed, enum step *ret_step);
