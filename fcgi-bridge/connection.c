/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/connection.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "fcgi-bridge/accept.h"
#include "fcgi-bridge/dispatch.h"
#include "fcgi-bridge/request.h"
#include "fcgi-bridge/stop.h"

/* How long a web server may take to notice that its request was answered before it had sent all of it. */
#define LINGER_USEC UINT64_C(5000000)

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *userdata);

static int start(struct connection *connection)
{
        struct bridge *bridge = connection->bridge;
        int r;

        r = buffer_init(&connection->in, RECORD_MAX);
        if (r < 0)
                return r;
        r = buffer_init(&connection->out, CONNECTION_OUT_SIZE);
        if (r < 0)
                return r;
        deadline_set(connection, DEADLINE_WORK, bridge->options.idle_timeout);
        r = sd_event_add_io(
                bridge->event, &connection->io, connection->fd, EPOLLIN | EPOLLRDHUP, on_socket, connection);
        return r < 0 ? r : 0;
}

int connection_new(struct bridge *bridge, struct door *door, int fd)
{
        struct connection *connection = calloc(1, sizeof(*connection));
        int r;

        if (!connection) {
                close_fd(fd);
                return -ENOMEM;
        }
        connection->bridge = bridge;
        connection->door = door;
        connection->fd = fd;
        LIST_INSERT_HEAD(&bridge->connections, connection, link);
        bridge->n_connections++;
        stop_watch_idleness(bridge);

        r = start(connection);
        if (r < 0)
                connection_free(connection);
        else
                connection_wake(connection);
        return r;
}

void connection_free(struct connection *connection)
{
        struct bridge *bridge = connection->bridge;

        if (connection->request)
                request_free(connection->request);
        /* Before the socket is closed: a copy elsewhere keeps it in our epoll set otherwise. */
        sd_event_source_disable_unref(connection->io);
        /* The broker may still hold the copy that came with a launch: without this the web server would not
         * see the end. */
        if (!connection->handed_over)
                shutdown(connection->fd, SHUT_RDWR);
        close_fd(connection->fd);
        buffer_clear(&connection->in);
        buffer_clear(&connection->out);
        LIST_REMOVE(connection, link);
        free(connection);

        bridge->n_connections--;
        if (bridge->state == BRIDGE_SERVING) {
                accept_resume(bridge);
                stop_watch_idleness(bridge);
        } else if (bridge->n_connections == 0)
                sd_event_exit(bridge->event, 0);
}

enum wire_kind *connection_wants(struct connection *connection)
{
        return connection->door ? &connection->door->wants : &connection->wants;
}

bool connection_has_end_of_body(const struct connection *connection, uint16_t id)
{
        const struct buffer *in = &connection->in;
        struct record params, next;

        /* The one that is being handled comes first. */
        if (record_decode(buffer_head(in), buffer_used(in), &params) <= 0 ||
                record_decode(buffer_head(in) + params.size, buffer_used(in) - params.size, &next) <= 0)
                return false;
        return next.type == FCGI_STDIN && next.id == id && next.length == 0;
}

bool connection_is_idle(const struct connection *connection)
{
        return !connection->request && !connection->closing && !connection->lingering &&
               buffer_used(&connection->in) == 0 && buffer_used(&connection->out) == 0;
}

bool connection_has_room(const struct connection *connection)
{
        return buffer_used(&connection->out) <= CONNECTION_OUT_BOUND;
}

void connection_send(struct connection *connection, const unsigned char *record, size_t size)
{
        buffer_append(&connection->out, record, size);
}

void connection_send_stream(struct connection *connection, uint8_t type, uint16_t id, const char *data, size_t length)
{
        static const unsigned char zeroes[8];
        unsigned char header[RECORD_HEADER_SIZE];

        while (length > 0) {
                size_t part = length < RECORD_CONTENT_MAX ? length : RECORD_CONTENT_MAX;
                size_t padding = record_padding(part);

                record_header(header, type, id, part, padding);
                buffer_append(&connection->out, header, sizeof(header));
                buffer_append(&connection->out, data, part);
                buffer_append(&connection->out, zeroes, padding);
                data += part;
                length -= part;
        }
}

/* Section 3.3: a stream ends with a record of no content. */
void connection_end_stream(struct connection *connection, uint8_t type, uint16_t id)
{
        unsigned char header[RECORD_HEADER_SIZE];

        record_header(header, type, id, 0, 0);
        buffer_append(&connection->out, header, sizeof(header));
}

void connection_lose(struct connection *connection)
{
        connection->gone = connection->dead = true;
}

/* One read an event: a fast web server must not keep the loop to itself. */
static void receive(struct connection *connection)
{
        size_t room = buffer_room(&connection->in);
        ssize_t received;

        if (room == 0)
                return;
        received = recv(connection->fd, buffer_tail(&connection->in, room), room, MSG_DONTWAIT);
        if (received > 0)
                buffer_commit(&connection->in, (size_t)received);
        else if (received == 0 || (errno != EAGAIN && errno != EINTR))
                connection_lose(connection);
}

/* What has come of the next record belongs to nothing that has a time limit, and yet to this process. */
static void limit_record(struct connection *connection)
{
        if (connection->request || buffer_used(&connection->in) == 0 || deadline_is_set(connection, DEADLINE_RECORD))
                return;
        deadline_set(connection, DEADLINE_RECORD, stop_record_timeout(connection->bridge));
}

