/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/request.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "common/log.h"
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
        request->launch = LAUNCH_CLOSED;
        params_init(&request->params, options->max_params_bytes, options->max_params);
        response_init(&request->response);
        r = launch_make_id(&connection->bridge->random, request->id);
        if (r < 0) {
                free(request);
                return r;
        }
        connection->request = request;
        connection->bridge->n_requests++;
        deadline_set(connection, DEADLINE_WORK, options->params_timeout);
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
        const struct launch *launch = &request->launch;

        return request->have_result &&
               (launch->stdout_fd >= 0 || launch->application_fd >= 0 || launch->stderr_fd >= 0);
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

/*
 * Whether it is certain that there is no body, so that the application need not wait for its end. Without
 * CONTENT_LENGTH there is none, as RFC 3875 section 4.1.2 has it; but web servers that pass on a body as it comes in do
 * not know its length: then the body's end must be there, or the method be one that has none.
 */
static bool is_without_body(const struct request *request)
{
        static const char *const methods[] = {"GET", "HEAD"};
        const struct params *params = &request->params;
        const struct param *method = params_find(params, "REQUEST_METHOD");

        if (request->body_limited)
                return request->body_left == 0;
        for (size_t i = 0; method && i < ELEMENTS(methods); i++)
                if (strcmp(params->block + method->value, methods[i]) == 0)
                        return true;
        return request->body_ended || connection_has_end_of_body(request->connection, request->fcgi_id);
}

/* What the broker gets to know of the request. Returns false when it has failed. */
static bool describe(struct request *request, enum wire_kind kind, struct wire_request *ret_selectors)
{
        const char *name;
        int r;

        r = selectors_content_length(&request->params, &request->body_left);
        if (r < 0) {
                request_fail(request, 400, "CONTENT_LENGTH is not a length");
                return false;
        }
        request->body_limited = r > 0;
        wire_init_request(ret_selectors);
        ret_selectors->kind = kind;
        if (kind == WIRE_CONNECTION && is_without_body(request))
                ret_selectors->flags = WIRE_NO_BODY;
        memcpy(ret_selectors->request_id, request->id, sizeof(ret_selectors->request_id));
        if (selectors_fill(&request->params, ret_selectors, &name) < 0) {
                request_fail(request, 400, "%s is too long, has a control character in it, or has no path", name);
                return false;
        }
        return true;
}

/* The parameters are complete and good: asks the broker. */
static void launch(struct request *request, enum wire_kind kind)
{
        struct connection *connection = request->connection;
        struct bridge *bridge = connection->bridge;
        struct wire_request selectors;
        int r;

        if (!describe(request, kind, &selectors))
                return;
        r = launch_start(&bridge->launch_address, &selectors, request->params.block, request->params.length,
                connection->fd, &request->launch);
        if (r < 0) {
                fail_launch(request, r);
                return;
        }
        request->state = REQUEST_RUNNING;
        request->may_ask = true;
        request->may_repeat = request->launch.kind == WIRE_CONNECTION;
        request->stdin_ready = false;
        r = relay_start(request, !(selectors.flags & WIRE_NO_BODY));
        if (r < 0)
                request_fail(request, 503, "cannot watch the launch: %s", strerror(-r));
}

/* With streams, after the broker has started nothing: of the body, too, nothing has gone anywhere. */
static void repeat_launch(struct request *request)
{
        relay_stop(request);
        launch_close(&request->launch);
        launch(request, WIRE_STREAMS);
        if (request->body_ended && !request->failure)
                relay_end_stdin(request);
}

void request_take_result(struct request *request, const struct wire_result *result)
{
        *connection_wants(request->connection) = (enum wire_kind)result->wants;
        if (result->outcome == WIRE_AGAIN && request->may_repeat) {
                repeat_launch(request);
                return;
        }
        request_drop_params(request);
        request->result = *result;
        request->have_result = true;
}

void request_drop_params(struct request *request)
{
        request->may_ask = request->may_repeat = false;
        params_clear(&request->params);
}

void request_answer(struct request *request, const struct wire_question *question)
{
        struct wire_variables variables;
        const char *name;
        int r;

        if (request->unattended) {
                request->aborted = true; /* nothing has been started */
                return;
        }
        if (!request->may_ask) {
                request_fail(request, 503, "the broker asks for variables a second time, or after the launch");
                return;
        }
        r = selectors_answer(&request->params, question, &variables, &name);
        if (request->may_repeat)
                request->may_ask = false;
        else
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
        launch(request, *connection_wants(request->connection));
        deadline_set(request->connection, DEADLINE_WORK, request->connection->bridge->options.request_timeout);
}

void request_abort(struct request *request)
{
        request->aborted = true;
}

void request_expire(struct request *request)
{
        if (request->unattended) {
                request_log(request, LOG_NOTICE, "killed: it goes on for longer than --abort-timeout=");
                request->aborted = true;
        } else if (request_is_running(request))
                request_fail(request, 504, "no complete response within --request-timeout=");
        else
                request_fail(request, 408, "no complete parameters within --params-timeout=");
}
