/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/application.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/cleanup.h"
#include "fcgi-bridge/request.h"

/* What one read adds to what waits for the web server: CONNECTION_OUT_SIZE has room for it. A record of one byte, the
 * shortest that is passed on, is 9 bytes here and 16 there. */
_Static_assert(RELAY_CHUNK / 9 * 16 < 2 * RELAY_CHUNK, "records get longer than the connection's buffer allows for");

/* Ends the watch and the connection: the application has closed it. */
static void close_connection(struct request *request)
{
        application_stop(request);
        request->launch.application_fd = close_fd(request->launch.application_fd);
}

/* Takes `sent` off what was given: the header's rest, content, and `tail`, which may follow as the next header. */
static size_t note_sent(struct application *application, size_t sent, size_t length, bool tail)
{
        size_t header = sent < application->header_left ? sent : application->header_left;
        size_t content = sent - header < length ? sent - header : length;

        application->header_left -= header;
        application->content_left -= content;
        application->blocked = application->header_left > 0 || content < length;
        if (tail && !application->blocked) {
                record_header(application->header, FCGI_STDIN, UPSTREAM_ID, 0, 0);
                application->header_left = RECORD_HEADER_SIZE - (sent - header - content);
                application->end_begun = true;
                application->blocked = application->header_left > 0;
        }
        return content;
}

/* Sends the rest of the header, `length` bytes of the content, and with `tail` the body's end. Returns how much of the
 * content was taken. */
static size_t send_some(struct request *request, const unsigned char *data, size_t length, bool tail)
{
        struct application *application = &request->application;
        unsigned char end[RECORD_HEADER_SIZE];
        struct iovec parts[] = {
                {application->header + RECORD_HEADER_SIZE - application->header_left, application->header_left},
                {(void *)(uintptr_t)data, length},
                {end, sizeof(end)},
        };
        const struct msghdr message = {.msg_iov = parts, .msg_iovlen = tail ? 3 : 2};
        ssize_t sent;

        record_header(end, FCGI_STDIN, UPSTREAM_ID, 0, 0);
        sent = sendmsg(request->launch.application_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
                application->deaf = true; /* EPIPE: it has closed, and its response still counts */
                return length;
        }
        return note_sent(application, sent > 0 ? (size_t)sent : 0, length, tail);
}

/* No body, or nobody who takes it. Until the child has said something, the launch may be repeated with streams. */
static bool is_discarded(const struct request *request)
{
        const struct application *application = &request->application;

        return request->launch.application_fd < 0 || application->deaf || application->end_begun ||
               (!application->upstream.must_go && !request->may_repeat);
}

size_t application_stdin(struct request *request, const unsigned char *data, size_t length)
{
        struct application *application = &request->application;
        size_t wanted = length, taken;
        bool last;

        if (is_discarded(request))
                return length;
        if (!application->upstream.go)
                return 0;
        if (request->body_limited && wanted > request->body_left)
                wanted = (size_t)request->body_left;
        if (wanted == 0)
                return length;
        last = request->body_limited && wanted == request->body_left;
        if (application->content_left == 0) {
                record_header(application->header, FCGI_STDIN, UPSTREAM_ID, wanted, 0);
                application->header_left = RECORD_HEADER_SIZE;
                application->content_left = wanted;
        }
        taken = send_some(request, data, wanted, last);
        request->body_left -= request->body_limited ? taken : 0;
        return taken == wanted ? length : taken;
}

/* Sends the empty record that ends the body (section 3.3 of the specification), or what is left of it. */
static void send_end(struct request *request)
{
        struct application *application = &request->application;

        if (request->launch.application_fd < 0 || application->deaf || !application->upstream.go)
                return;
        if (!application->end_begun) {
                record_header(application->header, FCGI_STDIN, UPSTREAM_ID, 0, 0);
                application->header_left = RECORD_HEADER_SIZE;
                application->end_begun = true;
        }
        if (application->header_left > 0)
                send_some(request, NULL, 0, false);
}

void application_end_stdin(struct request *request)
{
        if (request->application.upstream.must_go)
                send_end(request);
}

bool application_has_body(const struct request *request)
{
        const struct application *application = &request->application;

        return !application->upstream.must_go || (application->end_begun && application->header_left == 0);
}

static void end(struct request *request)
{
        const struct upstream *upstream = &request->application.upstream;

        if (upstream->protocol_status == FCGI_REQUEST_COMPLETE)
                request->ended = true;
        else
                request_fail(request, upstream->protocol_status == FCGI_OVERLOADED ? 503 : 502,
                        "the application refuses the request with protocol status %u",
                        (unsigned)upstream->protocol_status);
}

static void handle(struct request *request, const unsigned char *data, size_t length)
{
        struct upstream *upstream = &request->application.upstream;
        const char *piece;
        size_t piece_length;
        int r;

        do {
                r = upstream_next(upstream, &data, &length, &piece, &piece_length);
                if (r == UPSTREAM_STDOUT)
                        relay_output(request, piece, piece_length);
                else if (r == UPSTREAM_STDERR)
                        relay_errors(request, piece, piece_length);
                else if (r == UPSTREAM_GO && request->body_ended)
                        send_end(request);
                else if (r == UPSTREAM_END)
                        end(request);
                else if (r < 0)
                        request_fail(request, 502, "the application breaks the protocol: %s", upstream->problem);
        } while (r > UPSTREAM_NOTHING && r != UPSTREAM_END && !request->failure);
}

bool application_read(struct request *request)
{
        unsigned char data[RELAY_CHUNK];
        ssize_t length = recv(request->launch.application_fd, data, sizeof(data), MSG_DONTWAIT);

        if (length > 0) {
                request_drop_params(request);
                handle(request, data, (size_t)length);
        } else if (length == 0 || errno == ECONNRESET) /* with the body unread */
                close_connection(request);
        else if (errno != EINTR)
                return false;
        return true;
}

static int on_application(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct request *request = userdata;
        struct application *application = &request->application;
        struct connection *connection = request->connection;

        (void)source;
        (void)fd;
        if (application->blocked && revents & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
                application->blocked = false; /* a record of the body that waits is tried again */
                if (application->end_begun)
                        send_end(request);
        }
        if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR) && connection_has_room(connection))
                application_read(request);
        connection_settle(connection);
        return 0;
}

int application_start(struct request *request, bool has_body)
{
        struct application *application = &request->application;
        int r;

        *application = (struct application){0};
        upstream_init(&application->upstream, has_body);
        r = sd_event_add_io(request->connection->bridge->event, &application->source, request->launch.application_fd,
                EPOLLIN, on_application, request);
        return r < 0 ? r : 0;
}

void application_stop(struct request *request)
{
        request->application.source = sd_event_source_disable_unref(request->application.source);
}

void application_update(struct request *request)
{
        const struct application *application = &request->application;
        uint32_t events = connection_has_room(request->connection) ? EPOLLIN : 0;

        if (!application->source)
                return;
        if (application->blocked)
                events |= EPOLLOUT;
        /* Off, and not just without events: see relay_update(). */
        if (events)
                sd_event_source_set_io_events(application->source, events);
        sd_event_source_set_enabled(application->source, events ? SD_EVENT_ON : SD_EVENT_OFF);
}
