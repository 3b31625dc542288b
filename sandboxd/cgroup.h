/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "common/index.h"

/*
 * Control groups, version 2 (cgroups(7)): one folder a service, in it a leaf for its zygotes and leaves for
 * its requests.
 *
 *   <our own>/sandboxd.PID/broker            this process, so that controllers can be enabled beside it
 *   <our own>/sandboxd.PID/NAME.N/zygotes    NAME.N: service and generation of the configuration
 *   <our own>/sandboxd.PID/NAME.N/request.M
 *
 * Where no version 2 hierarchy can be written, there are no folders (all descriptors are -1), and the PID
 * namespace alone ends what belongs to a request.
 */

/* A service's folder that was to be removed and still had a process in it. */
struct cgroup_rest {
        struct cgroup_rest *next;
        char name[96];
};

struct cgroups {
        int base;                  /* descriptor of sandboxd.PID, or -1 */
        char controllers[256];     /* that a service can have: "cpu memory pids" */
        struct cgroup_rest *rests; /* freed with the process */
};

struct cgroup_service {
        int folder;  /* or -1 */
        int zygotes; /* a leaf for clone3(2), or -1 */
        struct cgroup_leaf *free_leaves;
        unsigned next;
        const struct index_cgroup *limits; /* of each leaf, or NULL: the index's */
        char name[96];
};

/* A leaf; in use by one request at a time. */
struct cgroup_leaf {
        struct cgroup_leaf *next_free;
        int folder; /* for clone3(2) */
        int events; /* its cgroup.events */
        unsigned number;
};

/*
 * Makes the base, moves this process into its broker/ leaf, enables what controllers there are, and removes
 * what dead brokers left behind. Returns 0, also where there is no version 2 hierarchy; a negative errno when
 * there is one and it refused.
 */
int cgroups_open(struct cgroups *ret_cgroups);

/* Moves this process back and removes the base, as far as it is empty. */
void cgroups_close(struct cgroups *cgroups);

/*
 * Makes a service's folder and sets MemoryMax=, TasksMax= and CPUWeight=; its leaves will get those of Request…=, so
 * `service` must stay. The files that clone3(2) asks write
 * permission for are given to `zygote_uid`. Returns 0 or a negative errno: a limit that cannot be set is not
 * left out.
 */
int cgroup_service_open(struct cgroups *cgroups, const struct index_service *service, const char *name,
        uid_t zygote_uid, struct cgroup_service *ret_service);
/* Removes the folder, or what is left of it when the next one is closed, if a process in it has not ended yet. */
void cgroup_service_close(struct cgroups *cgroups, struct cgroup_service *service);

/* A leaf for one request: one that was used and is empty, or a new one. *ret_leaf is NULL without cgroups. */
int cgroup_leaf_take(struct cgroup_service *service, uid_t zygote_uid, struct cgroup_leaf **ret_leaf);

/*
 * Gives a leaf back after its request. One that still has processes in it is killed and removed: after a
 * write to cgroup.kill the kernel kills whatever is cloned into it later, too.
 */
void cgroup_leaf_return(struct cgroup_service *service, struct cgroup_leaf *leaf);
