/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/launch.h"

#include <fcntl.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/descriptors.h"
#include "sandboxd/generation.h"
#include "sandboxd/pool.h"
#include "sandboxd/request.h"
#include "sandboxd/warm.h"

enum { START_USEC = 120000000 }; /* for an application zygote to become ready, its warm-up requests included */

static void on_runtime_over(struct request *request)
{
        if (request->warm && request->slot < 0 && request->warm->last_taken < request->started)
                warm_neglected(request);
        request_end(request, WIRE_TIMEOUT, request->starts ? "it is not ready in time" : "RuntimeMaxSec= has passed");
}

int launch_set_deadline(struct request *request)
{
        uint64_t usec = request->decision.rule.runtime_max;

        if (request->starts)
                usec = START_USEC;
        else if (usec == 0)
                usec = request->service->config->runtime_max;
        return request_set_deadline(request, usec, on_runtime_over);
}

/* The control group to clone into: a leaf of its own, or what an application zygote has for itself. */
static int take_group(struct request *request, const struct zygote *zygote, int *ret_group)
{
        int r;

        if (request->starts) {
                *ret_group = request->starts->group.zygotes;
                return 0;
        }
        r = cgroup_leaf_take(&request->service->cgroup, request->broker->accounts.uid[ACCOUNT_ZYGOTE], zygote->number,
                &request->leaf);
        *ret_group = r == 0 && request->leaf ? request->leaf->folder : -1;
        return r;
}

/* Gathers what the zygote needs besides the message, and sends it. */
static int spawn(struct request *request)
{
        const struct map_rule *rule = &request->decision.rule;
        const struct index_service *config = request->service->config;
        const int *fds = request->fds;
        int all[SPAWN_FDS_MAX] = {
                fds[WIRE_FD_ENVIRONMENT], fds[WIRE_FD_STDIN], fds[WIRE_FD_STDOUT], fds[WIRE_FD_STDERR]};
        _cleanup_close_ int temporary = -1, report = -1;
        struct spawn_request message;
        struct zygote *zygote;
        size_t n = SPAWN_FDS;
        int pair[2], group, r = pool_zygote(request, &zygote);

        if (r < 0)
                return r;
        spawn_init(&message, &request->decision.identity,
                rule->flags & MAP_NICE ? rule->nice : request->service->config->nice);
        spawn_set_request(&message, &request->wire, request->address, request->number);
        if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        request->report = pair[0];
        report = pair[1];
        all[SPAWN_FD_REPORT] = report;
        r = take_group(request, zygote, &group);
        if (r < 0)
                return r;
        if (group >= 0) {
                message.flags |= SPAWN_CGROUP;
                all[n++] = group;
        }
        if (config->flags & INDEX_PRIVATE_TMP) {
                temporary = zygote_open_temporary(config->temporary_size);
                if (temporary < 0)
                        return temporary;
                message.flags |= SPAWN_TEMPORARY;
                all[n++] = temporary;
        }
        if (request->starts) {
                message.flags |= SPAWN_WARM;
                all[n++] = request->starts->sockets.theirs[0];
                all[n++] = request->starts->sockets.theirs[1];
        }
        if (request->leaf) {
                message.flags |= request->leaf->keeper < 0 ? SPAWN_KEEP : SPAWN_NAMESPACE;
                if (request->leaf->keeper >= 0)
                        all[n++] = request->leaf->keeper;
        }
        r = launch_set_deadline(request);
        if (r < 0)
                return r;
        return pool_spawn(zygote, request, &message, all, n);
}

/* A request may run for long, and must not keep a map that is no longer in force. */
static void leave_map(struct request *request)
{
        struct map_rule *rule = &request->decision.rule;

        if (!request->holds_map)
                return;
        snprintf(request->rule_source, sizeof(request->rule_source), "%s", rule->source);
        *rule = (struct map_rule){.number = rule->number, .source = request->rule_source, .line = rule->line};
        request->holds_map = false;
        generation_release_map(request->service->generation);
}

void launch_request(struct request *request)
{
        bool warm = warm_serve(request);
        char reason[512];
        int r;

        if (!warm && request->wire.kind == WIRE_CONNECTION) {
                request_refuse(request, WIRE_AGAIN, "no application zygote serves this identity now");
                return;
        }
        r = warm ? 0 : spawn(request);
        if (request->starts)
                warm_sockets_close_theirs(&request->starts->sockets);
        leave_map(request);
        descriptors_close(request->fds, WIRE_FDS);
        if (r == 0) {
                request->state = warm ? REQUEST_RUNNING : REQUEST_SPAWNING;
                return;
        }
        if (r == -EHOSTDOWN) {
                const struct zygote_answer *failure = &request->service->failure;

                step_describe(reason, sizeof(reason), failure->step, failure->error, failure->detail);
                request_fail(request, WIRE_FAILED, (uint32_t)failure->error, reason);
                return;
        }
        snprintf(reason, sizeof(reason), "cannot ask a zygote: %s", strerror(-r));
        request_refuse(request, WIRE_BUSY, reason);
}
