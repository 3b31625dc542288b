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
#include "sandboxd/access.h"
#include "sandboxd/generation.h"
#include "sandboxd/identity.h"
#include "sandboxd/pool.h"

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
        if (reason)
                snprintf(result.reason, sizeof(result.reason), "%s", reason);
        for (char *c = result.reason; *c; c++)
                if ((unsigned char)*c < 0x20 || *c == 0x7f)
                        *c = '?';
        /* The queue of a connection that has carried nothing else has room for one packet; else the bridge is
         * gone. */
        if (descriptors_send(request->connection, &result, sizeof(result), NULL, 0) < 0)
                request->bridge_gone = true;
}

static void request_free(struct request *request)
{
        TAILQ_REMOVE(&request->broker->requests, request, link);
        request->broker->n_requests--;
        request->broker->last_request = broker_now(request->broker);
        sd_event_source_disable_unref(request->connection_source);
        sd_event_source_disable_unref(request->deadline_source);
        sd_event_source_disable_unref(request->process_source);
        close_fd(request->connection);
        close_fd(request->report);
        close_fd(request->pidfd);
        if (request->service) {
                request->service->n_requests--;
                if (request->leaf)
                        cgroup_leaf_return(&request->service->cgroup, request->leaf);
                generation_release(request->service->generation);
        }
        free(request);
}

