/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/stop.h"

#include <inttypes.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "common/log.h"
#include "fcgi-bridge/accept.h"
#include "fcgi-bridge/connection.h"
#include "fcgi-bridge/handover.h"

/* For what the web server was sending when it could not know that the bridge stops: the rest of a record; where nobody
 * takes connections over, a request. */
#define LAST_CALL_USEC UINT64_C(500000)

/* Of what the service manager grants for the end, after the drain: handover_finish(), and a slow machine. */
#define MARGIN_USEC UINT64_C(15000000)

static int on_drain_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct bridge *bridge = userdata;

        (void)source;
        (void)usec;
        log_message(LOG_WARNING, "stopping with %u connections unfinished, %u of them in a request (--drain-timeout=)",
                bridge->n_connections, bridge->n_requests);
        return sd_event_exit(bridge->event, 0);
}

static void each_connection(struct bridge *bridge, void (*visit)(struct connection *connection))
{
        struct connection *connection = LIST_FIRST(&bridge->connections), *next;

        for (; connection; connection = next) {
                next = LIST_NEXT(connection, link);
                visit(connection);
        }
}

/* What came in the same moment is still served. */
static void look_once_more(struct connection *connection)
{
        if (connection_is_idle(connection))
                connection_wake(connection);
}

static int on_last_call_over(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct bridge *bridge = userdata;

        (void)source;
        (void)usec;
        bridge->state = BRIDGE_CLOSING;
        each_connection(bridge, look_once_more);
        return 0;
}

static void last_call(struct bridge *bridge)
{
        int r;

        bridge->state = BRIDGE_LAST_CALL;
        r = sd_event_add_time_relative(
                bridge->event, NULL, CLOCK_MONOTONIC, LAST_CALL_USEC, 0, on_last_call_over, bridge);
        if (r < 0) {
                log_message(LOG_WARNING, "idle connections are closed at once: %s", strerror(-r));
                bridge->state = BRIDGE_CLOSING;
        }
}

int stop_begin(struct bridge *bridge)
{
        int r;

        if (bridge->state != BRIDGE_SERVING)
                return 0;
        sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=Finishing running requests",
                bridge->options.drain_timeout + MARGIN_USEC);
        log_message(LOG_INFO, "stopping; %u connections are open, %u of them in a request", bridge->n_connections,
                bridge->n_requests);
        accept_stop(bridge);
        r = sd_event_add_time_relative(
                bridge->event, NULL, CLOCK_MONOTONIC, bridge->options.drain_timeout, 0, on_drain_timeout, bridge);
        if (r < 0)
                return sd_event_exit(bridge->event, r);
        if (handover_room() > 0)
                bridge->state = BRIDGE_HANDING_OVER;
        else
                last_call(bridge);
        each_connection(bridge, connection_hurry);
        return bridge->n_connections == 0 ? sd_event_exit(bridge->event, 0) : 0;
}

uint64_t stop_record_timeout(const struct bridge *bridge)
{
        return bridge->state == BRIDGE_SERVING ? bridge->options.params_timeout : LAST_CALL_USEC;
}

void stop_idle_connection(struct connection *connection)
{
        struct bridge *bridge = connection->bridge;

        if (bridge->state == BRIDGE_HANDING_OVER) {
                int r = handover_give(bridge, connection->fd);

                if (r == 0) {
                        connection->handed_over = connection->dead = true;
                        return;
                }
                log_message(LOG_WARNING, "cannot hand an idle connection over to the next bridge: %s", strerror(-r));
                last_call(bridge);
        }
        /* Also when there can be no last call. */
        if (bridge->state == BRIDGE_CLOSING)
                connection->closing = true;
}

static int on_idle_exit(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct bridge *bridge = userdata;

        (void)source;
        (void)usec;
        /* One that comes from now on waits in the backlog for the next bridge. */
        sd_notify(0, "STOPPING=1\nSTATUS=Exiting for want of connections");
        log_message(LOG_INFO, "exiting: nobody has been connected for a while (--idle-exit=)");
        return sd_event_exit(bridge->event, 0);
}

int stop_start(struct bridge *bridge)
{
        if (bridge->options.idle_exit == 0)
                return 0;
        return sd_event_add_time_relative(
                bridge->event, &bridge->idle_exit, CLOCK_MONOTONIC, bridge->options.idle_exit, 0, on_idle_exit, bridge);
}

void stop_watch_idleness(struct bridge *bridge)
{
        int r;

        if (!bridge->idle_exit)
                return;
        if (bridge->n_connections > 0) {
                r = sd_event_source_set_enabled(bridge->idle_exit, SD_EVENT_OFF);
        } else {
                r = sd_event_source_set_time_relative(bridge->idle_exit, bridge->options.idle_exit);
                if (r >= 0)
                        r = sd_event_source_set_enabled(bridge->idle_exit, SD_EVENT_ONESHOT);
        }
        if (r < 0)
                log_message(LOG_WARNING, "cannot time the exit of --idle-exit=: %s", strerror(-r));
}
