/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/request.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "common/descriptors.h"
#include "common/log.h"
#include "common/summary.h"
#include "common/timer.h"
#include "sandboxd/admit.h"
#include "sandboxd/generation.h"
#include "sandboxd/warm.h"

enum {
        RECEIVE_USEC = 5000000, /* from connecting to the launch request; the bridge sends it at once */
        WAITING_MAX = 64,       /* connections beyond MaxConnections= that we keep to be able to answer them */
};

/* --- the end of a request --- */

static void answer(struct request *request, enum wire_outcome outcome, uint32_t detail, const char *reason)
{
        struct wire_result result;

        if (request->bridge_gone)
                return;
        wire_init_result(&result, outcome, detail);
        result.wants = request->service ? warm_wants(request) : request->wire.kind;
        wire_set_reason(&result, reason);
        /* The queue of a connection that has carried a question at most has room for it; else the bridge is gone. */
        if (descriptors_send(request->connection, &result, sizeof(result), NULL, 0) < 0)
                request->bridge_gone = true;
}

/* It is one client less that waits. What a child still does after its response is bounded by its zygote's slots. */
static void leave_count(struct request *request)
{
        if (!request->counts)
                return;
        request->counts = false;
        request->broker->n_requests--;
        if (request->warm)
                request->warm->member.n_active--;
        if (request->service)
                request->service->n_requests--;
}

/* One in which no process could be made is not used again. */
static void leave_leaf(struct request *request, bool usable)
{
        if (request->leaf && usable)
                cgroup_leaf_return(&request->service->cgroup, request->leaf);
        else if (request->leaf)
                cgroup_leaf_kill(&request->service->cgroup, request->leaf);
        request->leaf = NULL;
}

static void request_free(struct request *request)
{
        TAILQ_REMOVE(&request->broker->requests, request, link);
        leave_count(request);
        request->broker->last_request = broker_now(request->broker);
        sd_event_source_disable_unref(request->connection_source);
        sd_event_source_disable_unref(request->process_source);
        descriptors_hang_up(request->connection);
        close_fd(request->report);
        close_fd(request->pidfd);
        descriptors_close(request->fds, WIRE_FDS);
        if (request->warm)
                warm_leave(request);
        if (request->service) {
                leave_leaf(request, true);
                if (request->holds_map)
                        generation_release_map(request->service->generation);
                generation_release(request->service->generation);
        }
        free(request);
}

static void log_end(const struct request *request, enum wire_outcome outcome, uint32_t detail, const char *reason,
        const struct rusage *usage)
{
        const struct summary summary = {
                .outcome = request->bridge_gone && !request->done ? "aborted" : wire_outcome_name(outcome),
                .detail = detail,
                .decision = &request->decision,
                .wall = broker_now(request->broker) - request->started,
                .usage = usage,
                .reason = reason,
                .is_warm = request->warm,
        };
        char text[SUMMARY_SIZE];

        summary_format(&summary, text, sizeof(text));
        log_request(summary_priority(outcome), request->wire.request_id,
                request->service ? request->service->name : NULL, "%s", text);
}

/* Answers, logs and frees: nothing of the request is left afterwards. */
static void finish(struct request *request, enum wire_outcome outcome, uint32_t detail, const char *reason,
        const struct rusage *usage)
{
        if (request->starts) {
                warm_ended(request->starts, reason ? reason : wire_outcome_name(outcome));
        } else {
                answer(request, outcome, detail, reason);
                log_end(request, outcome, detail, reason, usage);
        }
        request_free(request);
}

void request_refuse(struct request *request, enum wire_outcome outcome, const char *reason)
{
        finish(request, outcome, 0, reason, NULL);
}

void request_fail(struct request *request, enum wire_outcome outcome, uint32_t detail, const char *reason)
{
        finish(request, outcome, detail, reason, NULL);
}

/* --- a request that runs --- */

