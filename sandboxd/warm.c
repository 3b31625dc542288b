/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/warm.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "common/descriptors.h"
#include "common/log.h"
#include "sandboxd/generation.h"
#include "sandboxd/launch.h"
#include "sandboxd/pool.h"
#include "sandboxd/request.h"

enum {
        QUEUE_SIZE = 1 << 20,    /* bytes of requests that wait for a child */
        LAST_WORD_USEC = 5000000 /* from the killing of a child until the zygote says that it has ended */
};

static struct warm *of(struct warm_member *member)
{
        return (struct warm *)member;
}

static uint64_t key_of(const struct request *request)
{
        const struct map_rule *rule = &request->decision.rule;

        return warm_key(request->service->name, &request->decision.identity,
                rule->flags & MAP_NICE ? rule->nice : request->service->config->nice);
}

static struct warm_member *find(const struct request *request)
{
        return warm_pool_find(&request->broker->warm, request->service, &request->decision.identity, key_of(request));
}

enum wire_kind warm_wants(const struct request *request)
{
        bool connections = request->service->config->type == INDEX_TYPE_FASTCGI;

        return connections && warm_pool_serves(&request->broker->warm, request->service) ? WIRE_CONNECTION
                                                                                         : WIRE_STREAMS;
}

/* --- the end of a zygote --- */

static void log_warm(int priority, const struct warm *warm, const char *what, const char *detail)
{
        log_request(priority, NULL, warm->start->service->name, "application zygote of uid %u: %s%s%s",
                warm->member.identity->uid, what, *detail ? ": " : "", detail);
}

static void log_line(const char *line, void *userdata)
{
        log_warm(LOG_INFO, userdata, "it writes", line);
}

/* From now on nobody listens to it: dying, it could go on talking. */
static void end(struct warm *warm, const char *reason)
{
        sd_event_source_set_enabled(warm->control_source, SD_EVENT_OFF);
        request_end(warm->start, WIRE_BUSY, reason);
}

/* At the end of the queue spare children exit; those that serve go on, and warm_leave() sees the last. */
static void retire(struct warm *warm, const char *reason)
{
        if (warm->member.state == WARM_RETIRING)
                return;
        log_warm(LOG_DEBUG, warm, "retired", reason);
        warm->member.state = WARM_RETIRING;
        warm->sockets.queue = descriptors_hang_up(warm->sockets.queue);
        if (warm->member.n_requests == 0)
                end(warm, reason);
}

void warm_retire(struct broker *broker, const struct generation *generation)
{
        struct warm_member *member, *next;

        for (member = TAILQ_FIRST(&broker->warm); member; member = next) {
                next = TAILQ_NEXT(member, link);
                if (!generation || of(member)->start->service->generation == generation)
                        retire(of(member), generation ? "the configuration has changed" : "sandboxd is stopping");
        }
}

/* Those that no child has taken can be launched again. */
static void abandon(struct request *request)
{
        if (request->ending)
                request_ended(request, SIGKILL);
        else if (request->slot < 0)
                request_refuse(request, WIRE_AGAIN, "the application zygote ended before a child took it");
        else
                request_fail(request, WIRE_FAILED, EOWNERDEAD, "the application zygote ended");
}

static void log_failure(const struct warm *warm, const char *reason)
{
        struct broker *broker = warm->start->broker;
        uint64_t pause = warm_failed(&broker->sightings, warm->member.key, broker_now(broker));
        char text[512];

        snprintf(text, sizeof(text), "%s; requests run cold, and none is started for %ju s", reason,
                (uintmax_t)(pause / 1000000));
        log_warm(LOG_WARNING, warm, warm->member.state == WARM_STARTING ? "not started" : "ended", text);
}

void warm_ended(struct warm *warm, const char *reason)
{
        struct broker *broker = warm->start->broker;

        lines_end(&warm->lines, log_line, warm);
        if (warm->member.state != WARM_RETIRING)
                log_failure(warm, reason);
        TAILQ_REMOVE(&broker->warm, &warm->member, link);
        while (!TAILQ_EMPTY(&warm->requests))
                abandon(TAILQ_FIRST(&warm->requests));
        sd_event_source_disable_unref(warm->control_source);
        sd_event_source_disable_unref(warm->errors_source);
        sd_event_source_disable_unref(warm->idle_source);
        warm_sockets_close(&warm->sockets);
        for (unsigned i = 0; i < warm->n_slots; i++)
                cgroup_leaf_return(&warm->group, warm->slots[i]);
        cgroup_service_close(&warm->group);
        free(warm);
}

