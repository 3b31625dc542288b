/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "fcgi-bridge/error-page.h"
#include "fcgi-bridge/selectors.h"

enum { REASON_SIZE = 512 };

void request_log(const struct request *request, int priority, const char *format, ...)
{
        char text[LINES_LENGTH + REASON_SIZE];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        log_request(priority, request->id, NULL, "%s", text);
}

void request_fail(struct request *request, unsigned status, const char *format, ...)
{
        char reason[REASON_SIZE];
        va_list arguments;

        if (request->failure)
                return;
        request->failure = status;
        va_start(arguments, format);
        vsnprintf(reason, sizeof(reason), format, arguments);
        va_end(arguments);
        if (request->header_sent)
                request_log(request, LOG_WARNING, "response cut off: %s", reason);
        else
                request_log(request, LOG_WARNING, "answered %u: %s", status, reason);
}

int request_begin(struct connection *connection, uint16_t fcgi_id)
{
        const struct options *options = &connection->bridge->options;
        struct request *request = calloc(1, sizeof(*request));
        int r;

        if (!request)
                return -ENOMEM;
        request->connection = connection;
        request->fcgi_id = fcgi_id;
        request->launch = (struct launch){-1, -1, -1, -1};
        params_init(&request->params, options->max_params_bytes, options->max_params);
        response_init(&request->response);
        r = launch_make_id(request->id);
        if (r < 0) {
                free(request);
                return r;
        }
        connection->request = request;
        connection->bridge->n_requests++;
        connection_set_deadline(connection, options->params_timeout);
        return 0;
}

void request_free(struct request *request)
{
        relay_stop(request);
        launch_close(&request->launch);
        params_clear(&request->params);
        response_clear(&request->response);
        request->connection->bridge->n_requests--;
        request->connection->request = NULL;
        free(request);
}

uint16_t request_id(const struct request *request)
{
        return request->fcgi_id;
}

bool request_is_running(const struct request *request)
{
        return request->state == REQUEST_RUNNING;
}

bool request_is_draining(const struct request *request)
{
        return request->have_result && (request->launch.stdout_fd >= 0 || request->launch.stderr_fd >= 0);
}

/* launch_start() has failed: 503 in every case, since the next attempt may succeed. */
static void fail_launch(struct request *request, int error)
{
        const char *path = request->connection->bridge->options.launch_socket;

        if (error == -EAGAIN)
                request_fail(request, 503, "the broker's backlog is full");
        else if (error == -ENOENT || error == -ECONNREFUSED)
                request_fail(request, 503, "no broker listens on %s", path);
        else
                request_fail(request, 503, "cannot launch through %s: %s", path, strerror(-error));
}

/* The parameters are complete and good: asks the broker. */
static void launch(struct request *request)
{
        struct connection *connection = request->connection;
        struct bridge *bridge = connection->bridge;
        struct wire_request selectors;
        const char *name;
        int r;

        r = selectors_content_length(&request->params, &request->body_left);
        if (r < 0) {
                request_fail(request, 400, "CONTENT_LENGTH is not a length");
                return;
        }
        request->body_limited = r > 0;
        wire_init_request(&selectors);
        memcpy(selectors.request_id, request->id, sizeof(selectors.request_id));
        if (selectors_fill(&request->params, &selectors, &name) < 0) {
                request_fail(request, 400, "%s is too long, has a control character in it, or has no path", name);
                return;
        }
        r = launch_start(&bridge->launch_address, &selectors, request->params.block, request->params.length,
                connection->fd, &request->launch);
        if (r < 0) {
                fail_launch(request, r);
                return;
        }
        request->state = REQUEST_RUNNING;
        request->may_ask = true;
        connection_set_deadline(connection, bridge->options.request_timeout);
        r = relay_start(request);
        if (r < 0)
                request_fail(request, 503, "cannot watch the launch: %s", strerror(-r));
}

void request_drop_params(struct request *request)
{
        request->may_ask = false;
        params_clear(&request->params);
}

void request_answer(struct request *request, const struct wire_question *question)
{
        struct wire_variables variables;
        const char *name;
        int r;

        if (!request->may_ask) {
                request_fail(request, 503, "the broker asks for variables a second time, or after the launch");
                return;
        }
        r = selectors_answer(&request->params, question, &variables, &name);
        request_drop_params(request);
        if (r < 0) {
                /* The broker waits for the answer, and has started nothing. */
                request_fail(request, 400, "%s is too long, or has a control character in it", name);
                return;
        }
        r = launch_answer(&request->launch, &variables);
        if (r < 0)
                request_fail(request, 503, "cannot answer the broker's question: %s", strerror(-r));
}

static unsigned params_status(int error)
{
        switch (error) {
        case -E2BIG:
                return 431;
        case -ENOMEM:
                return 503;
        default:
                return 400;
        }
}

void request_params(struct request *request, const unsigned char *data, size_t length)
{
        int r;

        r = length > 0 ? params_feed(&request->params, data, length) : params_end(&request->params);
        if (r == -EEXIST) {
                const struct params *params = &request->params;

                request_fail(request, 400, "%s: %.*s", params->problem, (int)params->pair.name_length,
                        params->block + params->pair.name);
                return;
        }
        if (r < 0) {
                request_fail(request, params_status(r), "%s", request->params.problem);
                return;
        }
        if (length > 0)
                return;
        if (request->params.dropped > 0)
                request_log(request, LOG_DEBUG, "%zu parameters dropped for their names", request->params.dropped);
        launch(request);
}

void request_abort(struct request *request)
{
        request->aborted = true;
}

void request_expire(struct request *request)
{
        if (request_is_running(request))
                request_fail(request, 504, "no complete response within --request-timeout=");
        else
                request_fail(request, 408, "no complete parameters within --params-timeout=");
}

/* The web server may send its next request now, or sees the connection close, as it has asked (section 5.1).
 */
static void release_connection(struct request *request)
{
        struct connection *connection = request->connection;

        request_free(request);
        if (connection->keep)
                connection_set_deadline(connection, connection->bridge->options.idle_timeout);
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

/* The result is there, and all output was read. */
static void conclude(struct request *request)
{
        const struct wire_result *result = &request->result;

        if (result->outcome != WIRE_EXITED) {
                /* The broker has logged its reason. */
                if (request->header_sent)
                        request_log(request, LOG_NOTICE, "response cut off: %s", wire_outcome_name(result->outcome));
                answer_error(request, wire_status(result->outcome));
        } else if (request->header_sent) {
                connection_end_stream(request->connection, FCGI_STDOUT, request->fcgi_id);
                end(request, result->detail);
        } else {
                char excerpt[RESPONSE_EXCERPT_SIZE];

                response_excerpt(&request->response, excerpt);
                request_fail(request, 502,
                        "the application exited with status %" PRIu32
                        " before the end of its response header; its first line: \"%s\"",
                        result->detail, excerpt);
                answer_error(request, 502);
        }
}

void request_advance(struct request *request)
{
        /* What is left of the output is in the pipes. */
        if (request->have_result && !request->aborted && !request->failure)
                relay_drain(request);

        if (request->aborted) {
                request_log(request, LOG_INFO, "aborted by the web server");
                end(request, 1);
        } else if (request->failure)
                answer_error(request, request->failure);
        else if (request->have_result && !request_is_draining(request))
                conclude(request);
}
