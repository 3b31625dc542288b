/* SPDX-License-Identifier: Apache-2.0 */

/* How a request ends: the last of request.h. */

#include <inttypes.h>
#include <syslog.h>

#include "fcgi-bridge/error-page.h"
#include "fcgi-bridge/request.h"

/* The web server may send its next request now, or sees the connection close, as it has asked (section 5.1).
 */
static void release_connection(struct request *request)
{
        struct connection *connection = request->connection;

        request_free(request);
        if (connection->keep)
                deadline_set(connection, DEADLINE_WORK, connection->bridge->options.idle_timeout);
        else
                connection->closing = true;
}

/* Section 5.5; the streams that were begun are ended first (section 3.3). */
static void end(struct request *request, uint32_t app_status)
{
        struct connection *connection = request->connection;
        unsigned char record[RECORD_FIXED_SIZE];

        if (request->stderr_sent)
                connection_end_stream(connection, FCGI_STDERR, request->fcgi_id);
        record_end_request(record, request->fcgi_id, app_status, FCGI_REQUEST_COMPLETE);
        connection_send(connection, record, sizeof(record));
        /* First what somebody waits for. */
        connection_flush(connection);
        if (request->ended && !request->have_result)
                launch_say_done(&request->launch);
        release_connection(request);
}

/*
 * The response is not complete, and its status is on the way already. An FCGI_END_REQUEST would make a web
 * server take what it has for the whole, and perhaps cache it; a connection that closes without one tells it
 * otherwise.
 */
static void cut_off(struct request *request)
{
        struct connection *connection = request->connection;

        request_free(request);
        connection->closing = true;
}

static void answer_error(struct request *request, unsigned status)
{
        struct connection *connection = request->connection;
        char text[ERROR_PAGE_MAX];
        size_t length;

        if (request->header_sent) {
                cut_off(request);
                return;
        }
        length = error_page(text, status, request->id);
        connection_send_stream(connection, FCGI_STDOUT, request->fcgi_id, text, length);
        connection_end_stream(connection, FCGI_STDOUT, request->fcgi_id);
        end(request, 1);
}

/* The application has ended in order: its response is complete, if there is one. */
static void complete(struct request *request, uint32_t app_status)
{
        char excerpt[RESPONSE_EXCERPT_SIZE];

        if (request->header_sent) {
                connection_end_stream(request->connection, FCGI_STDOUT, request->fcgi_id);
                end(request, app_status);
                return;
        }
        response_excerpt(&request->response, excerpt);
        request_fail(request, 502,
                "the application ended with status %" PRIu32
                " before the end of its response header; its first line: \"%s\"",
                app_status, excerpt);
        answer_error(request, 502);
}

/* The result is there, and all output was read. */
static void conclude(struct request *request)
{
        const struct wire_result *result = &request->result;

        if (result->outcome != WIRE_EXITED) {
                /* The broker has logged its reason. */
                if (request->header_sent)
                        request_log(request, LOG_NOTICE, "response cut off: %s", wire_outcome_name(result->outcome));
                answer_error(request, wire_status(result->outcome));
        } else if (upstream_is_partial(&request->application.upstream)) {
                request_fail(request, 502, "the application exited within a record");
                answer_error(request, 502);
        } else
                complete(request, result->detail);
}

/* An end that comes too soon must not be taken for the body's. */
static bool has_whole_body(const struct request *request)
{
        if (request->launch.kind == WIRE_CONNECTION)
                return application_has_body(request);
        return request->body_ended || (request->body_limited && request->body_left == 0);
}

static bool may_go_on(const struct request *request)
{
        return request_is_running(request) && !request->have_result && !request->failure && !request->aborted &&
               !request->ended && request->connection->bridge->options.abort_timeout > 0 && has_whole_body(request);
}

bool request_goes_on(struct request *request)
{
        struct connection *connection = request->connection;

        if (request->ended && !request->have_result)
                launch_say_done(&request->launch);
        if (!may_go_on(request)) {
                relay_drain_errors(request);
                return false;
        }
        if (request->unattended)
                return true;
        request->unattended = true;
        request_drop_params(request);
        relay_leave(request);
        deadline_drop(connection, DEADLINE_SEND);
        deadline_set(connection, DEADLINE_WORK, connection->bridge->options.abort_timeout);
        return true;
}

void request_advance(struct request *request)
{
        /* What is left of the output is in the pipes. */
        if (request->have_result && !request->aborted && !request->failure)
                relay_drain(request);
        if (request->ended)
                relay_drain_errors(request);

        if (request->aborted) {
                request_log(request, LOG_INFO, "aborted by the web server");
                end(request, 1);
        } else if (request->failure)
                answer_error(request, request->failure);
        else if (request->ended)
                complete(request, request->application.upstream.app_status);
        else if (request->have_result && !request_is_draining(request))
                conclude(request);
}
