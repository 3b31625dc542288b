/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/deadline.h"

#include <string.h>
#include <syslog.h>
#include <time.h>

#include "common/log.h"
#include "fcgi-bridge/connection.h"
#include "fcgi-bridge/request.h"

enum { ACCURACY_USEC = 1000 }; /* how late it may go off, so that wake-ups fall together */

static int arm(struct bridge *bridge, uint64_t at)
{
        int r = sd_event_source_set_time(bridge->timer, at);

        if (r >= 0)
                r = sd_event_source_set_enabled(bridge->timer, SD_EVENT_ONESHOT);
        if (r >= 0)
                bridge->timer_at = at;
        return r;
}

static void expire_work(struct connection *connection)
{
        if (connection->request)
                request_expire(connection->request);
        else
                connection->dead = true;
}

static void expire_sending(struct connection *connection)
{
        if (connection->request)
                request_log(connection->request, LOG_NOTICE, "aborted: the web server stopped reading");
        connection_lose(connection);
}

/* It has passed. The connection may be gone afterwards. */
static void act(struct connection *connection, enum deadline which)
{
        switch (which) {
        case DEADLINE_WORK:
                expire_work(connection);
                break;
        case DEADLINE_RECORD:
                log_message(LOG_INFO, "connection closed: a record came only in part");
                connection->dead = true;
                break;
        case DEADLINE_SEND:
                expire_sending(connection);
                break;
        case DEADLINE_OUTPUT:
                if (connection->request)
                        relay_watch_output(connection->request);
                break;
        case DEADLINE_ERRORS:
                if (connection->request)
                        relay_watch_errors(connection->request);
                break;
        case DEADLINES:
                break;
        }
        connection_settle(connection);
}

/* One at a time: the connection may be gone afterwards. A second one keeps the timer at a time that has passed. */
static void expire(struct connection *connection, uint64_t now)
{
        for (enum deadline which = 0; which < DEADLINES; which++)
                if (deadline_is_set(connection, which) && connection->deadlines[which] <= now) {
                        deadline_drop(connection, which);
                        act(connection, which);
                        return;
                }
}

static uint64_t earliest_of(const struct connection *connection)
{
        uint64_t earliest = UINT64_MAX;

        for (enum deadline which = 0; which < DEADLINES; which++)
                if (deadline_is_set(connection, which) && connection->deadlines[which] < earliest)
                        earliest = connection->deadlines[which];
        return earliest;
}

static uint64_t earliest_of_all(const struct bridge *bridge)
{
        const struct connection *connection;
        uint64_t earliest = UINT64_MAX;

        LIST_FOREACH (connection, &bridge->connections, link) {
                /* cppcheck-suppress uninitvar ; it does not see through the list's macros */
                uint64_t at = earliest_of(connection);

                if (at < earliest)
                        earliest = at;
        }
        return earliest;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct bridge *bridge = userdata;
        struct connection *connection, *next;
        uint64_t now, earliest;
        int r;

        (void)source;
        (void)usec;
        bridge->timer_at = UINT64_MAX;
        r = sd_event_now(bridge->event, CLOCK_MONOTONIC, &now);
        for (connection = LIST_FIRST(&bridge->connections); r >= 0 && connection; connection = next) {
                next = LIST_NEXT(connection, link);
                expire(connection, now);
        }
        earliest = earliest_of_all(bridge);
        if (r >= 0 && earliest < bridge->timer_at)
                r = arm(bridge, earliest);
        if (r < 0) {
                log_message(LOG_ERR, "cannot keep time any more: %s", strerror(-r));
                return sd_event_exit(bridge->event, r);
        }
        return 0;
}

int deadline_start(struct bridge *bridge)
{
        int r = sd_event_add_time(
                bridge->event, &bridge->timer, CLOCK_MONOTONIC, UINT64_MAX, ACCURACY_USEC, on_timer, bridge);

        bridge->timer_at = UINT64_MAX;
        return r < 0 ? r : 0;
}

void deadline_set(struct connection *connection, enum deadline which, uint64_t usec)
{
        struct bridge *bridge = connection->bridge;
        uint64_t now, at;

        if (sd_event_now(bridge->event, CLOCK_MONOTONIC, &now) < 0) {
                connection->dead = true;
                return;
        }
        at = now + usec;
        connection->deadlines[which] = at;
        if (at < bridge->timer_at && arm(bridge, at) < 0)
                connection->dead = true;
}

void deadline_drop(struct connection *connection, enum deadline which)
{
        connection->deadlines[which] = 0;
}

bool deadline_is_set(const struct connection *connection, enum deadline which)
{
        return connection->deadlines[which] > 0;
}
