/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/hierarchy.h"
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

enum {
        CGROUP_NAME_SIZE = HIERARCHY_REST_SIZE, /* from the base: NAME.N/warm.M/request.M */
        CGROUP_KEPT_MAX = 16, /* leaves of a service that keep a PID namespace while nobody uses them */
};

struct cgroups {
        int base;                     /* descriptor of sandboxd.PID, or -1 */
        char controllers[256];        /* that a service can have: "cpu memory pids" */
        struct hierarchy_rest *rests; /* freed with the process */
        sd_event *event;              /* in which keepers are awaited once they are killed; the caller's */
};

struct cgroup_service {
        struct cgroups *cgroups;
        int folder;  /* or -1 */
        int zygotes; /* a leaf for clone3(2), or -1 */
        struct cgroup_leaf *free_leaves;
        unsigned n_kept; /* of those, with a keeper */
        unsigned next;
        const struct index_cgroup *limits; /* of each leaf, or NULL: the index's */
        char name[CGROUP_NAME_SIZE];
};

/* A leaf; in use by one request at a time. */
struct cgroup_leaf {
        struct cgroup_leaf *next_free;
        int folder;     /* for clone3(2) */
        int events;     /* its cgroup.events */
        int keeper;     /* pidfd: of the PID namespace of its requests; -1: there is none yet */
        unsigned owner; /* number of the zygote whose keeper that is; others cannot use it */
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
/*
 * The same tree serves an application zygote and its children, in the service's own: `name` is then NAME.N/warm.M, and
 * `zygote_uid` the identity's. The service's limits are set on its own folder only. This gives the leaf for the zygote
 * to the account of the service's zygote, which clones it, and makes its descriptor fit to be sent there.
 */
int cgroup_service_lend(struct cgroup_service *service, uid_t zygote_uid);

/* Removes the folder, or what is left of it when the next one is closed, if a process in it has not ended yet. */
void cgroup_service_close(struct cgroup_service *service);

/*
 * A leaf for one request of the zygote with the number `owner`: one that was used and is empty, or a new one. Its
 * keeper, if it has one, is that zygote's. *ret_leaf is NULL without cgroups.
 */
int cgroup_leaf_take(struct cgroup_service *service, uid_t zygote_uid, unsigned owner, struct cgroup_leaf **ret_leaf);

/*
 * Gives a leaf back after its request. One that still has processes in it is killed and removed: after a
 * write to cgroup.kill the kernel kills whatever is cloned into it later, too.
 */
void cgroup_leaf_return(struct cgroup_service *service, struct cgroup_leaf *leaf);

/* Ends the keepers that wait for a request of the zygote with the number `owner`, or, for 0, of any. */
void cgroup_end_keepers(struct cgroup_service *service, unsigned owner);

/* Kills what is in a leaf, which is then gone. */
void cgroup_leaf_kill(struct cgroup_service *service, struct cgroup_leaf *leaf);