/* --- slots --- */

/* Gives a slot a group; what is still in the one that it had is killed. */
static int set_slot(struct warm *warm, unsigned number)
{
        const struct warm_slot slot = {.magic = WARM_MAGIC, .slot = number};
        struct cgroup_leaf *leaf, *old = warm->slots[number];
        int r = cgroup_leaf_take(&warm->group, warm->member.identity->uid, 0, &leaf);

        if (r < 0)
                return r;
        r = descriptors_send(
                warm->sockets.control, &slot, sizeof(slot), (const int[]){leaf->folder, leaf->events}, WARM_SLOT_FDS);
        if (r < 0) {
                cgroup_leaf_return(&warm->group, leaf);
                return r;
        }
        warm->slots[number] = leaf;
        if (old)
                cgroup_leaf_kill(&warm->group, old);
        return 0;
}

/* A zygote that cannot be told which group comes next has to go: the old one must be killed. */
static void replace_slot(struct warm *warm, unsigned number)
{
        if (number >= warm->n_slots || set_slot(warm, number) < 0)
                end(warm, "a child's control group cannot be replaced");
}

/* What it leaves behind makes its slot dirty. */
static void kill_child(struct warm *warm, unsigned number)
{
        const struct warm_slot slot = {.magic = WARM_MAGIC, .slot = number, .n_ended = warm->n_ended[number]};

        if (number >= warm->n_slots || descriptors_send(warm->sockets.control, &slot, sizeof(slot), NULL, 0) < 0)
                end(warm, "a child cannot be killed");
}

static void add_slots(struct warm *warm)
{
        unsigned wanted = warm_slots_wanted(&warm->member, warm->start->service->config);

        /* One that cannot be made is one child less: requests wait a little longer. */
        while (warm->n_slots < wanted && set_slot(warm, warm->n_slots) == 0)
                warm->n_slots++;
}

/* --- the start of a zygote --- */

static int on_event(sd_event_source *source, int fd, uint32_t events, void *userdata);

