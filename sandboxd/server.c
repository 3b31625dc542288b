/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/server.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "common/descriptors.h"
#include "common/log.h"
#include "sandboxd/peer.h"
#include "sandboxd/request.h"

enum {
        ACCEPTS_AT_ONCE = 16, /* then others get their turn */
        PAUSE_USEC = 100000,
};

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct broker *broker = userdata;

        (void)source, (void)usec;
        broker->pause_source = sd_event_source_disable_unref(broker->pause_source);
        return broker->listen_source ? sd_event_source_set_enabled(broker->listen_source, SD_EVENT_ON) : 0;
}

static int pause_accepting(struct broker *broker, int error)
{
        int r = sd_event_add_time_relative(
                broker->event, &broker->pause_source, CLOCK_MONOTONIC, PAUSE_USEC, 0, on_pause_over, broker);

        log_message(LOG_WARNING, "accepting launches pauses for %d ms: %s", PAUSE_USEC / 1000, strerror(error));
        return r < 0 ? r : sd_event_source_set_enabled(broker->listen_source, SD_EVENT_OFF);
}

static int on_launch(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        struct broker *broker = userdata;
        /* The socket's mode says so already; a mistake there must not be anybody's way to every service. */
        const uint32_t bridges[] = {0, broker->accounts.uid[ACCOUNT_BRIDGE]};

        (void)source, (void)events;
        for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
                int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), r;

                if (connection < 0 && errno == EAGAIN)
                        return 0;
                if (connection < 0 && (errno == ECONNABORTED || errno == EINTR))
                        continue;
                if (connection < 0)
                        return pause_accepting(broker, errno);
                if (!peer_is(connection, bridges, ELEMENTS(bridges))) {
                        log_message(LOG_WARNING, "a launch connection of an account other than fcgi-bridge is closed");
                        descriptors_hang_up(connection);
                        continue;
                }
                r = request_accept(broker, connection);
                if (r < 0)
                        log_message(LOG_WARNING, "a launch is dropped: %s", strerror(-r));
        }
        return 0;
}

int server_start(struct broker *broker)
{
        int r;

        if (broker->listen_source || broker->draining)
                return 0;
        r = sd_event_add_io(broker->event, &broker->listen_source, broker->listen_fd, EPOLLIN, on_launch, broker);
        /* After whatever is known of those that are there: a client that has its response may begin the next request.
         */
        return r < 0 ? r : sd_event_source_set_priority(broker->listen_source, SD_EVENT_PRIORITY_NORMAL + 1);
}

void server_stop(struct broker *broker)
{
        broker->listen_source = sd_event_source_disable_unref(broker->listen_source);
        broker->pause_source = sd_event_source_disable_unref(broker->pause_source);
}
