/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/queue.h>

#include "common/question.h"

/*
 * What the name service answered, by name. Pure: the time is passed in, in µs of one clock that never goes back.
 *
 * How old an answer may be is the asker's to say, and less where it says that there is nothing: an account that is made
 * must not stay unknown for long, and a name service that is back must not stay unavailable.
 */

enum {
        CACHE_ENTRIES_MAX = 8192,
        CACHE_UNKNOWN_SECONDS = 10,
        CACHE_UNAVAILABLE_SECONDS = 2, /* so that one that does not answer is not asked by every request */
};

struct cache {
        void *by_name;                              /* of tsearch(3) */
        TAILQ_HEAD(cache_list, cache_entry) by_age; /* oldest first */
        size_t count;
};

void cache_init(struct cache *cache);
void cache_clear(struct cache *cache);

/*
 * The answer about `name` that is younger than `ttl` µs, and than the status allows: true, with *ret_answer, whose
 * number is to be set; else false.
 */
bool cache_find(const struct cache *cache, const char *name, uint64_t ttl, uint64_t now, struct answer *ret_answer);

/*
 * Keeps a copy of an answer, in the place of an older one about the same name; the oldest of all goes when there are
 * CACHE_ENTRIES_MAX. Without memory it is not kept.
 */
void cache_store(struct cache *cache, const char *name, const struct answer *answer, uint64_t now);