static int on_errors(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        struct warm *warm = userdata;
        char data[1024];
        ssize_t n = read(fd, data, sizeof(data));

        (void)events;
        if (n > 0)
                lines_feed(&warm->lines, data, (size_t)n, log_line, warm);
        else if (n == 0 || errno != EAGAIN)
                sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

static int open_group(struct warm *warm)
{
        struct service *service = warm->start->service;
        struct broker *broker = warm->start->broker;
        char name[CGROUP_NAME_SIZE];
        int r = pool_open(service);

        if (r < 0)
                return r;
        snprintf(name, sizeof(name), "%.90s/warm.%ju", service->cgroup.name, (uintmax_t)warm->start->number);
        r = cgroup_service_open(&broker->cgroups, service->config, name, warm->member.identity->uid, &warm->group);
        if (r == 0 && warm->group.folder < 0)
                r = -ENOTSUP;
        return r < 0 ? r : cgroup_service_lend(&warm->group, broker->accounts.uid[ACCOUNT_ZYGOTE]);
}

static int prepare(struct warm *warm)
{
        sd_event *event = warm->start->broker->event;
        struct warm_sockets *sockets = &warm->sockets;
        int *fds = warm->start->fds, r = open_group(warm);

        if (r == 0)
                r = warm_sockets_open(sockets, QUEUE_SIZE);
        if (r < 0)
                return r;
        fds[WIRE_FD_STDIN] = take_fd(&sockets->streams[STDIN_FILENO]);
        fds[WIRE_FD_STDOUT] = take_fd(&sockets->streams[STDOUT_FILENO]);
        fds[WIRE_FD_STDERR] = take_fd(&sockets->streams[STDERR_FILENO]);
        fds[WIRE_FD_ENVIRONMENT] = memfd_create("environment", MFD_CLOEXEC);
        if (fds[WIRE_FD_ENVIRONMENT] < 0)
                return -errno;
        r = sd_event_add_io(event, &warm->control_source, sockets->control, EPOLLIN, on_event, warm);
        return r < 0 ? r : sd_event_add_io(event, &warm->errors_source, sockets->errors, EPOLLIN, on_errors, warm);
}

/* One for the identity of `like`, a request or another zygote's start. */
static struct warm *warm_new(const struct request *like)
{
        struct warm *warm = calloc(1, sizeof(*warm));
        struct request *start = warm ? request_new(like->broker) : NULL;
        const struct map_rule *rule = &like->decision.rule;

        if (!start) {
                free(warm);
                return NULL;
        }
        start->starts = warm;
        start->bridge_gone = true;
        start->service = like->service;
        generation_hold(start->service->generation);
        start->decision.identity = like->decision.identity;
        start->decision.rule =
                (struct map_rule){.source = start->rule_source, .flags = rule->flags, .nice = rule->nice};
        memcpy(start->wire.request_id, like->wire.request_id, sizeof(start->wire.request_id));
        warm->start = start;
        warm->member = (struct warm_member){
                .service = start->service, .identity = &start->decision.identity, .key = key_of(start)};
        warm->group.folder = warm->group.zygotes = -1;
        warm_sockets_init(&warm->sockets);
        TAILQ_INIT(&warm->requests);
        TAILQ_INSERT_TAIL(&like->broker->warm, &warm->member, link);
        return warm;
}

static void start(const struct request *like)
{
        struct broker *broker = like->broker;
        struct warm_member *victim;
        struct warm *warm;
        int r;

        if (broker->draining || !warm_pool_room(&broker->warm, &victim))
                return;
        if (victim)
                retire(of(victim), "others are used more");
        warm = warm_new(like);
        if (!warm)
                return;
        r = prepare(warm);
        if (r == 0)
                launch_request(warm->start);
        else
                request_refuse(warm->start, WIRE_FAILED,
                        r == -ENOTSUP ? "Warm= needs version 2 control groups that sandboxd may divide (Delegate=)"
                                      : strerror(-r));
}

/* --- what a zygote and its children say --- */

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct warm *warm = userdata;
        uint64_t idle = warm->start->service->config->warm_idle, due = warm->member.last_used + idle;

        if (warm->member.n_requests == 0 && usec >= due) {
                retire(warm, "WarmIdleSec= has passed");
                return 0;
        }
        sd_event_source_set_time(source, due > usec ? due : usec + idle);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void ready(struct warm *warm, int kibibytes)
{
        struct broker *broker = warm->start->broker;
        uint64_t max = broker->current->index.header->warm_memory_max;
        struct warm_member *other;

        if (warm->member.state != WARM_STARTING)
                return;
        /* It alone would send away all the others, and then itself. */
        if (kibibytes < 0 || (uint64_t)kibibytes * 1024 > max) {
                end(warm, "it alone is larger than WarmMemoryMax=");
                return;
        }
        warm->start->deadline = 0;
        warm->member.state = WARM_SERVING;
        warm->member.memory = (uint64_t)kibibytes * 1024;
        warm_pool_use(&broker->warm, &warm->member, broker_now(broker));
        log_warm(LOG_INFO, warm, "ready", "");
        while ((other = warm_pool_stale(&broker->warm, &warm->member)))
                retire(of(other), "another one takes over");
        while ((other = warm_pool_too_large(&broker->warm, max)))
                retire(of(other), "WarmMemoryMax= is reached");
        if (warm->member.state != WARM_SERVING)
                return;
        warm_succeeded(&broker->sightings, warm->member.key);
        add_slots(warm);
        if (sd_event_add_time_relative(broker->event, &warm->idle_source, CLOCK_MONOTONIC,
                    warm->start->service->config->warm_idle, 0, on_idle, warm) < 0)
                end(warm, "no memory for a timer");
}

/* It serves on until another one is ready. One that nobody has asked for anything just goes: no request, no start. */
static void renew(struct warm *warm, const char *what, const char *detail)
{
        if (warm->member.state != WARM_SERVING)
                return;
        log_warm(LOG_INFO, warm, what, detail);
        if (!warm->member.asked) {
                retire(warm, what);
                return;
        }
        warm->member.state = WARM_OUTDATED;
        start(warm->start);
}

void warm_neglected(struct request *request)
{
        renew(request->warm, "renewed", "none of its children takes a request");
}

static void taken(struct warm *warm, const struct warm_event *event)
{
        struct request *request;

        TAILQ_FOREACH (request, &warm->requests, waiting)
                if (request->number == event->number && request->slot < 0) {
                        request->slot = (int)event->slot;
                        warm->last_taken = broker_now(request->broker);
                        return;
                }
        kill_child(warm, event->slot); /* nobody waits for it any more */
}

static void child_ended(struct warm *warm, const struct warm_event *event)
{
        struct request *request;

        warm->n_ended[event->slot]++;
        if (warm_child_ended(&warm->member, event->value))
                renew(warm, "renewed", "its children crash, and all have the same address space layout");
        TAILQ_FOREACH (request, &warm->requests, waiting)
                if (request->slot == (int)event->slot) {
                        request_ended(request, event->value);
                        return;
                }
}

static void hear(struct warm *warm, const struct warm_event *event)
{
        switch (event->kind) {
        case WARM_READY:
                ready(warm, event->value);
                break;
        case WARM_TAKEN:
                taken(warm, event);
                break;
        case WARM_ENDED:
                child_ended(warm, event);
                break;
        case WARM_DIRTY:
                replace_slot(warm, event->slot);
                break;
        case WARM_STALE:
                renew(warm, "renewed, for a file has changed", event->detail);
                break;
        default: /* WARM_UNFIT, WARM_TROUBLE */
                log_warm(LOG_WARNING, warm, event->kind == WARM_UNFIT ? "unfit to be forked" : "in trouble",
                        event->detail);
                end(warm, event->kind == WARM_UNFIT ? "it is unfit to be forked" : "it cannot go on");
                break;
        }
}

static int on_event(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        struct warm *warm = userdata;
        struct warm_event event;
        size_t n_fds = 0;
        ssize_t n = descriptors_receive(fd, &event, sizeof(event), NULL, 0, &n_fds, MSG_DONTWAIT);

        (void)source, (void)events;
        if (n == -EAGAIN)
                return 0;
        if (n > 0 && warm_check_event(&event, (size_t)n, n_fds) == 0) {
                hear(warm, &event);
                return 0;
        }
        end(warm, n == 0 || n == -ECONNRESET ? "it has ended" : "it says what nobody understands");
        return 0;
}

/* --- requests --- */

bool warm_serve(struct request *request)
{
        const struct index_service *config = request->service->config;
        struct broker *broker = request->broker;
        struct warm_request message;
        struct warm_member *member;

        if (request->starts || !(config->flags & INDEX_WARM))
                return false;
        member = find(request);
        if (warm_pool_wants(&broker->warm, member) &&
                warm_sighted(&broker->sightings, key_of(request), broker_now(broker)))
                start(request);
        if (!warm_serves(member) ||
                request->wire.kind != (config->type == INDEX_TYPE_FASTCGI ? WIRE_CONNECTION : WIRE_STREAMS))
                return false;
        warm_init_request(&message, &request->wire, request->address, request->number);
        /* A queue that is full, or whose other end is gone: cold, then. */
        if (launch_set_deadline(request) < 0 ||
                descriptors_send(of(member)->sockets.queue, &message, warm_request_size(&message),
                        &request->fds[WIRE_FD_FRONT + 1], warm_request_fds(message.kind)) < 0)
                return false;
        request->warm = of(member);
        request->slot = -1;
        TAILQ_INSERT_TAIL(&of(member)->requests, request, waiting);
        member->asked = true;
        member->n_requests++;
        member->n_active++;
        warm_pool_use(&broker->warm, member, broker_now(broker));
        add_slots(of(member));
        return true;
}

static void on_silence(struct request *request)
{
        end(request->warm, "a child was killed, and it does not say so");
}

void warm_kill(struct request *request)
{
        kill_child(request->warm, (unsigned)request->slot);
        if (request_set_deadline(request, LAST_WORD_USEC, on_silence) < 0)
                on_silence(request);
}

void warm_leave(struct request *request)
{
        struct warm *warm = request->warm;

        TAILQ_REMOVE(&warm->requests, request, waiting);
        request->warm = NULL;
        warm->member.last_used = broker_now(request->broker);
        if (--warm->member.n_requests == 0 && warm->member.state == WARM_RETIRING)
                end(warm, "retired");
}
