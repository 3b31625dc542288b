/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "fcgi-bridge/bridge.h"
#include "fcgi-bridge/buffer.h"
#include "fcgi-bridge/deadline.h"
#include "fcgi-bridge/record.h"
#include "fcgi-bridge/relay.h"
#include "fcgi-bridge/response.h"

/*
 * A connection from the web server: its bytes in and out, its time limits, and the one request on it.
 *
 * One request at a time on a connection (the bridge says so in FCGI_MPXS_CONNS): the records of several would
 * have to be read as they come, so an application that does not read its body would either stop the others
 * (head-of-line blocking) or have its body queued without limit. With one, back-pressure is simply not
 * reading the connection. No web server known to us multiplexes.
 *
 * Every event handler of a connection and of its request changes their state and then calls
 * connection_settle() as the very last thing; nothing else closes a connection, so nothing is freed under the
 * feet of a caller.
 */

enum {
        /* More than this waiting for the web server: nothing that adds to it is read. */
        CONNECTION_OUT_BOUND = 64 * 1024,
        /* What one step below the bound can add: a response header, one read of each pipe, their record
           headers. */
        CONNECTION_OUT_SIZE = CONNECTION_OUT_BOUND + RESPONSE_HEADER_MAX + 2 * RELAY_CHUNK + 1024,
};

struct request;

struct connection {
        struct bridge *bridge;
        LIST_ENTRY(connection) link;
        int fd;
        sd_event_source *io;
        uint64_t deadlines[DEADLINES]; /* CLOCK_MONOTONIC; 0: none. See deadline.h */
        struct door *door;             /* where it was accepted; NULL: by an earlier bridge */
        enum wire_kind wants;          /* what the broker wants here next; without a door to remember it */

        struct buffer in, out;
        size_t content_done; /* of the first record in `in`: content that was passed on already */
        bool stalled;        /* the first record in `in` is whole but has to wait */

        struct request *request; /* or NULL between requests */
        bool keep;               /* FCGI_KEEP_CONN of the latest request */
        bool stdin_open;         /* the web server has not ended the body of the latest request */
        bool closing;            /* no further request: close when `out` is empty */
        bool lingering;          /* our direction is shut; the rest of what the web server sends is discarded */
        bool handed_over;        /* the service manager has a copy: closing ours must not end the connection */
        bool dead;               /* close now */
        bool gone;               /* dead, for the web server has gone: the application may go on for a while */
};

/*
 * Takes over the connected socket `fd`, also on failure; it must be non-blocking. `door` is where it was accepted, or
 * NULL. Serves what has arrived on it already, which may be its end. Returns 0 or a negative errno.
 */
int connection_new(struct bridge *bridge, struct door *door, int fd);

/* Closes the connection and ends its request without an answer. Not from within its handlers: see
 * connection_settle(). */
void connection_free(struct connection *connection);

/* The web server has gone, or takes no bytes any more: request_goes_on() says what becomes of its request. */
void connection_lose(struct connection *connection);

/*
 * Brings a connection in line with its state: handles the records that wait, moves the request on, sends what
 * can be sent, and decides which events come next. Closes and frees it if that is due: the caller must not
 * touch it afterwards.
 */
void connection_settle(struct connection *connection);

/*
 * True between requests, when all is sent and nothing of a next request has been read: another process could go on
 * with the socket as it is.
 */
bool connection_is_idle(const struct connection *connection);

/* Begins the time limit of a record that has come in part anew: stop_record_timeout(). Then settles. */
void connection_hurry(struct connection *connection);

/* Reads what has arrived, as if an event had told so, and settles. */
void connection_wake(struct connection *connection);

/* Which kind of launch the broker wants next for what comes in where this connection did. */
enum wire_kind *connection_wants(struct connection *connection);

/* Whether the next record, which has come, is the one that ends the body of request `id`. */
bool connection_has_end_of_body(const struct connection *connection, uint16_t id);

/* True while so little is waiting for the web server that more may be produced. */
bool connection_has_room(const struct connection *connection);

/*
 * Queues bytes for the web server: a whole record, or stream content that is put into as many records as it
 * needs (an empty one would end the stream: see connection_end_stream()). The caller has checked
 * connection_has_room() before the step.
 */
void connection_send(struct connection *connection, const unsigned char *record, size_t size);
void connection_send_stream(struct connection *connection, uint8_t type, uint16_t id, const char *data, size_t length);
void connection_end_stream(struct connection *connection, uint8_t type, uint16_t id);

/* Sends at once what can be sent of that; connection_settle() does so by itself. */
void connection_flush(struct connection *connection);
