/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/launch.h"

#include <fcntl.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/descriptors.h"
#include "sandboxd/generation.h"
#include "sandboxd/pool.h"
#include "sandboxd/request.h"

static void fill_spawn(const struct request *request, struct spawn_request *spawn)
{
        const struct map_rule *rule = &request->decision.rule;

        spawn_init(spawn, &request->decision.identity,
                rule->flags & MAP_NICE ? rule->nice : request->service->config->nice);
        spawn->number = request->number;
        memcpy(spawn->request_id, request->wire.request_id, sizeof(spawn->request_id));
        memcpy(spawn->user, request->wire.user, sizeof(spawn->user));
        memcpy(spawn->address, request->address, sizeof(spawn->address));
        memcpy(spawn->host, request->wire.host, sizeof(spawn->host));
        memcpy(spawn->script, request->wire.script, sizeof(spawn->script));
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct request *request = userdata;

        (void)source, (void)usec;
        request_end(request, WIRE_TIMEOUT, "RuntimeMaxSec= has passed");
        return 0;
}

/* Gathers what the zygote needs besides the message, and sends it. */
static int spawn(struct request *request)
{
        const struct index_service *config = request->service->config;
        const int *fds = request->fds;
        int all[SPAWN_FDS_MAX] = {
                fds[WIRE_FD_ENVIRONMENT], fds[WIRE_FD_STDIN], fds[WIRE_FD_STDOUT], fds[WIRE_FD_STDERR]};
        _cleanup_close_ int temporary = -1, report = -1;
        struct spawn_request message;
        size_t n = SPAWN_FDS;
        int pair[2], r;

        fill_spawn(request, &message);
        if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        request->report = pair[0];
        report = pair[1];
        all[SPAWN_FD_REPORT] = report;
        r = pool_open(request->service);
        if (r == 0)
                r = cgroup_leaf_take(
                        &request->service->cgroup, request->broker->accounts.uid[ACCOUNT_ZYGOTE], &request->leaf);
        if (r < 0)
                return r;
        if (request->leaf) {
                message.flags |= SPAWN_CGROUP;
                all[n++] = request->leaf->folder;
        }
        if (config->flags & INDEX_PRIVATE_TMP) {
                temporary = zygote_open_temporary(config->temporary_size);
                if (temporary < 0)
                        return temporary;
                message.flags |= SPAWN_TEMPORARY;
                all[n++] = temporary;
        }
        r = sd_event_add_time_relative(request->broker->event, &request->deadline_source, CLOCK_MONOTONIC,
                request->decision.rule.runtime_max ? request->decision.rule.runtime_max : config->runtime_max, 0,
                on_deadline, request);
        if (r < 0)
                return r;
        return pool_spawn(request, &message, all, n);
}

/* A request may run for long, and must not keep a map that is no longer in force. */
static void leave_map(struct request *request)
{
        struct map_rule *rule = &request->decision.rule;

        snprintf(request->rule_source, sizeof(request->rule_source), "%s", rule->source);
        *rule = (struct map_rule){.number = rule->number, .source = request->rule_source, .line = rule->line};
        request->holds_map = false;
        generation_release_map(request->service->generation);
}

void launch_request(struct request *request)
{
        char reason[512];
        int r = spawn(request);

        leave_map(request);
        descriptors_close(request->fds, WIRE_FDS);
        if (r == 0) {
                request->state = REQUEST_SPAWNING;
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
