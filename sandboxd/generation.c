/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/generation.h"

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "common/cleanup.h"
#include "common/helper.h"
#include "common/log.h"
#include "sandboxd/access.h"
#include "sandboxd/pool.h"
#include "sandboxd/stop.h"
#include "sandboxd/warm.h"

enum { YIELDING_SECONDS = 1800, LOAD_SECONDS = 90, LARGE_MAP = 10000 /* rules */ };

void generation_hold(struct generation *generation)
{
        generation->references++;
}

void generation_release(struct generation *generation)
{
        if (--generation->references > 0)
                return;
        for (size_t i = 0; i < generation->index.header->services.count; i++) {
                struct service *service = &generation->services[i];

                pool_close(service);
                if (service->cgroup_open)
                        cgroup_service_close(&service->cgroup);
        }
        free(generation->services);
        index_close(&generation->index);
        free(generation);
}

void generation_hold_map(struct generation *generation)
{
        generation->map_references++;
}

/* The memory of a large map is not given back in an instant: another process is the last to have it. */
void generation_release_map(struct generation *generation)
{
        int pidfd = -1;
        struct clone_args arguments = {
                .flags = CLONE_PIDFD, .exit_signal = SIGCHLD, .pidfd = (uint64_t)(uintptr_t)&pidfd};
        long pid;

        if (--generation->map_references > 0)
                return;
        pid = map_count(&generation->map) > LARGE_MAP ? syscall(SYS_clone3, &arguments, sizeof(arguments)) : -1;
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
                sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
                for (;;)
                        pause();
        }
        map_close(&generation->map);
        if (pid > 0)
                helper_end_later(generation->broker->event, pidfd, NULL);
}

static struct generation *generation_new(struct broker *broker, const struct index *index, const struct map *map)
{
        struct generation *generation = calloc(1, sizeof(*generation));
        size_t n = index->header->services.count;

        if (generation)
                generation->services = calloc(n ? n : 1, sizeof(*generation->services));
        if (!generation || !generation->services) {
                free(generation);
                return NULL;
        }
        generation->broker = broker;
        generation->index = *index;
        generation->map = *map;
        generation->number = ++broker->generations;
        generation->references = generation->map_references = 1;
        for (size_t i = 0; i < n; i++) {
                struct service *service = &generation->services[i];

                service->generation = generation;
                service->config = &index_services(index)[i];
                service->name = index_text(index, service->config->name);
                TAILQ_INIT(&service->zygotes);
        }
        return generation;
}

static void announce(const struct generation *generation)
{
        const struct index_header *header = generation->index.header;

        log_message(LOG_NOTICE, "configuration %u in force: %u services, %u identity rules, SELinux contexts %s",
                generation->number, header->services.count, map_count(&generation->map),
                index_applies_contexts(&generation->index) ? "applied" : "not applied");
        if (header->contexts_unused > 0)
                log_message(LOG_WARNING,
                        "%u contexts in the configuration are not applied: the kernel runs no SELinux, or "
                        "SELinux=off; SELinux=require in sandboxd.conf refuses to start instead",
                        header->contexts_unused);
        sd_notifyf(0, "READY=1\nSTATUS=%u services, %u identity rules in force", header->services.count,
                map_count(&generation->map));
}

/* Idle zygotes of the old generation end here; the rest of it when its last request does. */
static void replace(struct broker *broker, struct generation *generation)
{
        struct generation *old = broker->current;

        broker->current = generation;
        announce(generation);
        if (!old)
                return;
        for (size_t i = 0; i < old->index.header->services.count; i++)
                if (old->services[i].n_requests == 0)
                        pool_close(&old->services[i]);
        warm_retire(broker, old);
        generation_release_map(old);
        generation_release(old);
}

