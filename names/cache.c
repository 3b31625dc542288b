/* SPDX-License-Identifier: Apache-2.0 */
#include "names/cache.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000)

struct cache_entry {
        const char *name; /* `text`; in a key that is only looked for, the caller's */
        TAILQ_ENTRY(cache_entry) link;
        uint64_t stored;
        struct answer answer;
        char text[];
};

static int compare(const void *a, const void *b)
{
        return strcmp(((const struct cache_entry *)a)->name, ((const struct cache_entry *)b)->name);
}

void cache_init(struct cache *cache)
{
        *cache = (struct cache){0};
        TAILQ_INIT(&cache->by_age);
}

static void discard(struct cache *cache, struct cache_entry *entry)
{
        tdelete(entry, &cache->by_name, compare);
        TAILQ_REMOVE(&cache->by_age, entry, link);
        cache->count--;
        free(entry);
}

void cache_clear(struct cache *cache)
{
        while (!TAILQ_EMPTY(&cache->by_age))
                discard(cache, TAILQ_FIRST(&cache->by_age));
}

static struct cache_entry *find(const struct cache *cache, const char *name)
{
        const struct cache_entry key = {.name = name};
        struct cache_entry **node = tfind(&key, &cache->by_name, compare);

        return node ? *node : NULL;
}

/* How long an answer of this status is of use, whatever its asker would take. */
static uint64_t longest(uint32_t status)
{
        switch (status) {
        case ANSWER_FOUND:
                return UINT64_MAX;
        case ANSWER_UNKNOWN:
                return CACHE_UNKNOWN_SECONDS * SECOND;
        default:
                return CACHE_UNAVAILABLE_SECONDS * SECOND;
        }
}

bool cache_find(const struct cache *cache, const char *name, uint64_t ttl, uint64_t now, struct answer *ret_answer)
{
        const struct cache_entry *entry = find(cache, name);

        if (!entry || now - entry->stored >= ttl || now - entry->stored >= longest(entry->answer.status))
                return false;
        *ret_answer = entry->answer;
        return true;
}

static struct cache_entry *new_entry(const char *name)
{
        size_t size = strlen(name) + 1;
        struct cache_entry *entry = malloc(sizeof(*entry) + size);

        if (!entry)
                return NULL;
        entry->name = memcpy(entry->text, name, size);
        return entry;
}

void cache_store(struct cache *cache, const char *name, const struct answer *answer, uint64_t now)
{
        struct cache_entry *entry = find(cache, name);

        /* A new one even so: what is not kept must not leave an older answer standing. */
        if (entry)
                discard(cache, entry);
        else if (cache->count >= CACHE_ENTRIES_MAX)
                discard(cache, TAILQ_FIRST(&cache->by_age));
        entry = new_entry(name);
        if (!entry)
                return;
        entry->stored = now;
        entry->answer = *answer;
        if (!tsearch(entry, &cache->by_name, compare)) {
                free(entry);
                return;
        }
        TAILQ_INSERT_TAIL(&cache->by_age, entry, link);
        cache->count++;
}
