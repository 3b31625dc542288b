/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "common/question.h"
#include "names/cache.h"

/*
 * sandboxd-names: asks the name service for the broker, which must never wait for it. One process with an event loop,
 * and a few worker processes: the name service runs in those alone. A question's way, by file name:
 *
 *   server.c   takes it from the broker, and answers what cache.c knows
 *   lookup.c   joins it with equal ones, lets it wait, watches its time
 *   worker.c   hands the name to a worker process and takes the answer
 *   child.c    is that process; account.c asks the name service
 *
 * What a handler of the loop cannot go on from (no memory) ends the program; the broker starts another.
 */

enum {
        NAMES_WORKERS_MAX = 8,
        NAMES_QUESTIONS_MAX = 1024, /* without an answer, those at workers among them */
        /* About one name: who asks and goes away again takes no places of others, as no more than one worker. */
        NAMES_ASKERS_MAX = NAMES_QUESTIONS_MAX / NAMES_WORKERS_MAX,
        NAMES_IDLE_SECONDS = 60, /* a worker without work ends after these */
        NAMES_ACCURACY = 10000,  /* of timers, µs */
};

struct lookup;
struct names;

/* A worker process. */
struct worker {
        struct names *names;
        int pidfd; /* -1: there is no process */
        int fd;    /* of the conversation with it; -1: there is none, or it was killed and is not gone yet */
        sd_event_source *io, *timer, *end;
        struct lookup *lookup; /* what it was asked; NULL: it is idle */
        uint64_t number;       /* of that question */
};

struct names {
        sd_event *event;
        sd_event_source *questions, *answers; /* of the conversation with the broker; one of them is on */
        struct cache cache;
        TAILQ_HEAD(unsent_list, unsent) unsent; /* answers that the broker has not taken yet */
        TAILQ_HEAD(lookup_list, lookup) waiting;
        unsigned n_questions;
        struct worker workers[NAMES_WORKERS_MAX];
};

/* µs of CLOCK_MONOTONIC, at the event that is being handled. */
static inline uint64_t names_now(const struct names *names)
{
        uint64_t now = 0;

        sd_event_now(names->event, CLOCK_MONOTONIC, &now);
        return now;
}
