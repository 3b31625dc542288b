/* SPDX-License-Identifier: Apache-2.0 */
#include "names/worker.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "common/descriptors.h"
#include "common/log.h"
#include "names/child.h"
#include "names/lookup.h"

enum { END_WAIT_MS = 1000 };

#define IDLE_USEC (NAMES_IDLE_SECONDS * UINT64_C(1000000))

static const char lost[] = "the process that asked the name service ended";

void worker_init(struct names *names)
{
        for (size_t i = 0; i < NAMES_WORKERS_MAX; i++)
                names->workers[i] = (struct worker){.names = names, .pidfd = -1, .fd = -1};
}

/* Ends the conversation and the process; on_end() will see it gone. */
static void kill_worker(struct worker *worker)
{
        worker->io = sd_event_source_disable_unref(worker->io);
        worker->timer = sd_event_source_disable_unref(worker->timer);
        worker->fd = descriptors_hang_up(worker->fd);
        (void)pidfd_send_signal(worker->pidfd, SIGKILL, NULL, 0); /* ESRCH: it has ended */
}

/* Kills it, whether or not it had work, and answers for it. */
static int lose_worker(struct worker *worker, const char *detail)
{
        struct lookup *lookup = worker->lookup;
        char quoted[WIRE_USER_SIZE + 2];

        kill_worker(worker);
        worker->lookup = NULL;
        if (!lookup)
                return 0;
        log_message(LOG_WARNING, "look-up of %s: %s", log_quote(lookup->name, quoted, sizeof(quoted)), detail);
        return lookup_fail(lookup, detail);
}

static int set_timer(struct worker *worker, uint64_t usec)
{
        int r = sd_event_source_set_time_relative(worker->timer, usec);

        return r < 0 ? r : sd_event_source_set_enabled(worker->timer, SD_EVENT_ONESHOT);
}

static bool is_answer(const struct worker *worker, const struct answer *answer, ssize_t length)
{
        return length > 0 && answer_check(answer, (size_t)length) == 0 && worker->lookup &&
               answer->number == worker->number && answer->status <= ANSWER_UNAVAILABLE;
}

static int finish_lookup(struct worker *worker, const struct answer *answer)
{
        struct lookup *lookup = worker->lookup;
        int r;

        worker->lookup = NULL;
        r = lookup_finish(lookup, answer);
        return r < 0 ? r : set_timer(worker, IDLE_USEC);
}

/* What an event has led to; then there may be room for what waits. */
static int go_on(struct names *names, int r)
{
        if (r == 0)
                r = lookup_go_on(names);
        return r < 0 ? sd_event_exit(names->event, r) : 0;
}

static int on_answer(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        struct worker *worker = userdata;
        struct answer answer;
        size_t n_fds;
        ssize_t length = descriptors_receive(fd, &answer, sizeof(answer), NULL, 0, &n_fds, MSG_DONTWAIT);

        (void)source, (void)events;
        if (length == -EAGAIN)
                return 0;
        return go_on(worker->names,
                is_answer(worker, &answer, length) ? finish_lookup(worker, &answer) : lose_worker(worker, lost));
}

/* The look-up has had its time, or there was none for long. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct worker *worker = userdata;

        (void)source, (void)usec;
        return go_on(worker->names, lose_worker(worker, "the name service did not answer in time"));
}

static void log_end(const siginfo_t *info)
{
        if (info->si_code == CLD_EXITED && info->si_status != 0)
                log_message(LOG_ERR, "a worker ended with status %d", info->si_status);
        else if (info->si_code != CLD_EXITED && info->si_status != SIGKILL)
                log_message(LOG_ERR, "a worker was ended by signal %d: is a module of the name service at fault?",
                        info->si_status);
}

/* The process is gone: its place is free. */
static int on_end(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        struct worker *worker = userdata;
        siginfo_t info = {0};
        int r;

        (void)source, (void)events;
        if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) == 0) {
                if (info.si_pid == 0)
                        return 0;
                log_end(&info);
        }
        r = lose_worker(worker, lost);
        worker->end = sd_event_source_disable_unref(worker->end);
        worker->pidfd = close_fd(worker->pidfd);
        return go_on(worker->names, r);
}

