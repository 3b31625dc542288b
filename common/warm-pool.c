/* SPDX-License-Identifier: Apache-2.0 */
#include "common/warm-pool.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "common/warm.h"

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv: who makes two collide delays his own zygotes, and one other's. */
static uint64_t hash(uint64_t state, const void *data, size_t size)
{
        const unsigned char *bytes = data;

        for (size_t i = 0; i < size; i++)
                state = (state ^ bytes[i]) * UINT64_C(0x100000001b3);
        return state;
}

uint64_t warm_key(const char *service, const struct identity *identity, int nice)
{
        uint64_t state = hash(UINT64_C(0xcbf29ce484222325), service, strlen(service) + 1);

        state = hash(state, &identity->uid, sizeof(identity->uid));
        state = hash(state, &identity->gid, sizeof(identity->gid));
        state = hash(state, identity->groups, identity->n_groups * sizeof(identity->groups[0]));
        state = hash(state, identity->context, strlen(identity->context) + 1);
        return hash(state, &nice, sizeof(nice));
}

/* The entry of a key; one that was another's begins anew. */
static struct warm_sighting *find(struct warm_sightings *sightings, uint64_t key)
{
        struct warm_sighting *entry = &sightings->entry[key % WARM_SIGHTINGS];

        if (entry->key != key)
                *entry = (struct warm_sighting){.key = key};
        return entry;
}

bool warm_sighted(struct warm_sightings *sightings, uint64_t key, uint64_t now)
{
        struct warm_sighting *entry = find(sightings, key);
        bool again = entry->seen > 0 && now - entry->seen < WARM_AGAIN_USEC;

        entry->seen = now;
        return again && now >= entry->not_before;
}

uint64_t warm_failed(struct warm_sightings *sightings, uint64_t key, uint64_t now)
{
        struct warm_sighting *entry = find(sightings, key);

        entry->backoff = entry->backoff == 0 ? WARM_BACKOFF_USEC : entry->backoff * 2;
        if (entry->backoff > WARM_BACKOFF_MAX_USEC)
                entry->backoff = WARM_BACKOFF_MAX_USEC;
        entry->not_before = now + entry->backoff;
        return entry->backoff;
}

void warm_succeeded(struct warm_sightings *sightings, uint64_t key)
{
        find(sightings, key)->backoff = 0;
}

static unsigned lesser(unsigned a, unsigned b)
{
        return a < b ? a : b;
}

/* The zygote keeps the upper half of the numbers for itself, two for each slot and a few others: warm/settings.c. */
static unsigned slots_max(const struct index_service *service)
{
        uint64_t room = service->limits[RLIMIT_NOFILE] / 2;
        unsigned for_slots = room / 2 < WARM_SLOTS_MAX ? (unsigned)room / 2 : WARM_SLOTS_MAX;

        return for_slots > WARM_SLOTS_RESERVE ? for_slots - WARM_SLOTS_RESERVE : 1;
}

unsigned warm_slots_wanted(const struct warm_member *member, const struct index_service *service)
{
        unsigned done = member->n_requests - member->n_active;
        unsigned wanted = member->n_active + service->warm_spare + lesser(done, WARM_LINGERING_MAX);

        if (service->warm_children_max > 0)
                wanted = lesser(wanted, service->warm_children_max);
        return lesser(lesser(wanted, service->max_connections + service->warm_spare), slots_max(service));
}

struct warm_member *warm_pool_find(
        const struct warm_pool *pool, const void *service, const struct identity *identity, uint64_t key)
{
        static const int rank[] = {[WARM_STARTING] = 1, [WARM_OUTDATED] = 2, [WARM_SERVING] = 3};
        struct warm_member *member, *best = NULL;

        TAILQ_FOREACH (member, pool, link)
                if (member->state != WARM_RETIRING && member->key == key && member->service == service &&
                        identity_equal(member->identity, identity) &&
                        (!best || rank[member->state] > rank[best->state]))
                        best = member;
        return best;
}

bool warm_serves(const struct warm_member *member)
{
        return member && (member->state == WARM_SERVING || member->state == WARM_OUTDATED);
}

bool warm_pool_wants(const struct warm_pool *pool, const struct warm_member *member)
{
        const struct warm_member *other;

        if (!member)
                return true;
        if (member->state != WARM_OUTDATED)
                return false;
        TAILQ_FOREACH (other, pool, link)
                if (other->state == WARM_STARTING && other->key == member->key && other->service == member->service)
                        return false;
        return true;
}

bool warm_pool_serves(const struct warm_pool *pool, const void *service)
{
        const struct warm_member *member;

        TAILQ_FOREACH (member, pool, link)
                if (member->service == service && warm_serves(member))
                        return true;
        return false;
}

void warm_pool_use(struct warm_pool *pool, struct warm_member *member, uint64_t now)
{
        member->last_used = now;
        TAILQ_REMOVE(pool, member, link);
        TAILQ_INSERT_TAIL(pool, member, link);
}

static bool is_idle(const struct warm_member *member)
{
        return warm_serves(member) && member->n_requests == 0;
}

static struct warm_member *first_idle(const struct warm_pool *pool)
{
        struct warm_member *member;

        TAILQ_FOREACH (member, pool, link)
                if (is_idle(member))
                        return member;
        return NULL;
}

bool warm_pool_room(const struct warm_pool *pool, struct warm_member **ret_victim)
{
        const struct warm_member *member = NULL;
        unsigned n = 0, n_starting = 0;

        TAILQ_FOREACH (member, pool, link) {
                n++;
                if (member->state == WARM_STARTING)
                        n_starting++;
        }
        *ret_victim = n < WARM_MEMBERS_MAX ? NULL : first_idle(pool);
        return n_starting < WARM_STARTING_MAX && (n < WARM_MEMBERS_MAX || *ret_victim);
}

struct warm_member *warm_pool_too_large(const struct warm_pool *pool, uint64_t max)
{
        const struct warm_member *member;
        uint64_t sum = 0;

        TAILQ_FOREACH (member, pool, link)
                sum += member->state == WARM_RETIRING ? 0 : member->memory;
        return sum > max ? first_idle(pool) : NULL;
}

struct warm_member *warm_pool_stale(const struct warm_pool *pool, const struct warm_member *heir)
{
        struct warm_member *member;

        TAILQ_FOREACH (member, pool, link)
                if (member->state == WARM_OUTDATED && member->key == heir->key && member->service == heir->service)
                        return member;
        return NULL;
}

bool warm_child_ended(struct warm_member *member, int status)
{
        if (!WIFSIGNALED(status))
                member->n_crashes = 0;
        else if (WTERMSIG(status) != SIGKILL)
                member->n_crashes++;
        return member->n_crashes >= WARM_CRASHES_MAX;
}
