/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/accept.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "fcgi-bridge/connection.h"

enum {
        ACCEPT_BATCH = 16,              /* connections taken in one event, so that running requests get their turn */
        ACCEPT_RETRY_USEC = 200 * 1000, /* pause when descriptors or memory have run out */
};

static void set_doors(struct bridge *bridge, int enabled)
{
        for (size_t i = 0; i < bridge->n_doors; i++)
                if (bridge->doors[i].source)
                        sd_event_source_set_enabled(bridge->doors[i].source, enabled);
}

/* Ends a pause: what was missing may have come back. */
static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct bridge *bridge = userdata;

        (void)source;
        (void)usec;
        if (!bridge->full)
                set_doors(bridge, SD_EVENT_ON);
        return 0;
}

/*
 * The waiting connection keeps the listening socket readable, so without a pause the loop would spin.
 */
static void pause_doors(struct bridge *bridge, int error)
{
        log_message(LOG_WARNING, "cannot accept connections for the moment: %s", strerror(error));
        if (sd_event_source_set_time_relative(bridge->accept_retry, ACCEPT_RETRY_USEC) < 0 ||
                sd_event_source_set_enabled(bridge->accept_retry, SD_EVENT_ONESHOT) < 0)
                return;
        set_doors(bridge, SD_EVENT_OFF);
}

/* accept(2), ERRORS: what concerns only the connection that was about to be accepted. */
static bool is_transient(int error)
{
        switch (error) {
        case EINTR:
        case ECONNABORTED:
        case EPERM:
        case EPROTO:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH:
                return true;
        default:
                return false;
        }
}

void accept_connection(struct bridge *bridge, struct door *door, int fd)
{
        int r = connection_new(bridge, door, fd);

        if (r < 0)
                log_message(LOG_WARNING, "cannot serve a connection: %s", strerror(-r));
}

static int on_door(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct door *door = userdata;
        struct bridge *bridge = door->bridge;

        (void)source;
        (void)revents;
        for (int i = 0; i < ACCEPT_BATCH; i++) {
                int connection_fd;

                if (bridge->n_connections >= bridge->options.max_connections) {
                        if (!bridge->full)
                                log_message(LOG_WARNING,
                                        "%u connections are open: further ones wait (--max-connections=)",
                                        bridge->n_connections);
                        bridge->full = true;
                        set_doors(bridge, SD_EVENT_OFF);
                        return 0;
                }
                connection_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (connection_fd >= 0) {
                        accept_connection(bridge, door, connection_fd);
                        continue;
                }
                if (errno == EAGAIN)
                        return 0;
                if (!is_transient(errno)) {
                        pause_doors(bridge, errno);
                        return 0;
                }
        }
        return 0;
}

int accept_start(struct bridge *bridge)
{
        int r;

        r = sd_event_add_time_relative(
                bridge->event, &bridge->accept_retry, CLOCK_MONOTONIC, ACCEPT_RETRY_USEC, 0, on_retry, bridge);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(bridge->accept_retry, SD_EVENT_OFF);
        if (r < 0)
                return r;
        for (size_t i = 0; i < bridge->n_doors; i++) {
                struct door *door = &bridge->doors[i];

                door->bridge = bridge;
                r = sd_event_add_io(bridge->event, &door->source, door->fd, EPOLLIN, on_door, door);
                if (r < 0)
                        return r;
                /* A running request comes before a new one. */
                r = sd_event_source_set_priority(door->source, SD_EVENT_PRIORITY_NORMAL + 10);
                if (r < 0)
                        return r;
        }
        return 0;
}

void accept_resume(struct bridge *bridge)
{
        if (!bridge->full || bridge->n_connections >= bridge->options.max_connections)
                return;
        bridge->full = false;
        set_doors(bridge, SD_EVENT_ON);
}

void accept_stop(struct bridge *bridge)
{
        bridge->accept_retry = sd_event_source_disable_unref(bridge->accept_retry);
        for (size_t i = 0; i < bridge->n_doors; i++) {
                bridge->doors[i].source = sd_event_source_disable_unref(bridge->doors[i].source);
                bridge->doors[i].fd = close_fd(bridge->doors[i].fd);
        }
}