static int watch(struct worker *worker)
{
        sd_event *event = worker->names->event;
        int r = sd_event_add_io(event, &worker->io, worker->fd, EPOLLIN, on_answer, worker);

        if (r < 0)
                return r;
        r = sd_event_add_time_relative(
                event, &worker->timer, CLOCK_MONOTONIC, IDLE_USEC, NAMES_ACCURACY, on_timer, worker);
        if (r < 0)
                return r;
        r = sd_event_add_io(event, &worker->end, worker->pidfd, EPOLLIN, on_end, worker);
        if (r < 0)
                return r;
        /* An answer counts though its process ended behind it. */
        return sd_event_source_set_priority(worker->end, SD_EVENT_PRIORITY_NORMAL + 1);
}

/* Fills a free place. On failure it is free again. */
static int start_worker(struct worker *worker)
{
        const pid_t parent = getpid();
        int pair[2], r;
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        pid = fork();
        if (pid == 0)
                child_run(pair[1], parent);
        r = pid < 0 ? -errno : 0;
        close_fd(pair[1]);
        worker->fd = pair[0];
        if (r == 0) {
                worker->pidfd = pidfd_open(pid, 0);
                r = worker->pidfd < 0 ? -errno : watch(worker);
        }
        if (r == 0)
                return 0;
        if (pid > 0) {
                kill(pid, SIGKILL); /* ours, and not reaped: the number is no one else's */
                waitpid(pid, NULL, 0);
        }
        worker->io = sd_event_source_disable_unref(worker->io);
        worker->timer = sd_event_source_disable_unref(worker->timer);
        worker->end = sd_event_source_disable_unref(worker->end);
        worker->fd = close_fd(worker->fd);
        worker->pidfd = close_fd(worker->pidfd);
        return r;
}

static int hand_over(struct worker *worker, struct lookup *lookup)
{
        struct question question;
        int r;

        question_init(&question, QUESTION_ACCOUNT, ++worker->number);
        memcpy(question.name, lookup->name, sizeof(question.name));
        r = descriptors_send(worker->fd, &question, sizeof(question), NULL, 0);
        if (r == 0)
                r = set_timer(worker, lookup->timeout);
        if (r < 0)
                kill_worker(worker);
        else
                worker->lookup = lookup;
        return r;
}

int worker_ask(struct names *names, struct lookup *lookup)
{
        int r;

        for (struct worker *worker = names->workers; worker < names->workers + NAMES_WORKERS_MAX; worker++)
                /* One that has just ended takes nothing: then the next. */
                if (worker->fd >= 0 && !worker->lookup && hand_over(worker, lookup) == 0)
                        return 0;
        for (struct worker *worker = names->workers; worker < names->workers + NAMES_WORKERS_MAX; worker++) {
                if (worker->pidfd >= 0)
                        continue;
                r = start_worker(worker);
                if (r == 0)
                        r = hand_over(worker, lookup);
                if (r < 0)
                        log_message(LOG_ERR, "no worker can be started: %s", strerror(-r));
                return r == -EBUSY ? -EAGAIN : r;
        }
        return -EBUSY;
}

void worker_finish(struct names *names)
{
        for (struct worker *worker = names->workers; worker < names->workers + NAMES_WORKERS_MAX; worker++) {
                if (worker->pidfd < 0)
                        continue;
                if (worker->lookup)
                        lookup_free(worker->lookup);
                kill_worker(worker);
                worker->end = sd_event_source_disable_unref(worker->end);
        }
        for (struct worker *worker = names->workers; worker < names->workers + NAMES_WORKERS_MAX; worker++) {
                struct pollfd ended = {.fd = worker->pidfd, .events = POLLIN};
                siginfo_t info;

                if (worker->pidfd < 0)
                        continue;
                if (poll(&ended, 1, END_WAIT_MS) > 0)
                        waitid(P_PIDFD, (id_t)worker->pidfd, &info, WEXITED | WNOHANG);
                worker->pidfd = close_fd(worker->pidfd);
        }
}
