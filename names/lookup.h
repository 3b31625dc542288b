/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "names/names.h"

/*
 * Look-ups: names that are being asked for, or wait for a worker. Equal questions share one.
 *
 * A question is answered ANSWER_UNAVAILABLE when its time is up. A look-up that has begun goes on for as long as one
 * question would have waited for it, so that what comes late is known to the next question.
 */

struct asker;

struct lookup {
        struct names *names;
        TAILQ_ENTRY(lookup) link; /* in names->waiting, */
        bool is_waiting;          /* if this says so; else it is a worker's */
        TAILQ_HEAD(asker_list, asker) askers;
        unsigned n_askers;
        uint64_t timeout; /* µs: the longest of its questions */
        char name[WIRE_USER_SIZE];
};

/* Takes a question about an account that the cache does not answer. Returns 0 or a negative errno. */
int lookup_ask(struct names *names, const struct question *question);

/*
 * Ends the look-up of a worker: answers its questions, keeps the answer in the cache and frees it. Returns 0 or a
 * negative errno.
 */
int lookup_finish(struct lookup *lookup, const struct answer *answer);

/* The same with ANSWER_UNAVAILABLE. */
int lookup_fail(struct lookup *lookup, const char *detail);

/* Hands out what waits, as far as there are workers: after one has answered or ended. Returns 0 or a negative errno. */
int lookup_go_on(struct names *names);

/* Frees a look-up, and its questions without an answer. It must not be a worker's any more. */
void lookup_free(struct lookup *lookup);
