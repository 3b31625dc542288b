/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/pool.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "common/descriptors.h"
#include "common/helper.h"
#include "common/log.h"
#include "common/timer.h"
#include "sandboxd/generation.h"
#include "sandboxd/request.h"

enum {
        BACKOFF_USEC = 1000000,   /* after a zygote that failed to start */
        PATIENCE_USEC = 10000000, /* for an answer; a bind of a dead network file system can hang a start for ever */
};

/* Takes the zygote out of its service and tells who waits for it; each of those holds the generation until
 * then. */
static void zygote_free(struct zygote *zygote, const struct zygote_answer *why)
{
        struct service *service = zygote->service;
        struct request *request;

        TAILQ_REMOVE(&service->zygotes, zygote, link);
        service->n_zygotes--;
        sd_event_source_disable_unref(zygote->control_source);
        sd_event_source_disable_unref(zygote->patience_source);
        descriptors_hang_up(zygote->process.control);
        helper_end_later(service->generation->broker->event, zygote->process.pidfd, NULL); /* whatever it is doing */
        cgroup_end_keepers(&service->cgroup, zygote->number);
        while ((request = TAILQ_FIRST(&zygote->waiting))) {
                TAILQ_REMOVE(&zygote->waiting, request, waiting);
                request_spawn_failed(request, why->step, why->error, why->detail);
        }
        free(zygote);
}

static void zygote_failed(struct zygote *zygote, const struct zygote_answer *answer)
{
        struct service *service = zygote->service;
        char reason[512];

        service->failure = *answer;
        if (!zygote->ready)
                service->not_before = broker_now(service->generation->broker) + BACKOFF_USEC;
        step_describe(reason, sizeof(reason), answer->step, answer->error, answer->detail);
        log_request(LOG_ERR, NULL, service->name, "zygote failed: %s", reason);
        generation_hold(service->generation);
        zygote_free(zygote, answer);
        generation_release(service->generation);
}

/* One that ends by itself, or says what nobody asked. */
static void zygote_lost(struct zygote *zygote, int error)
{
        struct zygote_answer answer = {.step = zygote->ready ? STEP_CLONE : STEP_START, .error = -error};

        snprintf(answer.detail, sizeof(answer.detail), "%s",
                zygote->ready ? "the zygote ended" : "the zygote ended before it was ready");
        zygote_failed(zygote, &answer);
}

static int on_patience_over(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct zygote *zygote = userdata;

        if (zygote->patience > 0 && zygote->patience <= usec)
                zygote_lost(zygote, -ETIMEDOUT);
        else if (zygote->patience > 0)
                return timer_by(sd_event_source_get_event(source), &zygote->patience_source, zygote->patience,
                        on_patience_over, zygote);
        return 0;
}

/* While somebody waits, the clock runs, anew with each answer. */
static int set_patience(struct zygote *zygote)
{
        struct broker *broker = zygote->service->generation->broker;

        zygote->patience = 0;
        if (zygote->ready && TAILQ_EMPTY(&zygote->waiting))
                return 0;
        zygote->patience = broker_now(broker) + PATIENCE_USEC;
        return timer_by(broker->event, &zygote->patience_source, zygote->patience, on_patience_over, zygote);
}

static void take_answer(struct zygote *zygote, const struct zygote_answer *answer)
{
        struct request *request = TAILQ_FIRST(&zygote->waiting);

        TAILQ_REMOVE(&zygote->waiting, request, waiting);
        set_patience(zygote);
        if (answer->keeper >= 0)
                request->leaf->keeper = answer->keeper;
        if (answer->pidfd >= 0)
                request_spawned(request, answer->pidfd);
        else
                request_spawn_failed(request, answer->step, answer->error, answer->detail);
}

static bool is_expected(const struct zygote *zygote, const struct zygote_answer *answer)
{
        const struct request *request = TAILQ_FIRST(&zygote->waiting);

        if (answer->keeper >= 0 && !(request && request->leaf && request->leaf->keeper < 0))
                return false;
        return zygote->ready ? request && request->number == answer->number : answer->number == 0;
}

static int on_zygote_answer(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        struct zygote *zygote = userdata;
        struct zygote_answer answer;
        int r = zygote_receive(&zygote->process, MSG_DONTWAIT, &answer);

        (void)source, (void)fd, (void)events;
        if (r == -EAGAIN)
                return 0;
        if (r == 0 && !is_expected(zygote, &answer)) {
                close_fd(answer.pidfd);
                close_fd(answer.keeper);
                r = -EBADMSG;
        }
        if (r < 0)
                zygote_lost(zygote, r);
        else if (zygote->ready)
                take_answer(zygote, &answer);
        else if (answer.step != STEP_NONE)
                zygote_failed(zygote, &answer);
        else {
                zygote->ready = true;
                set_patience(zygote);
        }
        return 0;
}

