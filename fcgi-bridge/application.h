/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "fcgi-bridge/record.h"
#include "fcgi-bridge/upstream.h"

/*
 * The FastCGI client side of a launch with a connection (WIRE_CONNECTION): where a launch with streams has stdin and
 * stdout, there is one socket. FCGI_STDIN goes to the application; its records, through upstream.h, become output,
 * messages and the end of the request. As with pipes nothing is queued: what the socket does not take stays in the
 * connection's input, what the web server does not take stays in the socket.
 */

struct application {
        sd_event_source *source;
        struct upstream upstream;

        /* The FCGI_STDIN record that is being sent: the last bytes of `header` that were not taken yet, and of the
         * content that it announces. That is sent from the web server's record, and comes again until it is. */
        unsigned char header[RECORD_HEADER_SIZE];
        size_t header_left, content_left;
        bool end_begun; /* `header` is that of the empty record which ends the body */
        bool blocked;   /* the socket took less than there was */
        bool deaf;      /* the application takes no more of it */
};

struct request;

/* Starts to watch the connection. `has_body`: WIRE_NO_BODY was not said. Returns 0 or a negative errno. */
int application_start(struct request *request, bool has_body);

/* Stops watching; closes nothing. */
void application_stop(struct request *request);

/* relay_stdin() and relay_end_stdin() for a connection. Before the child has said that the body may come, none is
 * taken. */
size_t application_stdin(struct request *request, const unsigned char *data, size_t length);
void application_end_stdin(struct request *request);

/* Whether it has been given the whole body, with its end, or has none coming. */
bool application_has_body(const struct request *request);

/*
 * Reads once, and gives what came its effect. Returns false when there is nothing to read now. At the application's
 * end, the connection is closed; at its FCGI_END_REQUEST, request->ended is set.
 */
bool application_read(struct request *request);

/* Watches what can go on: reading while the web server's connection has room, sending while the socket is full. */
void application_update(struct request *request);
