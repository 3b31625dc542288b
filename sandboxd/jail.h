/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/spawn.h"

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
        int proc;     /* a detached procfs with subset=pid, or -1 where no context is applied and nothing is warm */
        int entry;    /* the entry program, or -1 where no context is applied */
        int self;     /* the zygote's own pidfd */
        uint64_t key; /* of its keyed calls: common/keyed.h */
        int ready[2]; /* a pipe into which a keeper writes when it is one */
};

/* One request, as the zygote received it. */
struct jail_request {
        const struct spawn_request *spawn;
        struct spawn_fds fds;
};

enum {
        JAIL_FD_REPORT = 3, /* where the report pipe stands after jail_enter() */
        JAIL_FD_SIGNALS,    /* of init_signals() */
        JAIL_FDS = 16,      /* the descriptors below are the zygote's own, those from here on a request's */
        JAIL_EXIT = 120,    /* exit status where there is a report that says more */
};

/* One step in a function with `enum step *ret_step` and `int r`: named before it is taken, and fatal. */
#define JAIL_STEP(name, call)                                                                                          \
        do {                                                                                                           \
                *ret_step = (name);                                                                                    \
                r = (call);                                                                                            \
                if (r < 0)                                                                                             \
                        return r;                                                                                      \
        } while (0)

/*
 * Makes the calling process the request's identity, without any way back. The process must be fresh from clone3(2),
 * in a PID namespace in which no other request is. What follows, in child/application.c, needs no privilege.
 *
 * Returns 0, or a negative errno with *ret_step naming the step. The report pipe stands at JAIL_FD_REPORT
 * from STEP_DESCRIPTORS on; before, at request->fds.always[SPAWN_FD_REPORT].
 */
int jail_enter(const struct jail *jail, struct jail_request *request, enum step *ret_step);