/* Takes a compiled configuration over. Returns 0, or a negative errno: then it is still the caller's. */
static int put_in_force(struct broker *broker, const struct index *index, const struct map *map)
{
        const char *reason = access_prepare(broker->event, index->header);
        struct generation *generation;

        if (reason) {
                log_message(LOG_ERR, "%s", reason);
                return -EINVAL;
        }
        generation = generation_new(broker, index, map);
        if (!generation)
                return -ENOMEM;
        replace(broker, generation);
        return 0;
}

/* The next broker can start with what is on disk: this one may go, unless there is something to do by now. */
static void stop_if_idle(struct broker *broker)
{
        if (broker->n_requests > 0 || broker->load_again)
                return;
        log_message(LOG_INFO, "nothing to do for %ju seconds; the next launch starts sandboxd again",
                (uintmax_t)(broker->options.idle_exit / 1000000));
        stop_begin(broker);
}

static void loaded(struct broker *broker, int error, struct index *index, struct map *map)
{
        bool to_stop = broker->load_to_stop;

        broker->load_to_stop = false;
        if (error == 0 && to_stop) {
                index_close(index);
                map_close(map);
                stop_if_idle(broker);
                return;
        }
        if (error == 0) {
                error = put_in_force(broker, index, map);
                if (error == 0)
                        return;
                index_close(index);
                map_close(map);
        }
        log_message(LOG_ERR, "configuration in %s refused: %s; %s", broker->options.config_directory,
                error == -EINVAL ? "the messages above say where" : strerror(-error),
                broker->current ? "the one before stays in force" : "there is none to run with");
        if (broker->current)
                sd_notify(0, "READY=1\nSTATUS=new configuration refused, the one before is in force");
        else
                sd_event_exit(broker->event, -EINVAL);
}

static void forget_load(struct broker *broker)
{
        broker->load_source = sd_event_source_disable_unref(broker->load_source);
        broker->load_timer = sd_event_source_disable_unref(broker->load_timer);
}

static int end_load(struct broker *broker, int error, struct index *index, struct map *map)
{
        forget_load(broker);
        loaded(broker, error, index, map);
        if (!broker->load_again)
                return 0;
        broker->load_again = false;
        return generation_load(broker);
}

static int start_load(struct broker *broker, bool yields);

static int on_compiler_end(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        struct broker *broker = userdata;
        struct index index;
        struct map map;
        int r = load_finish(&broker->load, &index, &map);

        (void)source, (void)fd, (void)events;
        return end_load(broker, r, &index, &map);
}

static int on_compiler_late(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct broker *broker = userdata;

        (void)source, (void)usec;
        load_cancel(&broker->load);
        if (broker->load_yields) { /* requests have left it too little of the processor */
                forget_load(broker);
                return start_load(broker, false);
        }
        return end_load(broker, -ETIMEDOUT, &(struct index){.fd = -1}, &(struct map){.fd = -1});
}

static int start_load(struct broker *broker, bool yields)
{
        int r = load_start(broker->options.libexec_directory, broker->options.config_directory,
                broker->cgroups.controllers, &broker->accounts, yields, &broker->load);

        broker->load_yields = yields;
        if (r < 0) {
                log_message(LOG_ERR, "cannot start %s/sandboxd-compile: %s", broker->options.libexec_directory,
                        strerror(-r));
                sd_notify(0, broker->current ? "READY=1" : "STATUS=no configuration");
                return broker->current ? 0 : r;
        }
        r = sd_event_add_io(broker->event, &broker->load_source, broker->load.pidfd, EPOLLIN, on_compiler_end, broker);
        if (r >= 0)
                r = sd_event_add_time_relative(broker->event, &broker->load_timer, CLOCK_MONOTONIC,
                        (yields ? YIELDING_SECONDS : LOAD_SECONDS) * UINT64_C(1000000), 0, on_compiler_late, broker);
        if (r < 0) {
                forget_load(broker);
                load_cancel(&broker->load);
        }
        return r;
}

int generation_load(struct broker *broker)
{
        if (!broker->load_source)
                return start_load(broker, broker->current != NULL);
        broker->load_again = true;
        return 0;
}
