/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/resolver.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "common/helper.h"
#include "common/log.h"
#include "common/packet.h"
#include "sandboxd/admit.h"
#include "sandboxd/generation.h"
#include "sandboxd/request.h"

enum {
        BACKOFF_USEC = 1000000, /* after one that failed */
        SLACK_USEC = 500000,    /* the resolver itself answers first, and knows more */
        ALLOT_USEC = 10000000,  /* for a write to disk */
        PROCESSES_MAX = 64,     /* of its account: workers, threads of the name service's modules */
        QUEUE_SIZE = 1 << 20,   /* bytes of questions that wait: thousands */
};

static const struct {
        const char *program;
        enum account account;
} kinds[RESOLVERS] = {
        [RESOLVER_NAMES] = {"sandboxd-names", ACCOUNT_NAMES},
        [RESOLVER_ALLOT] = {"sandboxd-allot", ACCOUNT_ALLOT},
};

/*
 * Makes the folder of the store its keeper's. The state folder itself is root's alone, so that nobody can put something
 * else there meanwhile; under systemd it is there already (StateDirectory=).
 */
static int make_store(const struct broker *broker, char *path, size_t size)
{
        uid_t uid = broker->accounts.uid[ACCOUNT_ALLOT];
        _cleanup_close_ int state = -1;
        mode_t mask = umask(0);
        struct stat st;
        int r;

        (void)mkdir(broker->options.state_directory, 0711); /* whether it is there is seen next */
        umask(mask);
        state = open(broker->options.state_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (state < 0 || fstat(state, &st) < 0)
                return -errno;
        if (st.st_uid != 0 || st.st_mode & 022) {
                log_message(LOG_ERR, "%s is not a folder that root alone can write", broker->options.state_directory);
                return -EPERM;
        }
        if ((mkdirat(state, "allotted", 0700) < 0 && errno != EEXIST) ||
                fstatat(state, "allotted", &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        snprintf(path, size, "%s/allotted", broker->options.state_directory);
        if (!S_ISDIR(st.st_mode) || (st.st_uid != uid && st.st_uid != 0) || st.st_mode & 077) {
                log_message(LOG_ERR, "%s is not a folder that is sandboxd-allot's alone: chown and chmod 700 it", path);
                return -EPERM;
        }
        r = fchownat(state, "allotted", uid, broker->accounts.gid[ACCOUNT_ALLOT], AT_SYMLINK_NOFOLLOW);
        return r < 0 ? -errno : 0;
}

static void resolver_stop(struct resolver *resolver)
{
        resolver->source = sd_event_source_disable_unref(resolver->source);
        resolver->pipes[PACKET_IN] = close_fd(resolver->pipes[PACKET_IN]);
        resolver->pipes[PACKET_OUT] = close_fd(resolver->pipes[PACKET_OUT]);
        helper_end_later(resolver->broker->event, resolver->pidfd, &resolver->pidfd);
}

static void tell(struct request *request, const struct answer *answer)
{
        request->asked = 0;
        request->deadline = 0;
        decision_tell(&request->decision, request->asked_kind, answer);
        admit_decide(request);
}

static void tell_unavailable(struct request *request, const char *why)
{
        struct answer answer;

        answer_init(&answer, ANSWER_UNAVAILABLE, request->asked);
        snprintf(answer.detail, sizeof(answer.detail), "%s %s",
                kinds[request->resolver - request->broker->resolvers].program, why);
        tell(request, &answer);
}

static void resolver_failed(struct resolver *resolver, int error)
{
        struct broker *broker = resolver->broker;
        struct request *request, *next;

        log_message(LOG_ERR, "%s %s: %s", kinds[resolver - broker->resolvers].program,
                resolver->pidfd < 0 ? "cannot be started" : "failed", strerror(-error));
        resolver->not_before = broker_now(broker) + BACKOFF_USEC;
        resolver_stop(resolver);
        for (request = TAILQ_FIRST(&broker->requests); request; request = next) {
                next = TAILQ_NEXT(request, link);
                if (request->asked > 0 && request->resolver == resolver)
                        tell_unavailable(request, "failed");
        }
}

static int on_answer(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        struct resolver *resolver = userdata;
        struct request *request;
        struct answer answer;
        ssize_t n = packet_read(fd, &answer, sizeof(answer));
        int r = n < 0 ? (int)n : n == 0 ? -ECONNRESET : answer_check(&answer, (size_t)n);

        (void)source, (void)events;
        if (r < 0 && r != -EAGAIN)
                resolver_failed(resolver, r);
        if (r < 0)
                return 0;
        resolver->heard = broker_now(resolver->broker);
        TAILQ_FOREACH (request, &resolver->broker->requests, link)
                if (request->asked == answer.number && request->resolver == resolver) {
                        tell(request, &answer);
                        break;
                }
        return 0; /* or its request is gone */
}

static int resolver_start(struct resolver *resolver)
{
        struct broker *broker = resolver->broker;
        size_t kind = (size_t)(resolver - broker->resolvers);
        char store[PATH_MAX];
        const char *const arguments[] = {kinds[kind].program, kind == RESOLVER_ALLOT ? store : NULL, NULL};
        struct helper helper = {
                .libexec = broker->options.libexec_directory,
                .arguments = arguments,
                .uid = broker->accounts.uid[kinds[kind].account],
                .gid = broker->accounts.gid[kinds[kind].account],
                .fds = {-1, -1},
                .n_fds = PACKET_ENDS,
                .processes = PROCESSES_MAX,
                .cgroup = -1,
        };
        int r = kind == RESOLVER_ALLOT ? make_store(broker, store, sizeof(store)) : 0;

        if (r == 0)
                r = packet_pipes(resolver->pipes, helper.fds, QUEUE_SIZE);
        if (r == 0)
                r = helper_start(&helper, &resolver->pidfd);
        close_fd(helper.fds[0]);
        close_fd(helper.fds[1]);
        if (r == 0)
                r = sd_event_add_io(
                        broker->event, &resolver->source, resolver->pipes[PACKET_IN], EPOLLIN, on_answer, resolver);
        if (r < 0)
                resolver_failed(resolver, r);
        return r;
}

static void on_late(struct request *request)
{
        struct resolver *resolver = request->resolver, *allot = &request->broker->resolvers[RESOLVER_ALLOT];

        /* A disk may be slow for many. Else it hangs: however long a name takes, sandboxd-names says so in time. */
        if (resolver == allot && broker_now(request->broker) < allot->heard + ALLOT_USEC)
                tell_unavailable(request, "does not answer in time");
        else
                resolver_failed(resolver, -ETIMEDOUT);
}

int resolver_ask(struct request *request, struct question *question)
{
        struct broker *broker = request->broker;
        const struct index_header *header = request->service->generation->index.header;
        bool names = question->kind == QUESTION_ACCOUNT;
        struct resolver *resolver = &broker->resolvers[names ? RESOLVER_NAMES : RESOLVER_ALLOT];
        int r;

        /* One that hangs in a dead disk, and does not end, gets no company. */
        if (resolver->pipes[PACKET_OUT] < 0 && (resolver->pidfd >= 0 || broker_now(broker) < resolver->not_before))
                return -EHOSTDOWN;
        question->number = ++broker->next_number;
        question->timeout = header->name_timeout;
        question->ttl = header->name_ttl;
        r = resolver->pipes[PACKET_OUT] < 0 ? resolver_start(resolver) : 0;
        if (r == 0)
                r = packet_write(resolver->pipes[PACKET_OUT], question, sizeof(*question));
        if (r == -EPIPE)
                resolver_failed(resolver, r);
        if (r < 0)
                return r;
        r = request_set_deadline(request, names ? header->name_timeout + SLACK_USEC : ALLOT_USEC, on_late);
        if (r < 0)
                return r;
        request->asked = question->number;
        request->asked_kind = question->kind;
        request->resolver = resolver;
        return 0;
}

void resolver_close(struct broker *broker)
{
        for (size_t i = 0; i < RESOLVERS; i++)
                if (broker->resolvers[i].pipes[PACKET_OUT] >= 0)
                        resolver_stop(&broker->resolvers[i]);
}