void request_end(struct request *request, enum wire_outcome outcome, const char *reason)
{
        if (request->ending)
                return;
        /* What no child has taken yet finds nobody waiting for it later: taken() in warm.c. */
        if (request->state < REQUEST_SPAWNING || (request->warm && request->slot < 0)) {
                request_refuse(request, outcome, reason);
                return;
        }
        request->ending = true;
        request->outcome = outcome;
        request->ending_reason = reason;
        if (request->warm)
                warm_kill(request);
        if (request->pidfd >= 0 && syscall(SYS_pidfd_send_signal, request->pidfd, SIGKILL, NULL, 0) < 0 &&
                errno != ESRCH)
                log_request(LOG_ERR, request->wire.request_id, request->service->name, "cannot kill the request: %s",
                        strerror(errno));
}

static void finish_reaped(struct request *request, const siginfo_t *info, const struct rusage *usage)
{
        struct report report;
        struct verdict verdict;
        ssize_t n = read(request->report, &report, sizeof(report));

        report_judge(&report, n, info, request->leaf != NULL, request->wire.script, &verdict);
        leave_leaf(request, true); /* nothing that it left behind answers any more */
        if (request->ending)
                finish(request, request->outcome, 0, request->ending_reason, usage);
        else
                finish(request, verdict.outcome, verdict.detail, verdict.reason[0] ? verdict.reason : NULL, usage);
}

void request_ended(struct request *request, int status)
{
        if (request->ending)
                finish(request, request->outcome, 0, request->ending_reason, NULL);
        else if (WIFEXITED(status))
                finish(request, WIRE_EXITED, (uint32_t)WEXITSTATUS(status), NULL, NULL);
        else
                finish(request, WIRE_SIGNALED, (uint32_t)WTERMSIG(status), NULL, NULL);
}

static int on_process_end(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        struct request *request = userdata;
        struct rusage usage;
        siginfo_t info = {0};

        (void)source, (void)events;
        /* The system call, for the fifth argument that the library's function does not have: waitid(2),
         * NOTES. */
        if (syscall(SYS_waitid, P_PIDFD, fd, &info, WEXITED | WNOHANG, &usage) < 0) {
                request_refuse(request, WIRE_FAILED, "its process cannot be reaped");
                return 0;
        }
        if (info.si_pid != 0)
                finish_reaped(request, &info, &usage);
        return 0;
}

