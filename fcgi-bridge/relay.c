/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/relay.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "fcgi-bridge/connection.h"
#include "fcgi-bridge/request.h"

static void close_watched(sd_event_source **source, int *fd)
{
        *source = sd_event_source_disable_unref(*source);
        *fd = close_fd(*fd);
}

/* Puts output of the application into records; before its body comes its header, checked and in one form. */
void relay_output(struct request *request, const char *data, size_t length)
{
        struct connection *connection = request->connection;
        char excerpt[RESPONSE_EXCERPT_SIZE];
        size_t used = 0;
        int r;

        if (!request->header_sent) {
                r = response_feed(&request->response, data, length, &used);
                if (r < 0) {
                        response_excerpt(&request->response, excerpt);
                        request_fail(request, 502, "%s; its first line: \"%s\"", request->response.problem, excerpt);
                        return;
                }
                if (r == 0)
                        return;
                request->header_sent = true;
                connection_send_stream(connection, FCGI_STDOUT, request->fcgi_id, request->response.header,
                        request->response.header_length);
                response_clear(&request->response);
        }
        connection_send_stream(connection, FCGI_STDOUT, request->fcgi_id, data + used, length - used);
}

static void log_line(const char *line, void *userdata)
{
        request_log(userdata, LOG_INFO, "stderr: %s", line);
}

void relay_errors(struct request *request, const char *data, size_t length)
{
        lines_feed(&request->lines, data, length, log_line, request);
        if (request->unattended)
                return;
        connection_send_stream(request->connection, FCGI_STDERR, request->fcgi_id, data, length);
        request->stderr_sent = true;
}

/*
 * Reads once from one of the application's pipes and passes it on; closes the pipe at its end. Returns false
 * when there is nothing to read now.
 */
static bool read_pipe(struct request *request, sd_event_source **source, int *fd,
        void (*pass)(struct request *request, const char *data, size_t length))
{
        char data[RELAY_CHUNK];
        ssize_t length = read(*fd, data, sizeof(data));

        if (length > 0) {
                request_drop_params(request);
                pass(request, data, (size_t)length);
        } else if (length == 0)
                close_watched(source, fd);
        else if (errno != EINTR)
                return false;
        return true;
}

static int on_stdout(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct request *request = userdata;
        struct connection *connection = request->connection;

        (void)source;
        (void)fd;
        (void)revents;
        read_pipe(request, &request->stdout_source, &request->launch.stdout_fd, relay_output);
        connection_settle(connection);
        return 0;
}

static int on_stderr(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct request *request = userdata;
        struct connection *connection = request->connection;

        (void)source;
        (void)fd;
        (void)revents;
        read_pipe(request, &request->stderr_source, &request->launch.stderr_fd, relay_errors);
        connection_settle(connection);
        return 0;
}

/* The application's stdin takes bytes again, or has been closed: the record that waits is tried again. */
static int on_stdin(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct request *request = userdata;

        (void)fd;
        (void)revents;
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
        connection_settle(request->connection);
        return 0;
}

static int on_broker(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct request *request = userdata;
        struct connection *connection = request->connection;
        struct wire_question question;
        struct wire_result result;
        int r = launch_receive(&request->launch, &question, &result);

        (void)fd;
        (void)revents;
        if (r == LAUNCH_NOTHING)
                return 0;
        if (r == LAUNCH_QUESTION) {
                request_answer(request, &question);
                connection_settle(connection);
                return 0;
        }
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (r == LAUNCH_RESULT)
                request_take_result(request, &result);
        else
                request_fail(request, 503, r == -EBADMSG ? "the broker's answer is malformed" : "the broker is gone");
        connection_settle(connection);
        return 0;
}

int relay_start(struct request *request, bool has_body)
{
        sd_event *event = request->connection->bridge->event;
        const struct launch *launch = &request->launch;
        int r;

        r = sd_event_add_io(event, &request->broker_source, launch->broker, EPOLLIN, on_broker, request);
        if (r < 0)
                return r;
        if (launch->kind == WIRE_CONNECTION)
                r = application_start(request, has_body);
        else
                deadline_set(request->connection, DEADLINE_OUTPUT, RELAY_OUTPUT_USEC);
        if (r < 0)
                return r;
        deadline_set(request->connection, DEADLINE_ERRORS, RELAY_ERRORS_USEC);
        return 0;
}

static void watch(
        struct request *request, sd_event_source **source, int fd, sd_event_io_handler_t handler, const char *name)
{
        int r;

        if (fd < 0 || *source)
                return;
        r = sd_event_add_io(request->connection->bridge->event, source, fd, EPOLLIN, handler, request);
        if (r < 0)
                request_fail(request, 503, "cannot watch the application's %s: %s", name, strerror(-r));
}