static void log_end(const struct request *request, enum wire_outcome outcome, uint32_t detail, const char *reason,
        const struct rusage *usage)
{
        uint64_t wall = broker_now(request->broker) - request->started;
        char user[WIRE_USER_SIZE + 2], host[WIRE_HOST_SIZE + 2], address[WIRE_ADDRESS_SIZE + 2], identity[32] = "-";
        int64_t cpu = 0;

        if (usage)
                cpu = (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * INT64_C(1000000) + usage->ru_utime.tv_usec +
                      usage->ru_stime.tv_usec;
        if (request->rule)
                snprintf(identity, sizeof(identity), "%u:%u", request->rule->uid, request->rule->gid);
        log_request(outcome == WIRE_EXITED ? LOG_INFO : LOG_WARNING, request->wire.request_id,
                request->service ? request->service->name : NULL,
                "outcome=%s detail=%u user=%s address=%s host=%s identity=%s wall=%.1fms cpu=%.1fms maxrss=%ldK%s%s",
                request->ending && request->bridge_gone ? "aborted" : wire_outcome_name(outcome), detail,
                log_quote(request->wire.user, user, sizeof(user)),
                log_quote(request->address, address, sizeof(address)),
                log_quote(request->wire.host, host, sizeof(host)), identity, (double)wall / 1000, (double)cpu / 1000,
                usage ? usage->ru_maxrss : 0L, reason ? " reason=" : "", reason ? reason : "");
}

/* Answers, logs and frees: nothing of the request is left afterwards. */
static void finish(struct request *request, enum wire_outcome outcome, uint32_t detail, const char *reason,
        const struct rusage *usage)
{
        answer(request, outcome, detail, reason);
        log_end(request, outcome, detail, reason, usage);
        request_free(request);
}

static void refuse(struct request *request, enum wire_outcome outcome, const char *reason)
{
        finish(request, outcome, 0, reason, NULL);
}

/* A script that is not there is the client's mistake; everything else that fails is ours or the
 * administrator's. */
static enum wire_outcome failure_outcome(enum step step, int error)
{
        if (step == STEP_SCRIPT && (error == ENOENT || error == ENOTDIR || error == EXDEV || error == ELOOP))
                return WIRE_NO_SCRIPT;
        return WIRE_FAILED;
}

/* --- a request that runs --- */

/*
 * Kills all that belongs to the request: its init, and with it the PID namespace. What it was called off for
 * is told when it is reaped. Before it has a process, that waits for the zygote's answer.
 */
static void end(struct request *request, enum wire_outcome outcome, const char *reason)
{
        if (request->ending)
                return;
        request->ending = true;
        request->outcome = outcome;
        request->ending_reason = reason;
        if (request->pidfd >= 0 && syscall(SYS_pidfd_send_signal, request->pidfd, SIGKILL, NULL, 0) < 0 &&
                errno != ESRCH)
                log_request(LOG_ERR, request->wire.request_id, request->service->name, "cannot kill the request: %s",
                        strerror(errno));
}

/* The reports of init and of the application's last steps; a failed step comes first and says most. */
static bool read_report(const struct request *request, struct report *ret_report)
{
        struct report report;

        if (read(request->report, &report, sizeof(report)) != sizeof(report))
                return false;
        if (report.kind < REPORT_FAILED || report.kind > REPORT_SIGNALED || report.step >= STEPS)
                return false;
        *ret_report = report;
        return true;
}

static void finish_reaped(struct request *request, const siginfo_t *info, const struct rusage *usage)
{
        char reason[256];
        struct report report;

        if (request->ending) {
                finish(request, request->outcome, 0, request->ending_reason, usage);
        } else if (!read_report(request, &report)) {
                snprintf(reason, sizeof(reason), "init ended without a report: %s %d%s",
                        info->si_code == CLD_EXITED ? "status" : "signal", info->si_status,
                        info->si_status == SIGKILL ? "; RequestMemoryMax= or MemoryMax= may be reached" : "");
                finish(request, WIRE_FAILED, EOWNERDEAD, reason, usage);
        } else if (report.kind == REPORT_FAILED) {
                step_describe(reason, sizeof(reason), report.step, report.value,
                        report.step == STEP_SCRIPT ? request->wire.script : "");
                finish(request, failure_outcome(report.step, report.value), (uint32_t)report.value, reason, usage);
        } else {
                finish(request, report.kind == REPORT_EXITED ? WIRE_EXITED : WIRE_SIGNALED, (uint32_t)report.value,
                        NULL, usage);
        }
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
                refuse(request, WIRE_FAILED, "its process cannot be reaped");
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
                refuse(request, WIRE_BUSY, "no memory to watch its process");
                return;
        }
        if (request->ending)
                syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

void request_spawn_failed(struct request *request, enum step step, int error, const char *detail)
{
        char reason[512];

        request->zygote = NULL;
        if (request->ending) {
                refuse(request, request->outcome, request->ending_reason);
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
                if (request->state == REQUEST_RECEIVING)
                        refuse(request, WIRE_BUSY, "sandboxd is stopping");
                else
                        end(request, WIRE_BUSY, "sandboxd is stopping");
        }
}

/* --- a request that begins --- */

static bool is_pipe(int fd, int access_mode)
{
        struct stat st;
        int flags = fcntl(fd, F_GETFL);

        return flags >= 0 && (flags & O_ACCMODE) == access_mode && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

static bool is_environment(int fd)
{
        const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
        struct stat st;
        int found = fcntl(fd, F_GET_SEALS);

        return found >= 0 && (found & seals) == seals && fstat(fd, &st) == 0 && st.st_size <= WIRE_ENVIRONMENT_MAX;
}

/* Returns what is wrong with the descriptors, or NULL. The front connection is judged by front_inspect(). */
static const char *descriptors_refusal(const int *fds)
{
        if (!is_environment(fds[WIRE_FD_ENVIRONMENT]))
                return "the environment is not a sealed memfd of at most 256 KiB";
        if (!is_pipe(fds[WIRE_FD_STDIN], O_RDONLY))
                return "standard input is not the read end of a pipe";
        if (!is_pipe(fds[WIRE_FD_STDOUT], O_WRONLY) || !is_pipe(fds[WIRE_FD_STDERR], O_WRONLY))
                return "standard output or error is not the write end of a pipe";
        return NULL;
}

static void fill_spawn(const struct request *request, struct spawn_request *spawn)
{
        zygote_fill_request(&request->service->generation->index, request->service->config, request->rule, spawn);
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
        end(request, WIRE_TIMEOUT, "RuntimeMaxSec= has passed");
        return 0;
}

/* Gathers what the zygote needs besides the message, and sends it. */
static int spawn(struct request *request, const int *fds)
{
        const struct index_service *config = request->service->config;
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
                config->runtime_max, 0, on_deadline, request);
        if (r < 0)
                return r;
        return pool_spawn(request, &message, all, n);
}

static void launch(struct request *request, const int *fds)
{
        char reason[512];
        int r = spawn(request, fds);

        if (r == 0) {
                request->state = REQUEST_SPAWNING;
                return;
        }
        if (r == -EHOSTDOWN) {
                const struct zygote_answer *failure = &request->service->failure;

                step_describe(reason, sizeof(reason), failure->step, failure->error, failure->detail);
                finish(request, WIRE_FAILED, (uint32_t)failure->error, reason, NULL);
                return;
        }
        snprintf(reason, sizeof(reason), "cannot ask a zygote: %s", strerror(-r));
        refuse(request, WIRE_BUSY, reason);
}

/* Which service, and may this front end use it: from what the kernel says of the connection. */
static const char *admit_front(struct request *request, int front_fd, enum wire_outcome *ret_outcome)
{
        struct generation *generation = request->broker->current;
        const struct index_service *config;
        struct front front;

        *ret_outcome = WIRE_INVALID;
        if (front_inspect(front_fd, request->broker->listen_fd, &front) < 0)
                return "the front connection is not a connected stream socket of this network namespace";
        config = front_service(&generation->index, &front);
        *ret_outcome = WIRE_NO_SERVICE;
        if (!config)
                return "no service has this FrontDoor=";
        request->service = &generation->services[config - index_services(&generation->index)];
        request->service->n_requests++;
        generation_hold(generation);
        *ret_outcome = WIRE_UNTRUSTED;
        switch (front_trust(&generation->index, config, &front)) {
        case FRONT_TRUSTED:
                memcpy(request->address, request->wire.address, sizeof(request->address));
                break;
        case FRONT_NETWORK:
                memcpy(request->address, front.ip, sizeof(request->address));
                memset(request->wire.host, 0, sizeof(request->wire.host));
                if (request->wire.user[0])
                        return "a user is named by a peer that is not in TrustNetworkFrontEnd=";
                break;
        default:
                return "the front end's account is not in FrontEndUser=";
        }
        return access_refusal(&generation->index, config, request->wire.request_id, request->connection, front_fd);
}

/* Who runs it, and is there room. */
static const char *admit_identity(struct request *request, enum wire_outcome *ret_outcome)
{
        const struct broker *broker = request->broker;
        const struct index *index = &request->service->generation->index;
        const struct identity_query query = {
                .service = request->service->name,
                .user = request->wire.user,
                .address = request->address,
                .host = request->wire.host,
        };
        const struct index_rule *rule = identity_match(index, &query);
        const char *reason;

        *ret_outcome = WIRE_NO_RULE;
        if (!rule)
                return "no identity rule matches";
        if (rule->action != INDEX_BECOME)
                return "the identity rule says deny";
        reason = identity_refusal(index, rule, broker->accounts.ids, ACCOUNT_IDS);
        if (reason)
                return reason;
        request->rule = rule;
        *ret_outcome = WIRE_BUSY;
        if (request->service->n_requests > request->service->config->max_connections)
                return "MaxConnections= of the service is reached";
        if (broker->n_requests > index->header->max_connections)
                return "MaxConnections= in sandboxd.conf is reached";
        return NULL;
}

static void admit(struct request *request, const int *fds)
{
        enum wire_outcome outcome = WIRE_INVALID;
        const char *reason = descriptors_refusal(fds);

        if (!reason)
                reason = admit_front(request, fds[WIRE_FD_FRONT], &outcome);
        if (!reason)
                reason = admit_identity(request, &outcome);
        if (reason)
                refuse(request, outcome, reason);
        else
                launch(request, fds);
}

static void receive(struct request *request)
{
        int fds[WIRE_FDS];
        size_t n_fds = 0;
        ssize_t n = descriptors_receive(
                request->connection, &request->wire, sizeof(request->wire), fds, WIRE_FDS, &n_fds, MSG_DONTWAIT);

        if (n == -EAGAIN)
                return;
        request->deadline_source = sd_event_source_disable_unref(request->deadline_source);
        if (n <= 0 && n != -EBADMSG) {
                request_free(request); /* connected and gone again: nobody asked for anything */
                return;
        }
        if (n < 0 || wire_check_request(&request->wire, (size_t)n, n_fds) < 0) {
                memset(&request->wire, 0, sizeof(request->wire)); /* nothing of it is fit to be logged */
                refuse(request, WIRE_INVALID, "malformed launch request");
        } else {
                admit(request, fds);
        }
        if (n > 0)
                descriptors_close(fds, n_fds);
}

/* After the launch request there is nothing that the bridge may send: its end means abort, and so does a
 * message. */
static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        struct request *request = userdata;
        char byte;

        (void)source, (void)events;
        if (request->state == REQUEST_RECEIVING) {
                receive(request);
                return 0;
        }
        if (recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN)
                return 0;
        request->bridge_gone = true;
        request->connection_source = sd_event_source_disable_unref(request->connection_source);
        end(request, WIRE_INVALID, "the bridge closed the launch connection, or sent a second message");
        return 0;
}

static int on_receive_late(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void)source, (void)usec;
        refuse(userdata, WIRE_INVALID, "no launch request came");
        return 0;
}

int request_accept(struct broker *broker, int connection)
{
        struct request *request = calloc(1, sizeof(*request));
        int r;

        if (!request) {
                close_fd(connection);
                return -ENOMEM;
        }
        request->broker = broker;
        request->connection = connection;
        request->report = -1;
        request->pidfd = -1;
        request->number = ++broker->next_number;
        request->started = broker_now(broker);
        TAILQ_INSERT_TAIL(&broker->requests, request, link);
        broker->n_requests++;
        if (broker->n_requests > broker->current->index.header->max_connections + WAITING_MAX) {
                refuse(request, WIRE_BUSY, "too many launch connections");
                return 0;
        }
        r = sd_event_add_io(broker->event, &request->connection_source, connection, EPOLLIN, on_connection, request);
        if (r >= 0)
                r = sd_event_add_time_relative(broker->event, &request->deadline_source, CLOCK_MONOTONIC, RECEIVE_USEC,
                        0, on_receive_late, request);
        if (r < 0) {
                request_free(request);
                return r;
        }
        receive(request); /* it is usually there already */
        return 0;
}