/* Handles the records that are whole, up to one that has to wait. */
static void handle_records(struct connection *connection)
{
        connection->stalled = false;
        for (;;) {
                struct record record;
                int r;

                if (connection->request)
                        request_advance(connection->request);
                if (connection->dead || connection->closing)
                        return;
                r = record_decode(buffer_head(&connection->in), buffer_used(&connection->in), &record);
                if (r > 0)
                        r = connection_has_room(connection) ? dispatch_record(connection, &record) : DISPATCH_WAIT;
                else if (r == 0) {
                        limit_record(connection);
                        return;
                } else
                        log_message(LOG_WARNING, "connection closed: not FastCGI version 1");
                if (r == DISPATCH_WAIT) {
                        connection->stalled = true;
                        return;
                }
                if (r < 0) {
                        connection->dead = true;
                        return;
                }
                buffer_consume(&connection->in, record.size);
                connection->content_done = 0;
                deadline_drop(connection, DEADLINE_RECORD);
        }
}

static void limit_sending(struct connection *connection, bool progress)
{
        if (buffer_used(&connection->out) == 0)
                deadline_drop(connection, DEADLINE_SEND);
        else if (progress || !deadline_is_set(connection, DEADLINE_SEND))
                deadline_set(connection, DEADLINE_SEND, connection->bridge->options.send_timeout);
}

void connection_flush(struct connection *connection)
{
        size_t waiting = buffer_used(&connection->out);
        ssize_t sent = 0;

        if (waiting > 0) {
                sent = send(connection->fd, buffer_head(&connection->out), waiting, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (sent > 0)
                        buffer_consume(&connection->out, (size_t)sent);
                else if (sent < 0 && errno != EAGAIN && errno != EINTR)
                        connection_lose(connection);
        }
        limit_sending(connection, sent > 0);
}

/*
 * All is sent, and there will be no other request. If the web server is still sending the body, closing now
 * would make the kernel answer its bytes with a reset, which may overtake our response: so shut our
 * direction, let it see the end, and discard what it sends until it closes.
 */
static void close_or_linger(struct connection *connection)
{
        if (!connection->stdin_open || shutdown(connection->fd, SHUT_WR) < 0) {
                connection->dead = true;
                return;
        }
        connection->lingering = true;
        deadline_set(connection, DEADLINE_WORK, LINGER_USEC);
}

static void update_events(struct connection *connection)
{
        /* Always: a web server that has gone is noticed, even while nothing is read from it. */
        uint32_t events = EPOLLRDHUP;

        if (!connection->stalled)
                events |= EPOLLIN;
        if (buffer_used(&connection->out) > 0)
                events |= EPOLLOUT;
        if (connection->request && request_is_draining(connection->request))
                events |= EPOLLOUT; /* wakes the drain up: see request_is_draining() */
        if (sd_event_source_set_io_events(connection->io, events) < 0)
                connection->dead = true;
}

/* Nothing is read or sent any more. The web server is to see the end at once, should it still be there. */
static bool goes_on(struct connection *connection)
{
        if (!connection->gone || !connection->request || !request_goes_on(connection->request))
                return false;
        if (sd_event_source_set_enabled(connection->io, SD_EVENT_OFF) < 0)
                return false;
        shutdown(connection->fd, SHUT_RDWR);
        return true;
}

void connection_settle(struct connection *connection)
{
        bool had_room;

        /* A record that waited for room in the output is tried again as soon as sending makes some: with the output
         * empty, no event would come to do it. */
        do {
                if (!connection->dead && !connection->lingering)
                        handle_records(connection);
                had_room = connection_has_room(connection);
                if (!connection->dead && !connection->lingering)
                        connection_flush(connection);
        } while (!connection->dead && connection->stalled && !had_room && connection_has_room(connection));
        if (!connection->dead && connection->bridge->state != BRIDGE_SERVING && connection_is_idle(connection))
                stop_idle_connection(connection);
        if (!connection->dead && connection->closing && !connection->lingering && buffer_used(&connection->out) == 0)
                close_or_linger(connection);
        if (connection->lingering || connection->closing)
                buffer_consume(&connection->in, buffer_used(&connection->in));
        if (!connection->dead)
                update_events(connection);
        if (!connection->dead && connection->request)
                relay_update(connection->request);
        if (connection->dead && !goes_on(connection))
                connection_free(connection);
}

void connection_hurry(struct connection *connection)
{
        deadline_drop(connection, DEADLINE_RECORD);
        connection_settle(connection);
}

void connection_wake(struct connection *connection)
{
        receive(connection);
        connection_settle(connection);
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct connection *connection = userdata;

        (void)source;
        (void)fd;
        /*
         * EPOLLRDHUP counts as gone too. A web server that gives a request up closes its end, and over TCP
         * that looks no different from one that shuts only its sending direction; none is known to do the
         * latter.
         */
        if (revents & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) {
                if (connection->request)
                        request_log(connection->request, LOG_INFO, "the web server closed the connection");
                connection_lose(connection);
        } else if (revents & EPOLLIN)
                receive(connection);
        connection_settle(connection);
        return 0;
}
