/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/identity.h"

/*
 * The application zygotes that there are: which serves whom, which is worth starting, how many children each should
 * have, and which goes when there are too many. Pure: the caller says what time it is, and does what has to be done.
 *
 * What was seen of identities is kept in a table of fixed size, by a hash of service and identity: ten thousand
 * identities in turn cost no memory and start nothing. Two that fall on one entry forget each other: the one then is
 * started a request later.
 */

enum {
        WARM_SIGHTINGS = 1024,
        WARM_AGAIN_USEC = 60000000,        /* a second request within a minute makes an identity worth a zygote */
        WARM_BACKOFF_USEC = 1000000,       /* after a zygote that failed, doubled with each further one */
        WARM_BACKOFF_MAX_USEC = 300000000, /* up to five minutes */
        WARM_CRASHES_MAX = 5,              /* children that died by a signal, in a row, renew a zygote */
        WARM_LINGERING_MAX = 16,           /* slots for children whose response is complete */
        WARM_SLOTS_RESERVE = 8,            /* that the zygote's other descriptors take the room of */
        WARM_MEMBERS_MAX = 64,             /* in all */
        WARM_STARTING_MAX = 2,             /* at once: each takes a processor for a while */
};

struct warm_sighting {
        uint64_t key;
        uint64_t seen;       /* µs */
        uint64_t not_before; /* µs: nothing is started earlier, after a failure */
        uint64_t backoff;    /* µs: of the last failure; 0: none */
};

struct warm_sightings {
        struct warm_sighting entry[WARM_SIGHTINGS];
};

/* What stands for a service's identity. `nice` is part of it: a zygote's children inherit it. */
uint64_t warm_key(const char *service, const struct identity *identity, int nice);

/* Notes a request that no zygote could serve. Returns whether one should be started for it now. */
bool warm_sighted(struct warm_sightings *sightings, uint64_t key, uint64_t now);

/* A zygote failed to start, or ended by itself; returns for how long none is started, in µs. */
uint64_t warm_failed(struct warm_sightings *sightings, uint64_t key, uint64_t now);

/* One became ready: the next failure is the first again. */
void warm_succeeded(struct warm_sightings *sightings, uint64_t key);

enum warm_state {
        WARM_STARTING, /* not ready yet */
        WARM_SERVING,
        WARM_OUTDATED, /* serves until another one is ready: what it was made of has changed, or its children crash */
        WARM_RETIRING, /* finishes what it has, and ends */
};

struct warm_member {
        TAILQ_ENTRY(warm_member) link;
        enum warm_state state;
        const void *service; /* whose it is */
        const struct identity *identity;
        uint64_t key;
        unsigned n_requests;
        unsigned n_active;  /* of them, without those whose response is complete: their slots are free in a moment */
        unsigned n_crashes; /* of children, in a row */
        bool asked;         /* it has got a request */
        uint64_t memory;    /* bytes */
        uint64_t last_used; /* µs */
};

/* The one used longest ago first. */
TAILQ_HEAD(warm_pool, warm_member);

/* The one that serves this identity best, one that is starting being the last; or NULL. */
struct warm_member *warm_pool_find(
        const struct warm_pool *pool, const void *service, const struct identity *identity, uint64_t key);

/*
 * Whether an identity that `member` serves, found as above, wants one more: it has none, or one that is outdated while
 * no other is starting, because the last attempt has failed.
 */
bool warm_pool_wants(const struct warm_pool *pool, const struct warm_member *member);

/* Whether the service has one that takes requests. */
bool warm_pool_serves(const struct warm_pool *pool, const void *service);

/* Whether it takes requests; false for NULL. */
bool warm_serves(const struct warm_member *member);

/* It has got a request, or has ended one. */
void warm_pool_use(struct warm_pool *pool, struct warm_member *member, uint64_t now);

/*
 * Whether there may be one more. *ret_victim is then the one to retire for it, or NULL: nobody is sent away who has a
 * request.
 */
bool warm_pool_room(const struct warm_pool *pool, struct warm_member **ret_victim);

/* While they take more than `max` bytes, the one to retire next; or NULL: the others have requests. */
struct warm_member *warm_pool_too_large(const struct warm_pool *pool, uint64_t max);

/* The stale one that `heir`, which is ready, takes over from; or NULL. */
struct warm_member *warm_pool_stale(const struct warm_pool *pool, const struct warm_member *heir);

/*
 * How many slots it should have: for the requests that wait for a response, what is to spare, and children that still
 * work after their response, but not for any number of these: on a busy machine they are many for a moment. As many as
 * its descriptors allow.
 */
unsigned warm_slots_wanted(const struct warm_member *member, const struct index_service *service);

/* A child has ended with this status, waitpid(2). SIGKILL is no crash: it may be our own. Returns whether the zygote is
 * to be renewed. */
bool warm_child_ended(struct warm_member *member, int status);
