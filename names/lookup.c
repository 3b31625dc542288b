/* SPDX-License-Identifier: Apache-2.0 */
#include "names/lookup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names/server.h"
#include "names/worker.h"

#define TIMEOUT_MAX (UINT64_C(3600) * 1000000) /* µs; no clock is to be set beyond its end */

/* A question that waits for the look-up. */
struct asker {
        TAILQ_ENTRY(asker) link;
        struct lookup *lookup;
        uint64_t number;
        sd_event_source *timer;
};

static void asker_free(struct asker *asker)
{
        asker->lookup->names->n_questions--;
        asker->lookup->n_askers--;
        sd_event_source_disable_unref(asker->timer);
        free(asker);
}

void lookup_free(struct lookup *lookup)
{
        struct asker *next;

        if (lookup->is_waiting)
                TAILQ_REMOVE(&lookup->names->waiting, lookup, link);
        for (struct asker *asker = TAILQ_FIRST(&lookup->askers); asker; asker = next) {
                next = TAILQ_NEXT(asker, link);
                asker_free(asker);
        }
        free(lookup);
}

static void set_unavailable(struct answer *answer, const char *detail)
{
        answer_init(answer, ANSWER_UNAVAILABLE, 0);
        snprintf(answer->detail, sizeof(answer->detail), "%s", detail);
}

static int on_time_up(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct asker *asker = userdata;
        struct lookup *lookup = asker->lookup;
        struct names *names = lookup->names;
        struct answer answer;
        int r;

        (void)source, (void)usec;
        set_unavailable(&answer, "the name service did not answer in time");
        r = server_answer(names, asker->number, &answer);
        TAILQ_REMOVE(&lookup->askers, asker, link);
        asker_free(asker);
        if (lookup->is_waiting && TAILQ_EMPTY(&lookup->askers))
                lookup_free(lookup);
        return r < 0 ? sd_event_exit(names->event, r) : 0;
}

static int asker_add(struct lookup *lookup, uint64_t number, uint64_t timeout)
{
        struct asker *asker = calloc(1, sizeof(*asker));

        if (!asker)
                return -ENOMEM;
        asker->lookup = lookup;
        asker->number = number;
        TAILQ_INSERT_TAIL(&lookup->askers, asker, link);
        lookup->names->n_questions++;
        lookup->n_askers++;
        return sd_event_add_time_relative(
                lookup->names->event, &asker->timer, CLOCK_MONOTONIC, timeout, NAMES_ACCURACY, on_time_up, asker);
}

static struct lookup *find(struct names *names, const char *name)
{
        struct lookup *lookup;

        for (size_t i = 0; i < NAMES_WORKERS_MAX; i++) {
                lookup = names->workers[i].lookup;
                if (lookup && strcmp(lookup->name, name) == 0)
                        return lookup;
        }
        TAILQ_FOREACH (lookup, &names->waiting, link)
                if (strcmp(lookup->name, name) == 0)
                        return lookup;
        return NULL;
}

static struct lookup *lookup_new(struct names *names, const char name[WIRE_USER_SIZE])
{
        struct lookup *lookup = calloc(1, sizeof(*lookup));

        if (!lookup)
                return NULL;
        lookup->names = names;
        memcpy(lookup->name, name, sizeof(lookup->name));
        TAILQ_INIT(&lookup->askers);
        TAILQ_INSERT_TAIL(&names->waiting, lookup, link);
        lookup->is_waiting = true;
        return lookup;
}

int lookup_ask(struct names *names, const struct question *question)
{
        uint64_t timeout = question->timeout < TIMEOUT_MAX ? question->timeout : TIMEOUT_MAX;
        struct lookup *lookup = find(names, question->name);
        struct answer answer;
        int r;

        if (lookup && lookup->n_askers >= NAMES_ASKERS_MAX) {
                set_unavailable(&answer, "too many questions wait for this name");
                return server_answer(names, question->number, &answer);
        }
        if (!lookup)
                lookup = lookup_new(names, question->name);
        if (!lookup)
                return -ENOMEM;
        if (timeout > lookup->timeout)
                lookup->timeout = timeout;
        r = asker_add(lookup, question->number, timeout);
        return r < 0 ? r : lookup_go_on(names);
}

int lookup_finish(struct lookup *lookup, const struct answer *answer)
{
        struct names *names = lookup->names;
        const struct asker *asker;
        int r = 0;

        cache_store(&names->cache, lookup->name, answer, names_now(names));
        TAILQ_FOREACH (asker, &lookup->askers, link)
                if (r == 0)
                        r = server_answer(names, asker->number, answer);
        lookup_free(lookup);
        return r;
}

int lookup_fail(struct lookup *lookup, const char *detail)
{
        struct answer answer;

        set_unavailable(&answer, detail);
        return lookup_finish(lookup, &answer);
}

int lookup_go_on(struct names *names)
{
        struct lookup *lookup;
        int r = 0;

        while ((lookup = TAILQ_FIRST(&names->waiting)) && r == 0) {
                r = worker_ask(names, lookup);
                if (r == -EBUSY)
                        return 0;
                TAILQ_REMOVE(&names->waiting, lookup, link);
                lookup->is_waiting = false;
                if (r < 0)
                        r = lookup_fail(lookup, "no look-up can be begun");
        }
        return r;
}
