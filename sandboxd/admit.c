/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/admit.h"

#include <fcntl.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/descriptors.h"
#include "sandboxd/access.h"
#include "sandboxd/generation.h"
#include "sandboxd/launch.h"
#include "sandboxd/peer.h"
#include "sandboxd/request.h"
#include "sandboxd/resolver.h"

/* --- what came with the launch request --- */

/* Returns what is wrong with the descriptors, or NULL. The front connection is judged by peer_inspect(). */
static const char *descriptors_refusal(uint32_t kind, const int *fds)
{
        if (!descriptors_is_pipe(fds[WIRE_FD_STDERR], O_WRONLY))
                return "standard error is not the write end of a pipe";
        if (kind == WIRE_CONNECTION)
                return descriptors_is_pair(fds[WIRE_FD_APPLICATION]) && descriptors_is_pair(fds[WIRE_FD_PEER])
                               ? NULL
                               : "the connection is not a pair of Unix stream sockets";
        if (!descriptors_is_sealed(fds[WIRE_FD_ENVIRONMENT], WIRE_ENVIRONMENT_MAX))
                return "the environment is not a sealed memfd of at most 256 KiB";
        if (!descriptors_is_pipe(fds[WIRE_FD_STDIN], O_RDONLY))
                return "standard input is not the read end of a pipe";
        if (!descriptors_is_pipe(fds[WIRE_FD_STDOUT], O_WRONLY))
                return "standard output is not the write end of a pipe";
        return NULL;
}

/* Which service, and may this front end use it: from what the kernel says of the connection. */
static const char *front_refusal(struct request *request, enum wire_outcome *ret_outcome)
{
        struct generation *generation = request->broker->current;
        const struct index_service *config;
        int front_fd = request->fds[WIRE_FD_FRONT];
        struct front front;

        *ret_outcome = WIRE_INVALID;
        if (peer_inspect(front_fd, request->broker->listen_fd, &front) < 0)
                return "the front connection is not a connected stream socket of this network namespace";
        config = front_service(&generation->index, &front);
        *ret_outcome = WIRE_NO_SERVICE;
        if (!config)
                return "no service has this FrontDoor=";
        request->service = &generation->services[config - index_services(&generation->index)];
        request->service->n_requests++;
        generation_hold(generation);
        generation_hold_map(generation);
        request->holds_map = true;
        *ret_outcome = WIRE_UNTRUSTED;
        switch (front_trust(&generation->index, config, &front)) {
        case FRONT_TRUSTED:
                memcpy(request->address, request->wire.address, sizeof(request->address));
                break;
        case FRONT_NETWORK:
                memcpy(request->address, front.ip, sizeof(request->address));
                memset(request->wire.host, 0, sizeof(request->wire.host));
                request->decision.query.variables_unknown = true;
                if (request->wire.user[0])
                        return "a user is named by a peer that is not in TrustNetworkFrontEnd=";
                break;
        default:
                return "the front end's account is not in FrontEndUser=";
        }
        return access_refusal(&generation->index, config, request->wire.request_id, request->connection, front_fd);
}

/* --- what has to be asked --- */

/* Is there room for it? Asked before anything waits too, so that those who wait are bounded for each service. */
static const char *room_refusal(const struct request *request)
{
        if (request->service->n_requests > request->service->config->max_connections)
                return "MaxConnections= of the service is reached";
        if (request->broker->n_requests > request->service->generation->index.header->max_connections)
                return "MaxConnections= in sandboxd.conf is reached";
        return NULL;
}

static void ask_resolver(struct request *request, struct question *question)
{
        const char *reason = room_refusal(request);
        char text[128];
        int r;

        if (reason) {
                request_refuse(request, WIRE_BUSY, reason);
                return;
        }
        r = resolver_ask(request, question);
        if (r < 0) {
                snprintf(text, sizeof(text), "what the identity depends on cannot be asked: %s", strerror(-r));
                request_refuse(request, WIRE_BUSY, text);
        }
}

/* Rules for this service ask for request variables: their values are asked of the bridge. */
static void ask_bridge(struct request *request, const char *const *names, size_t n)
{
        struct wire_question *question = &request->question;

        wire_init_question(question);
        question->n_names = (uint32_t)n;
        for (size_t i = 0; i < n; i++) {
                snprintf(question->names[i], sizeof(question->names[i]), "%s", names[i]);
                request->conditions[i] = (struct map_condition){question->names[i], request->variables.values[i]};
        }
        request->decision.query.n_variables = n;
        request->state = REQUEST_ASKING;
        if (request_await_bridge(request) < 0 ||
                descriptors_send(request->connection, question, sizeof(*question), NULL, 0) < 0)
                request_refuse(request, WIRE_INVALID, "the bridge cannot be asked");
}

/* --- the decision --- */

/* Of the identity in the service, under whichever rule and configuration they began. */
static unsigned count_of_identity(const struct request *request)
{
        const struct request *other;
        unsigned n = 0;

        TAILQ_FOREACH (other, &request->broker->requests, link)
                n += !other->starts && other->state >= REQUEST_SPAWNING &&
                     other->decision.identity.uid == request->decision.identity.uid &&
                     strcmp(other->service->name, request->service->name) == 0;
        return n;
}

static void enter(struct request *request)
{
        uint32_t max = request->decision.rule.max_connections;
        const char *reason = room_refusal(request);

        if (!reason && max > 0 && count_of_identity(request) >= max)
                reason = "MaxConnections= of the identity rule is reached";
        if (reason)
                request_refuse(request, WIRE_BUSY, reason);
        else
                launch_request(request);
}

void admit_decide(struct request *request)
{
        struct question question;

        request->state = REQUEST_RESOLVING;
        switch (decision_next(&request->decision, &question)) {
        case DECISION_MADE:
                enter(request);
                break;
        case DECISION_ASKS:
                ask_resolver(request, &question);
                break;
        default:
                request_refuse(request, request->decision.outcome, request->decision.reason);
                break;
        }
}

static void begin_decision(struct request *request)
{
        struct generation *generation = request->service->generation;
        struct decision *decision = &request->decision;
        const char *names[MAP_VARIABLES_MAX];
        int n;

        decision->index = &generation->index;
        decision->map = &generation->map;
        decision->service = request->service->config;
        decision->reserved = request->broker->accounts.ids;
        decision->n_reserved = ACCOUNT_IDS;
        decision->query.service = request->service->name;
        n = decision->query.variables_unknown ? 0 : map_variables(&generation->map, request->service->name, names);
        if (n < 0)
                request_refuse(request, WIRE_FAILED, "the identity map is damaged");
        else if (n > 0)
                ask_bridge(request, names, (size_t)n);
        else
                admit_decide(request);
}

void admit_begin(struct request *request)
{
        enum wire_outcome outcome = WIRE_INVALID;
        const char *reason = descriptors_refusal(request->wire.kind, request->fds);
        struct map_query *query = &request->decision.query;

        query->user = request->wire.user;
        query->address = request->address;
        query->host = request->wire.host;
        query->variables = request->conditions;
        if (!reason)
                reason = front_refusal(request, &outcome);
        descriptors_close(&request->fds[WIRE_FD_FRONT], 1); /* it goes no further */
        if (reason)
                request_refuse(request, outcome, reason);
        else
                begin_decision(request);
}
