/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdarg.h>

#include "common/lines.h"
#include "fcgi-bridge/application.h"
#include "fcgi-bridge/connection.h"
#include "fcgi-bridge/launch.h"
#include "fcgi-bridge/params.h"
#include "fcgi-bridge/response.h"

/*
 * One request, from FCGI_BEGIN_REQUEST to FCGI_END_REQUEST:
 *
 *   REQUEST_PARAMS   its parameters are coming in;
 *   REQUEST_RUNNING  the broker has it; body, output and result pass. Before it starts the application, the broker may
 *                    ask once for some of the parameters, or have the launch repeated with streams.
 *
 * Whatever goes wrong in an event is noted in the request by request_fail(); request_advance(), called by
 * connection_settle(), is the one place where a request is answered and freed (conclude.c).
 */

enum request_state {
        REQUEST_PARAMS,
        REQUEST_RUNNING,
};

struct request {
        struct connection *connection;
        uint16_t fcgi_id;
        char id[WIRE_REQUEST_ID_SIZE]; /* ours, in logs, in the sandbox and on error pages */
        enum request_state state;

        struct params params; /* until request_drop_params() */
        bool may_ask;         /* the broker, for some of them */
        bool may_repeat;      /* the launch, with streams: nothing has come from the application */

        struct launch launch;
        struct application application; /* the client side of launch.application_fd */
        sd_event_source *broker_source, *stdin_source, *stdout_source, *stderr_source;
        bool body_limited; /* there is a CONTENT_LENGTH */
        uint64_t body_left;
        bool body_ended;  /* by the web server */
        bool stdin_ready; /* launch.stdin_fd is non-blocking */
        struct response response;
        struct lines lines;
        bool header_sent; /* the response's header is on its way: the status cannot change any more */
        bool stderr_sent;

        bool have_result;
        struct wire_result result;
        bool ended;       /* FCGI_END_REQUEST of the application, whose statuses are in application.upstream */
        bool aborted;     /* FCGI_ABORT_REQUEST, or nothing of it is to go on */
        bool unattended;  /* the web server has gone, and it goes on */
        unsigned failure; /* HTTP status, once the request has failed */
};

/* Makes the request of `connection`. Returns 0 or a negative errno. */
int request_begin(struct connection *connection, uint16_t fcgi_id);

/* Ends it without an answer. Closing the launch ends the application. */
void request_free(struct request *request);

/* The id that the web server gave it. */
uint16_t request_id(const struct request *request);

/* Takes a piece of the PARAMS stream; none ends it, and launches the request. */
void request_params(struct request *request, const unsigned char *data, size_t length);

bool request_is_running(const struct request *request);

/* Answers the broker's question, or fails the request: when it comes a second time or too late, too. */
void request_answer(struct request *request, const struct wire_question *question);

/* The broker's result: the request's end, or its launch with streams, where that has not been tried. */
void request_take_result(struct request *request, const struct wire_result *result);

/*
 * The broker has no question any more, and the launch is not to be repeated: it has asked, has sent its result, or has
 * started the application, of which the first output is the first sign. To be called at each of these; a question about
 * a launch with a connection is not the last word.
 */
void request_drop_params(struct request *request);

/*
 * True when the broker's result is there, and only output that the connection has no room for keeps the
 * request. The connection then waits for the web server to take bytes, and not for the pipes: they may never
 * become readable again.
 */
bool request_is_draining(const struct request *request);

/*
 * The web server has gone. Whether the application may go on for --abort-timeout= all the same: one that has the whole
 * request may be writing to its files, and a kill would leave them half-written, and its locks in place. Its output is
 * closed, as it is wherever a client goes, so that it ends when it writes to it. To be asked again after each event;
 * when it may not, or has ended, the request is to be freed.
 */
bool request_goes_on(struct request *request);

/* FCGI_ABORT_REQUEST came. */
void request_abort(struct request *request);

/* Its deadline has passed. */
void request_expire(struct request *request);

/* Notes that the request fails with `status`, and logs why. The first failure counts. */
__attribute__((format(printf, 3, 4))) void request_fail(
        struct request *request, unsigned status, const char *format, ...);

/* Answers and frees the request if it has failed, was aborted, or is complete. */
void request_advance(struct request *request);

/* A log line about the request. */
__attribute__((format(printf, 3, 4))) void request_log(
        const struct request *request, int priority, const char *format, ...);
