/* SPDX-License-Identifier: Apache-2.0 */

/*
 * fcgi-bridge: an unprivileged FastCGI Responder in front of the broker sandboxd. One process, one event
 * loop, one connection to the broker for each request. bridge.h names the files in the order of a request's
 * way.
 */

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "fcgi-bridge/accept.h"
#include "fcgi-bridge/bridge.h"
#include "fcgi-bridge/confine.h"
#include "fcgi-bridge/connection.h"

/* A connection's own; a request's pipes and launch connection; the loop, the log, the doors, a launch under
 * way. */
enum {
        DESCRIPTORS_PER_CONNECTION = 1,
        DESCRIPTORS_PER_REQUEST = 4,
        DESCRIPTORS_OTHER = 64,
};

static int on_drain_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct bridge *bridge = userdata;

        (void)source;
        (void)usec;
        log_message(LOG_WARNING, "stopping with %u requests unfinished (--drain-timeout=)", bridge->n_requests);
        return sd_event_exit(bridge->event, 0);
}

/* Closes the connections that are between requests; the others close after the one that they are in. */
static void drain_connections(struct bridge *bridge)
{
        struct connection *connection = LIST_FIRST(&bridge->connections), *next;

        for (; connection; connection = next) {
                next = LIST_NEXT(connection, link);
                connection->keep = false;
                connection_settle(connection);
        }
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
        struct bridge *bridge = userdata;
        int r;

        (void)source;
        (void)info;
        if (bridge->stopping)
                return 0;
        bridge->stopping = true;
        sd_notify(0, "STOPPING=1\nSTATUS=Finishing running requests");
        log_message(LOG_INFO, "stopping; %u requests are running", bridge->n_requests);
        accept_stop(bridge);
        drain_connections(bridge);
        if (bridge->n_connections == 0)
                return sd_event_exit(bridge->event, 0);
        r = sd_event_add_time_relative(
                bridge->event, NULL, CLOCK_MONOTONIC, bridge->options.drain_timeout, 0, on_drain_timeout, bridge);
        return r < 0 ? sd_event_exit(bridge->event, r) : 0;
}

static int block_signals(void)
{
        sigset_t mask;

        /* A web server or application that has gone shows as EPIPE. */
        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
                return -errno;
        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGINT);
        return sigprocmask(SIG_BLOCK, &mask, NULL) < 0 ? -errno : 0;
}

static int open_loop(struct bridge *bridge)
{
        int r;

        r = block_signals();
        if (r < 0)
                return r;
        r = sd_event_new(&bridge->event);
        if (r < 0)
                return r;
        r = sd_event_add_signal(bridge->event, NULL, SIGTERM, on_stop, bridge);
        if (r < 0)
                return r;
        r = sd_event_add_signal(bridge->event, NULL, SIGINT, on_stop, bridge);
        if (r < 0)
                return r;
        return sd_event_set_watchdog(bridge->event, 1);
}

/* Raises the soft limit to what the limits on connections and requests need. */
static int raise_descriptor_limit(const struct options *options)
{
        rlim_t needed = (rlim_t)options->max_connections * DESCRIPTORS_PER_CONNECTION +
                        (rlim_t)options->max_requests * DESCRIPTORS_PER_REQUEST + DESCRIPTORS_OTHER;
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return -errno;
        if (limit.rlim_max < needed)
                log_message(LOG_WARNING,
                        "%ju descriptors are needed at the limits, LimitNOFILE= allows %ju: connections may "
                        "have to wait",
                        (uintmax_t)needed, (uintmax_t)limit.rlim_max);
        if (limit.rlim_cur >= needed)
                return 0;
        limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
        return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

static int start(struct bridge *bridge)
{
        int r;

        r = confine_check_identity();
        if (r < 0)
                return r;
        r = accept_take_doors(bridge);
        if (r < 0)
                return r;
        r = raise_descriptor_limit(&bridge->options);
        if (r < 0)
                return r;
        r = open_loop(bridge);
        if (r < 0)
                return r;
        r = accept_start(bridge);
        if (r < 0)
                return r;
        return confine_enter();
}

static int serve(struct bridge *bridge)
{
        int r;

        sd_notifyf(0, "READY=1\nSTATUS=Serving %zu sockets", bridge->n_doors);
        log_message(LOG_INFO, "serving %zu sockets; launches go to %s", bridge->n_doors, bridge->options.launch_socket);
        r = sd_event_loop(bridge->event);
        if (r < 0)
                log_message(LOG_ERR, "the event loop failed: %s", strerror(-r));
        return r;
}

static void finish(struct bridge *bridge)
{
        bridge->stopping = true;
        accept_stop(bridge);
        while (!LIST_EMPTY(&bridge->connections))
                connection_free(LIST_FIRST(&bridge->connections));
        sd_event_unref(bridge->event);
}

int main(int argc, char **argv)
{
        struct bridge bridge = {.launch_address.sun_family = AF_UNIX};
        int r;

        r = options_parse(argc, argv, &bridge.options);
        if (r != 0)
                return r > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        log_open("fcgi-bridge");
        if (bridge.options.debug)
                log_set_level(LOG_DEBUG);
        /* options_parse() has checked that it fits. */
        memcpy(bridge.launch_address.sun_path, bridge.options.launch_socket, strlen(bridge.options.launch_socket));
        LIST_INIT(&bridge.connections);

        r = start(&bridge);
        if (r < 0)
                log_message(LOG_ERR, "cannot start: %s", strerror(-r));
        else
                r = serve(&bridge);
        finish(&bridge);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
