/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/lines.h"
#include "common/warm-sockets.h"
#include "common/warm.h"
#include "sandboxd/broker.h"

/*
 * Application zygotes: one for a service's identity that is busy (Warm=yes), whose children serve one request each.
 * common/warm.h has the protocol, common/warm-pool.h says when one is started and when it goes.
 *
 * The process of a zygote is a request of the broker's own (`start`), launched and ended as any other, but that no
 * client waits for it. When it ends, so does everything that the zygote made: they share its PID namespace.
 */

struct warm {
        struct warm_member member; /* first: the pool knows these */
        struct request *start;
        struct warm_sockets sockets;
        struct cgroup_service group;
        struct cgroup_leaf *slots[WARM_SLOTS_MAX];
        uint32_t n_ended[WARM_SLOTS_MAX]; /* of the slots' children */
        unsigned n_slots;
        uint64_t last_taken; /* µs, monotonic: when a child last took a request */
        sd_event_source *control_source, *errors_source, *idle_source;
        struct request_list requests; /* that were given to its children */
        struct lines lines;           /* of what it writes */
};

/*
 * Hands an admitted request to its identity's zygote, if there is one that serves its kind. Returns whether it has been
 * taken: then request_ended() or request_refuse() follows. Else it is to be run cold, and a zygote may have been
 * started for the next one.
 */
bool warm_serve(struct request *request);

/*
 * The kind of launch that suits the request's door best: a connection, when one of the service's identities is served
 * so. What another one's request costs in addition is little.
 */
enum wire_kind warm_wants(const struct request *request);

/*
 * Neither the request nor another one has been taken by a child in all the time that it has: the zygote hangs, and
 * another one is started.
 */
void warm_neglected(struct request *request);

/* Kills the child that serves the request; request_ended() follows, if need be by the end of the zygote. */
void warm_kill(struct request *request);

/* The request is over. */
void warm_leave(struct request *request);

/* The process of a zygote has ended, or never began. */
void warm_ended(struct warm *warm, const char *reason);

/* Lets the zygotes of a generation, or all of them (NULL), finish what they have, and end. */
void warm_retire(struct broker *broker, const struct generation *generation);
