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

#include "common/cleanup.h"
#include "common/log.h"
#include "fcgi-bridge/accept.h"
#include "fcgi-bridge/activation.h"
#include "fcgi-bridge/bridge.h"
#include "fcgi-bridge/confine.h"
#include "fcgi-bridge/connection.h"
#include "fcgi-bridge/handover.h"
#include "fcgi-bridge/stop.h"

/* A connection's own; a request's pipes and launch connection; the loop, the log, the doors, a launch under
 * way. */
enum {
        DESCRIPTORS_PER_CONNECTION = 1,
        DESCRIPTORS_PER_REQUEST = 4,
        DESCRIPTORS_OTHER = 64,
};

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
        (void)source;
        (void)info;
        return stop_begin(userdata);
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

/* Raises the soft limit to what the limits on connections and requests need, if there is so much. Returns it. */
static int raise_descriptor_limit(const struct options *options, rlim_t *ret_limit)
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
        if (limit.rlim_cur < needed) {
                limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
                if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                        return -errno;
        }
        *ret_limit = limit.rlim_cur;
        return 0;
}

static int start(struct bridge *bridge)
{
        rlim_t limit = 0;
        int r;

        r = confine_check_identity();
        if (r < 0)
                return r;
        /* Before anything is opened: what is handed in may have taken all descriptors. */
        r = raise_descriptor_limit(&bridge->options, &limit);
        if (r < 0)
                return r;
        r = activation_take(bridge, limit > DESCRIPTORS_OTHER ? limit - DESCRIPTORS_OTHER : 0);
        if (r < 0)
                return r;
        r = open_loop(bridge);
        if (r < 0)
                return r;
        r = deadline_start(bridge);
        if (r < 0)
                return r;
        r = accept_start(bridge);
        if (r < 0)
                return r;
        r = stop_start(bridge);
        if (r < 0)
                return r;
        r = confine_enter();
        if (r < 0)
                return r;
        /* Last: were it to end before, the next one could still have them. */
        return handover_take(bridge);
}

static int serve(struct bridge *bridge)
{
        int r;

        sd_notifyf(0, "READY=1\nSTATUS=Serving %zu sockets", bridge->n_doors);
        log_message(LOG_INFO, "serving %zu sockets and %u connections handed over; launches go to %s", bridge->n_doors,
                bridge->n_connections, bridge->options.launch_socket);
        r = sd_event_loop(bridge->event);
        if (r < 0)
                log_message(LOG_ERR, "the event loop failed: %s", strerror(-r));
        return r;
}

static void finish(struct bridge *bridge)
{
        bridge->state = BRIDGE_CLOSING;
        accept_stop(bridge);
        while (!LIST_EMPTY(&bridge->connections))
                connection_free(LIST_FIRST(&bridge->connections));
        handover_finish(bridge);
        activation_release(bridge);
        sd_event_source_disable_unref(bridge->idle_exit);
        sd_event_source_disable_unref(bridge->timer);
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
