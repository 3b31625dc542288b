/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/stop.h"

#include <signal.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "common/log.h"
#include "sandboxd/generation.h"
#include "sandboxd/request.h"
#include "sandboxd/server.h"
#include "sandboxd/warm.h"

enum { DRAIN_SECONDS = 10, DRAIN_POLL_USEC = 20000 };

static int on_drain(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct broker *broker = userdata;

        if (TAILQ_EMPTY(&broker->requests))
                return sd_event_exit(broker->event, 0);
        if (usec >= broker->drain_until) {
                log_message(LOG_WARNING, "%u requests are ended after %d seconds of waiting for them",
                        broker->n_requests, DRAIN_SECONDS);
                request_end_all(broker);
                broker->drain_until = UINT64_MAX;
        }
        sd_event_source_set_time_relative(source, DRAIN_POLL_USEC);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int stop_begin(struct broker *broker)
{
        int r;

        if (broker->draining)
                return 0;
        broker->draining = true;
        broker->drain_until = broker_now(broker) + DRAIN_SECONDS * UINT64_C(1000000);
        server_stop(broker);
        warm_retire(broker, NULL);
        sd_notify(0, "STOPPING=1\nSTATUS=waiting for running requests");
        log_message(LOG_NOTICE, "stopping; %u requests are running", broker->n_requests);
        r = sd_event_add_time_relative(broker->event, &broker->drain_source, CLOCK_MONOTONIC, 0, 1, on_drain, broker);
        return r < 0 ? sd_event_exit(broker->event, r) : 0;
}

static int on_terminate(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
        struct broker *broker = userdata;

        (void)source, (void)info;
        return stop_begin(broker);
}

/*
 * Once per idle time, not once per request, the clock is looked at. The configuration is compiled once more before the
 * end: what the next broker could not start with must not cost the one that is in force.
 */
static int on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct broker *broker = userdata;
        uint64_t due = broker->last_request + broker->options.idle_exit;

        if (broker->draining)
                return 0;
        if (broker->n_requests == 0 && !broker->load_source && usec >= due) {
                generation_load(broker);
                broker->load_to_stop = broker->load_source != NULL;
        }
        sd_event_source_set_time(source, due > usec ? due : usec + broker->options.idle_exit);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int stop_set_up(struct broker *broker)
{
        int r = sd_event_add_signal(broker->event, NULL, SIGTERM, on_terminate, broker);

        if (r >= 0)
                r = sd_event_add_signal(broker->event, NULL, SIGINT, on_terminate, broker);
        if (r >= 0 && broker->options.idle_exit > 0)
                r = sd_event_add_time_relative(
                        broker->event, NULL, CLOCK_MONOTONIC, broker->options.idle_exit, 0, on_idle, broker);
        return r < 0 ? r : 0;
}
