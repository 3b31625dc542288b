/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <sys/un.h>
#include <systemd/sd-event.h>

#include "common/wire.h"
#include "fcgi-bridge/launch.h"
#include "fcgi-bridge/options.h"

/*
 * What one process of the bridge has once; every connection points to it.
 *
 * The way of a request through the files: accept (a connection comes in) → connection (its bytes) → record
 * (cut into records) → dispatch (what each record means) → params and selectors (who asks for what) → request
 * (its states) → launch (the broker starts it) → relay (bytes both ways), with application and upstream for FastCGI
 * applications → response (the header of the answer) → conclude (its end). deadline keeps the time. activation takes
 * over what systemd hands in at the start, stop and handover end the process without losing a connection.
 */

struct connection;
LIST_HEAD(connection_list, connection);

/* A listening socket, and its event source while connections are accepted. As long as the bridge. */
struct door {
        struct bridge *bridge;
        int fd;
        sd_event_source *source;
        enum wire_kind wants; /* what the broker has last said that it wants here */
};

enum bridge_state {
        BRIDGE_SERVING,
        /* The others from SIGTERM on: no new connection; what is running finishes. A connection between requests is */
        BRIDGE_HANDING_OVER, /* given to the service manager, for the next bridge */
        BRIDGE_LAST_CALL,    /* or, where that is not possible, kept open for a moment */
        BRIDGE_CLOSING,      /* and then closed. */
};

struct bridge {
        enum bridge_state state;
        struct options options;
        struct sockaddr_un launch_address;
        sd_event *event;

        struct door *doors;
        size_t n_doors;
        sd_event_source *accept_retry; /* a pause after accept(2) failed */
        bool full;                     /* at --max-connections, and said so in the log */

        char **names; /* of all that was handed in */
        int *taken;   /* connections of the bridge before, until they are among `connections` */
        size_t n_taken;
        unsigned n_handed_over; /* connections given away for the next one */

        sd_event_source *idle_exit; /* with --idle-exit=; runs while there is no connection */

        sd_event_source *timer; /* of all connections, for the earliest of their deadlines, or earlier */
        uint64_t timer_at;
        struct launch_random random;

        struct connection_list connections;
        unsigned n_connections;
        unsigned n_requests;
};
