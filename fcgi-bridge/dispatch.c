/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/dispatch.h"

#include <errno.h>
#include <syslog.h>

#include "common/log.h"
#include "fcgi-bridge/request.h"

static int protocol_error(struct connection *connection, const char *problem)
{
        if (connection->request)
                request_log(connection->request, LOG_WARNING, "connection closed: %s", problem);
        else
                log_message(LOG_WARNING, "connection closed: %s", problem);
        return -EPROTO;
}

/* Section 4: records with id 0 are about the application as a whole, and come at any time. */
static int management(struct connection *connection, const struct record *record)
{
        const struct options *options = &connection->bridge->options;
        unsigned char answer[RECORD_VALUES_MAX];

        if (record->type == FCGI_GET_VALUES) {
                size_t size = record_values_result(answer, record, options->max_connections, options->max_requests);

                connection_send(connection, answer, size);
        } else {
                /* Section 4.2: the answer to every management record that is not understood. */
                record_unknown_type(answer, record->type);
                connection_send(connection, answer, RECORD_FIXED_SIZE);
        }
        return DISPATCH_DONE;
}

/* Answers a FCGI_BEGIN_REQUEST that becomes no request (section 5.5). */
static int reject(struct connection *connection, uint16_t id, uint8_t protocol_status, const char *reason)
{
        unsigned char answer[RECORD_FIXED_SIZE];

        log_message(LOG_WARNING, "request not begun: %s", reason);
        record_end_request(answer, id, 0, protocol_status);
        connection_send(connection, answer, sizeof(answer));
        if (!connection->request && !connection->keep)
                connection->closing = true;
        return DISPATCH_DONE;
}

/* Section 5.1. */
static int begin(struct connection *connection, const struct record *record)
{
        struct bridge *bridge = connection->bridge;
        uint16_t role;
        uint8_t flags;

        if (record_begin_request(record, &role, &flags) < 0)
                return protocol_error(connection, "malformed FCGI_BEGIN_REQUEST");
        if (connection->request) {
                if (request_id(connection->request) == record->id)
                        return protocol_error(connection, "FCGI_BEGIN_REQUEST for a request that is running");
                return reject(connection, record->id, FCGI_CANT_MPX_CONN, "another one is running on its connection");
        }
        connection->keep = flags & FCGI_KEEP_CONN;
        connection->stdin_open = true;
        if (role != FCGI_RESPONDER)
                return reject(connection, record->id, FCGI_UNKNOWN_ROLE, "its role is not Responder");
        if (bridge->n_requests >= bridge->options.max_requests)
                return reject(connection, record->id, FCGI_OVERLOADED, "too many are running (--max-requests=)");
        return request_begin(connection, record->id) < 0
                       ? reject(connection, record->id, FCGI_OVERLOADED, "out of memory")
                       : DISPATCH_DONE;
}

/* Section 5.3, FCGI_STDIN: the body, after the parameters. */
static int body(struct connection *connection, const struct record *record)
{
        struct request *request = connection->request;

        if (!request_is_running(request))
                return protocol_error(connection, "FCGI_STDIN before the end of FCGI_PARAMS");
        if (record->length == 0) {
                connection->stdin_open = false;
                relay_end_stdin(request);
                return DISPATCH_DONE;
        }
        if (!connection->stdin_open)
                return protocol_error(connection, "FCGI_STDIN after its end");
        connection->content_done += relay_stdin(
                request, record->content + connection->content_done, record->length - connection->content_done);
        return connection->content_done < record->length ? DISPATCH_WAIT : DISPATCH_DONE;
}

int dispatch_record(struct connection *connection, const struct record *record)
{
        if (record->id == FCGI_NULL_REQUEST_ID)
                return management(connection, record);
        if (record->type == FCGI_BEGIN_REQUEST)
                return begin(connection, record);
        /*
         * Section 3.3: a record for a request that is not active is ignored. That is also what becomes of the
         * rest of a request that was answered before the web server had sent all of it.
         */
        if (!connection->request || request_id(connection->request) != record->id) {
                if (record->type == FCGI_STDIN && record->length == 0 && !connection->request)
                        connection->stdin_open = false;
                return DISPATCH_DONE;
        }
        switch (record->type) {
        case FCGI_PARAMS:
                if (request_is_running(connection->request))
                        return protocol_error(connection, "FCGI_PARAMS after its end");
                request_params(connection->request, record->content, record->length);
                return DISPATCH_DONE;
        case FCGI_STDIN:
                return body(connection, record);
        case FCGI_ABORT_REQUEST: /* section 5.4 */
                request_abort(connection->request);
                return DISPATCH_DONE;
        default:
                /* FCGI_DATA belongs to Filters, the others are ours to send or unknown: without effect on a
                 * Responder. */
                return DISPATCH_DONE;
        }
}