void request_spawned(struct request *request, int pidfd)
{
        int r;

        request->zygote = NULL;
        request->state = REQUEST_RUNNING;
        request->pidfd = pidfd;
        r = sd_event_add_io(request->broker->event, &request->process_source, pidfd, EPOLLIN, on_process_end, request);
        if (r < 0) {
                siginfo_t info;

                syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
                waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
                request_refuse(request, WIRE_BUSY, "no memory to watch its process");
                return;
        }
        if (request->ending)
                syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

void request_spawn_failed(struct request *request, enum step step, int error, const char *detail)
{
        char reason[512];

        request->zygote = NULL;
        leave_leaf(request, error == EAGAIN);
        if (error == EAGAIN) /* TasksMax= may be reached: who sleeps goes first */
                cgroup_end_keepers(&request->service->cgroup, 0);
        if (request->ending) {
                request_refuse(request, request->outcome, request->ending_reason);
                return;
        }
        step_describe(reason, sizeof(reason), step, error, detail);
        finish(request, WIRE_FAILED, (uint32_t)error, reason, NULL);
}

void request_end_all(struct broker *broker)
{
        struct request *request, *next;

        for (request = TAILQ_FIRST(&broker->requests); request; request = next) {
                next = TAILQ_NEXT(request, link);
                request_end(request, WIRE_BUSY, "sandboxd is stopping");
        }
}

/* --- deadlines --- */

static struct request *first_due(const struct broker *broker)
{
        struct request *request, *first = NULL;

        TAILQ_FOREACH (request, &broker->requests, link)
                if (request->deadline > 0 && (!first || request->deadline < first->deadline))
                        first = request;
        return first;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct broker *broker = userdata;
        struct request *request;

        (void)source;
        while ((request = first_due(broker)) && request->deadline <= usec) {
                request->deadline = 0;
                request->on_deadline(request);
        }
        return request ? timer_by(broker->event, &broker->deadline_source, request->deadline, on_deadline, broker) : 0;
}

int request_set_deadline(struct request *request, uint64_t usec, void (*handler)(struct request *request))
{
        struct broker *broker = request->broker;

        request->deadline = broker_now(broker) + usec;
        request->on_deadline = handler;
        return timer_by(broker->event, &broker->deadline_source, request->deadline, on_deadline, broker);
}

/* --- a request that begins --- */

static void on_bridge_late(struct request *request)
{
        request_refuse(request, WIRE_INVALID, "the bridge has not sent what it has to");
}

int request_await_bridge(struct request *request)
{
        return request_set_deadline(request, RECEIVE_USEC, on_bridge_late);
}

static void receive_request(struct request *request)
{
        size_t n_fds = 0;
        ssize_t n = descriptors_receive(request->connection, &request->wire, sizeof(request->wire), request->fds,
                WIRE_FDS, &n_fds, MSG_DONTWAIT);

        if (n == -EAGAIN)
                return;
        request->deadline = 0;
        if (n <= 0 && n != -EBADMSG) {
                request_free(request); /* connected and gone again: nobody asked for anything */
                return;
        }
        if (n < 0 || wire_check_request(&request->wire, (size_t)n, n_fds) < 0) {
                memset(&request->wire, 0, sizeof(request->wire)); /* nothing of it is fit to be logged */
                request_refuse(request, WIRE_INVALID, "malformed launch request");
        } else {
                admit_begin(request);
        }
}

static void receive_variables(struct request *request)
{
        size_t n_fds = 0;
        ssize_t n = descriptors_receive(
                request->connection, &request->variables, sizeof(request->variables), NULL, 0, &n_fds, MSG_DONTWAIT);

        if (n == -EAGAIN)
                return;
        request->deadline = 0;
        if (n >= 0 &&
                wire_check_variables(&request->variables, (size_t)n, n_fds, request->decision.query.n_variables) == 0) {
                admit_decide(request);
                return;
        }
        memset(&request->variables, 0, sizeof(request->variables));
        request->bridge_gone = n == 0;
        request_refuse(
                request, WIRE_INVALID, n == 0 ? "the bridge closed the launch connection" : "malformed variables");
}

/*
 * Beyond the launch request and an answer there is nothing that the bridge may send: its end means abort, and so does a
 * message.
 */
static void notice_bridge(struct request *request, int fd)
{
        struct wire_done done;
        size_t n_fds = 0;
        ssize_t n = descriptors_receive(fd, &done, sizeof(done), NULL, 0, &n_fds, MSG_DONTWAIT);

        if (n == -EAGAIN)
                return;
        request->bridge_gone = true;
        request->connection_source = sd_event_source_disable_unref(request->connection_source);
        if (n > 0 && request->warm && wire_check_done(&done, (size_t)n, n_fds) == 0) {
                request->done = true; /* what it still does has until its deadline */
                if (request->slot >= 0)
                        leave_count(request);
                return;
        }
        request_end(request, WIRE_INVALID, "the bridge closed the launch connection, or sent a second message");
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        struct request *request = userdata;

        (void)source, (void)events;
        if (request->state == REQUEST_RECEIVING)
                receive_request(request);
        else if (request->state == REQUEST_ASKING)
                receive_variables(request);
        else
                notice_bridge(request, fd);
        return 0;
}

struct request *request_new(struct broker *broker)
{
        struct request *request = calloc(1, sizeof(*request));

        if (!request)
                return NULL;
        request->broker = broker;
        request->connection = request->report = request->pidfd = -1;
        for (size_t i = 0; i < WIRE_FDS; i++)
                request->fds[i] = -1;
        request->number = ++broker->next_number;
        request->started = broker_now(broker);
        TAILQ_INSERT_TAIL(&broker->requests, request, link);
        return request;
}

int request_accept(struct broker *broker, int connection)
{
        struct request *request = request_new(broker);
        int r;

        if (!request) {
                close_fd(connection);
                return -ENOMEM;
        }
        request->connection = connection;
        request->counts = true;
        broker->n_requests++;
        if (broker->n_requests > broker->current->index.header->max_connections + WAITING_MAX) {
                request_refuse(request, WIRE_BUSY, "too many launch connections");
                return 0;
        }
        r = sd_event_add_io(broker->event, &request->connection_source, connection, EPOLLIN, on_connection, request);
        if (r >= 0)
                r = request_await_bridge(request);
        if (r < 0) {
                request_free(request);
                return r;
        }
        receive_request(request); /* it is usually there already */
        return 0;
}