void relay_watch_output(struct request *request)
{
        watch(request, &request->stdout_source, request->launch.stdout_fd, on_stdout, "stdout");
}

void relay_watch_errors(struct request *request)
{
        watch(request, &request->stderr_source, request->launch.stderr_fd, on_stderr, "stderr");
}

void relay_stop(struct request *request)
{
        lines_end(&request->lines, log_line, request);
        request->broker_source = sd_event_source_disable_unref(request->broker_source);
        request->stdin_source = sd_event_source_disable_unref(request->stdin_source);
        request->stdout_source = sd_event_source_disable_unref(request->stdout_source);
        request->stderr_source = sd_event_source_disable_unref(request->stderr_source);
        application_stop(request);
        deadline_drop(request->connection, DEADLINE_OUTPUT);
        deadline_drop(request->connection, DEADLINE_ERRORS);
}

/*
 * The pipe is full: has the record that waits tried again when it is not. Most bodies go in at once, so there is no
 * source for that until now.
 */
static void await_stdin(struct request *request)
{
        sd_event *event = request->connection->bridge->event;
        int r;

        if (request->stdin_source)
                r = sd_event_source_set_enabled(request->stdin_source, SD_EVENT_ON);
        else
                r = sd_event_add_io(
                        event, &request->stdin_source, request->launch.stdin_fd, EPOLLOUT, on_stdin, request);
        if (r < 0)
                request_fail(request, 503, "cannot watch the application's stdin: %s", strerror(-r));
}

/* Writes to the application's stdin, which is made non-blocking first. */
static ssize_t write_stdin(struct request *request, const unsigned char *data, size_t length)
{
        if (!request->stdin_ready && fcntl(request->launch.stdin_fd, F_SETFL, O_NONBLOCK) < 0)
                return -1;
        request->stdin_ready = true;
        return write(request->launch.stdin_fd, data, length);
}

size_t relay_stdin(struct request *request, const unsigned char *data, size_t length)
{
        size_t wanted = length;
        ssize_t written;

        if (request->launch.kind == WIRE_CONNECTION)
                return application_stdin(request, data, length);
        if (request->body_limited && wanted > request->body_left)
                wanted = (size_t)request->body_left;
        if (request->launch.stdin_fd < 0 || wanted == 0)
                return length;
        written = write_stdin(request, data, wanted);
        if (written < 0 && errno != EAGAIN && errno != EINTR) {
                /* EPIPE: the application has closed it. */
                close_watched(&request->stdin_source, &request->launch.stdin_fd);
                return length;
        }
        if (written > 0)
                request->body_left -= request->body_limited ? (uint64_t)written : 0;
        if (written == (ssize_t)wanted)
                return length;
        await_stdin(request);
        return written > 0 ? (size_t)written : 0;
}

void relay_end_stdin(struct request *request)
{
        request->body_ended = true;
        if (request->launch.kind == WIRE_CONNECTION)
                application_end_stdin(request);
        else
                close_watched(&request->stdin_source, &request->launch.stdin_fd);
}

void relay_leave(struct request *request)
{
        deadline_drop(request->connection, DEADLINE_OUTPUT);
        close_watched(&request->stdin_source, &request->launch.stdin_fd);
        close_watched(&request->stdout_source, &request->launch.stdout_fd);
        close_watched(&request->application.source, &request->launch.application_fd);
        if (request->stderr_source)
                sd_event_source_set_enabled(request->stderr_source, SD_EVENT_ON);
}

void relay_update(struct request *request)
{
        int enabled = connection_has_room(request->connection) ? SD_EVENT_ON : SD_EVENT_OFF;

        /* Off, and not just without EPOLLIN: epoll(7) reports EPOLLHUP unasked, for as long as it lasts. */
        if (request->stdout_source)
                sd_event_source_set_enabled(request->stdout_source, enabled);
        if (request->stderr_source)
                sd_event_source_set_enabled(request->stderr_source, enabled);
        application_update(request);
}

void relay_drain_errors(struct request *request)
{
        while (request->launch.stderr_fd >= 0 && !request->failure && connection_has_room(request->connection))
                if (!read_pipe(request, &request->stderr_source, &request->launch.stderr_fd, relay_errors))
                        close_watched(&request->stderr_source, &request->launch.stderr_fd);
}

static bool is_over(const struct request *request)
{
        return request->failure || request->ended || !connection_has_room(request->connection);
}

void relay_drain(struct request *request)
{
        while (request->launch.stdout_fd >= 0 && !is_over(request))
                if (!read_pipe(request, &request->stdout_source, &request->launch.stdout_fd, relay_output))
                        close_watched(&request->stdout_source, &request->launch.stdout_fd);
        while (request->launch.application_fd >= 0 && !is_over(request))
                if (!application_read(request))
                        close_watched(&request->application.source, &request->launch.application_fd);
        relay_drain_errors(request);
}
