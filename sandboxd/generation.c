/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/generation.h"

#include <string.h>
#include <sys/epoll.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "sandboxd/access.h"
#include "sandboxd/pool.h"
#include "sandboxd/stop.h"

enum { LOAD_SECONDS = 90 };

void generation_hold(struct generation *generation)
{
        generation->references++;
}

void generation_release(struct generation *generation)
{
        const struct cgroups *cgroups = &generation->broker->cgroups;

        if (--generation->references > 0)
                return;
        for (size_t i = 0; i < generation->index.header->services.count; i++) {
                struct service *service = &generation->services[i];

                pool_close(service);
                if (service->cgroup_open)
                        cgroup_service_close(cgroups, &service->cgroup);
        }
        free(generation->services);
        index_close(&generation->index);
        free(generation);
}

static struct generation *generation_new(struct broker *broker, struct index *index)
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
        generation->number = ++broker->generations;
        generation->references = 1;
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
                generation->number, header->services.count, header->rules.count,
                index_applies_contexts(&generation->index) ? "applied" : "not applied");
        if (header->contexts_unused > 0)
                log_message(LOG_WARNING,
                        "%u contexts in the configuration are not applied: the kernel runs no SELinux, or "
                        "SELinux=off; "
                        "SELinux=require in sandboxd.conf refuses to start instead",
                        header->contexts_unused);
        sd_notifyf(0, "READY=1\nSTATUS=%u services, %u identity rules in force", header->services.count,
                header->rules.count);
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
        generation_release(old);
}

/* Takes a compiled index over. Returns 0, or a negative errno: then it is still the caller's. */
static int put_in_force(struct broker *broker, struct index *index)
{
        const char *reason = access_prepare(broker->event, index->header);
        struct generation *generation;

        if (reason) {
                log_message(LOG_ERR, "%s", reason);
                return -EINVAL;
        }
        generation = generation_new(broker, index);
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
                (uintmax_t)(broker->idle_exit / 1000000));
        stop_begin(broker);
}

static void loaded(struct broker *broker, int error, struct index *index)
{
        bool to_stop = broker->load_to_stop;

        broker->load_to_stop = false;
        if (error == 0 && to_stop) {
                index_close(index);
                stop_if_idle(broker);
                return;
        }
        if (error == 0) {
                error = put_in_force(broker, index);
                if (error == 0)
                        return;
                index_close(index);
        }
        log_message(LOG_ERR, "configuration in %s refused: %s; %s", broker->config_directory,
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

static int on_compiler_end(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        struct broker *broker = userdata;
        struct index index;
        int r;

        (void)source, (void)fd, (void)events;
        forget_load(broker);
        r = load_finish(&broker->load, &index);
        loaded(broker, r, &index);
        if (broker->load_again) {
                broker->load_again = false;
                return generation_load(broker);
        }
        return 0;
}

static int on_compiler_late(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct broker *broker = userdata;

        (void)source, (void)usec;
        forget_load(broker);
        load_cancel(&broker->load);
        loaded(broker, -ETIMEDOUT, &(struct index){.fd = -1});
        return 0;
}

int generation_load(struct broker *broker)
{
        int r;

        if (broker->load_source) {
                broker->load_again = true;
                return 0;
        }
        r = load_start(broker->libexec_directory, broker->config_directory, broker->cgroups.controllers,
                &broker->accounts, &broker->load);
        if (r < 0) {
                log_message(LOG_ERR, "cannot start %s/sandboxd-compile: %s", broker->libexec_directory, strerror(-r));
                sd_notify(0, broker->current ? "READY=1" : "STATUS=no configuration");
                return broker->current ? 0 : r;
        }
        r = sd_event_add_io(broker->event, &broker->load_source, broker->load.pidfd, EPOLLIN, on_compiler_end, broker);
        if (r >= 0)
                r = sd_event_add_time_relative(broker->event, &broker->load_timer, CLOCK_MONOTONIC,
                        LOAD_SECONDS * UINT64_C(1000000), 0, on_compiler_late, broker);
        if (r < 0) {
                forget_load(broker);
                load_cancel(&broker->load);
        }
        return r;
}