int pool_open(struct service *service)
{
        const struct generation *generation = service->generation;
        char name[96];
        int r;

        if (service->cgroup_open)
                return 0;
        snprintf(name, sizeof(name), "%s.%u", service->name, generation->number);
        r = cgroup_service_open(&generation->broker->cgroups, service->config, name,
                generation->broker->accounts.uid[ACCOUNT_ZYGOTE], &service->cgroup);
        service->cgroup_open = r == 0;
        return r;
}

static int zygote_new(struct service *service, const struct identity *identity, struct zygote **ret_zygote)
{
        struct broker *broker = service->generation->broker;
        struct zygote_start start = {
                .libexec = broker->options.libexec_directory,
                .index_fd = service->generation->index.fd,
                .service = (size_t)(service->config - index_services(&service->generation->index)),
                .uid = broker->accounts.uid[ACCOUNT_ZYGOTE],
                .gid = broker->accounts.gid[ACCOUNT_ZYGOTE],
                .cgroup = service->cgroup.zygotes,
        };
        struct zygote *zygote = calloc(1, sizeof(*zygote));
        int r;

        if (!zygote)
                return -ENOMEM;
        r = zygote_start(&start, &zygote->process);
        if (r < 0) {
                free(zygote);
                return r;
        }
        zygote->service = service;
        if (identity)
                zygote->identity = *identity;
        TAILQ_INIT(&zygote->waiting);
        TAILQ_INSERT_TAIL(&service->zygotes, zygote, link);
        service->n_zygotes++;
        zygote->number = ++service->last_zygote;
        r = sd_event_add_io(
                broker->event, &zygote->control_source, zygote->process.control, EPOLLIN, on_zygote_answer, zygote);
        if (r >= 0)
                r = set_patience(zygote);
        if (r < 0) {
                zygote_free(zygote, &(struct zygote_answer){0});
                return r;
        }
        *ret_zygote = zygote;
        return 0;
}

/* `identity` is NULL where one zygote serves all. */
static struct zygote *find(struct service *service, const struct identity *identity)
{
        struct zygote *zygote;

        TAILQ_FOREACH (zygote, &service->zygotes, link)
                if (!identity || identity_equal(&zygote->identity, identity))
                        return zygote;
        return NULL;
}

/* Makes room for one more: the one that has been idle longest goes. */
static bool make_room(struct service *service)
{
        struct zygote *zygote, *oldest = NULL;

        if (service->n_zygotes < POOL_ZYGOTES_MAX)
                return true;
        TAILQ_FOREACH (zygote, &service->zygotes, link)
                if (TAILQ_EMPTY(&zygote->waiting) && zygote->ready &&
                        (!oldest || zygote->last_used < oldest->last_used))
                        oldest = zygote;
        if (!oldest)
                return false;
        zygote_free(oldest, &(struct zygote_answer){0});
        return true;
}

static int find_or_start(struct service *service, const struct identity *identity, struct zygote **ret_zygote)
{
        struct zygote *zygote = find(service, identity);

        if (zygote) {
                *ret_zygote = zygote;
                return 0;
        }
        if (broker_now(service->generation->broker) < service->not_before)
                return -EHOSTDOWN;
        if (!make_room(service))
                return -EAGAIN;
        return zygote_new(service, identity, ret_zygote);
}

int pool_zygote(struct request *request, struct zygote **ret_zygote)
{
        struct service *service = request->service;
        bool per_identity = service->config->flags & INDEX_PER_IDENTITY;
        int r = pool_open(service);

        return r < 0 ? r : find_or_start(service, per_identity ? &request->decision.identity : NULL, ret_zygote);
}

int pool_spawn(
        struct zygote *zygote, struct request *request, struct spawn_request *spawn, const int *fds, size_t n_fds)
{
        int r = zygote_send(&zygote->process, spawn, fds, n_fds);

        if (r < 0)
                return r;
        zygote->last_used = broker_now(request->broker);
        request->zygote = zygote;
        TAILQ_INSERT_TAIL(&zygote->waiting, request, waiting);
        if (zygote->ready && TAILQ_FIRST(&zygote->waiting) == request)
                set_patience(zygote);
        return 0;
}

void pool_close(struct service *service)
{
        const struct zygote_answer ended = {.step = STEP_CLONE, .error = ESHUTDOWN, .detail = "the service is closing"};
        struct zygote *zygote, *next;

        for (zygote = TAILQ_FIRST(&service->zygotes); zygote; zygote = next) {
                next = TAILQ_NEXT(zygote, link);
                zygote_free(zygote, &ended);
        }
}
