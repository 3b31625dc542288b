/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open-loop -r RATE -s SECONDS -p PORT [-c CONNECTIONS] [-x SEED] PATH: asks 127.0.0.1:PORT for PATH RATE times a
 * second, whether answers come or not, and prints as JSON how long they took, in milliseconds.
 *
 * Requests are due at equal distances; with -x SEED as a Poisson process. A latency counts from the time at which its
 * request was due, also where no connection was free or this program had no processor then: a server that stalls is
 * charged with every request that it kept waiting ("coordinated omission" is what a closed loop does instead).
 * HTTP/1.1 on connections that stay open and are made beforehand. Anything but a complete answer 200 to every request
 * ends it with status 1.
 */
#include <err.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"

enum { CONNECTIONS_MAX = 512, REQUESTS_MAX = 10000000, EVENTS = 64 };

#define SECOND UINT64_C(1000000000) /* times are nanoseconds of CLOCK_MONOTONIC */
#define DRAIN  (30 * SECOND)        /* for answers after the last request was due */

struct connection {
        int fd;
        bool busy;
        size_t request; /* which one, while busy */
        struct answer answer;
};

struct load {
        double rate, seconds;
        int port, n_connections;
        long seed; /* 0: equal distances */
        const char *path;

        int epoll;
        char text[2048]; /* of a request */
        size_t text_size;
        size_t n, next, answered; /* requests: in all, the next to be sent, done */
        uint64_t *due, *sent, *took;
        struct connection connections[CONNECTIONS_MAX];
        struct connection *idle[CONNECTIONS_MAX];
        int n_idle;
};

static uint64_t now(void)
{
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

/* Requests */

static void send_next(struct load *load)
{
        struct connection *c = load->idle[--load->n_idle];

        c->busy = true;
        c->request = load->next++;
        answer_begin(&c->answer);
        load->sent[c->request] = now();
        /* It is small, and the connection has nothing on its way: it fits. */
        if (send(c->fd, load->text, load->text_size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)load->text_size)
                err(1, "send");
}

static void receive(struct load *load, struct connection *c)
{
        char data[65536];
        ssize_t n = recv(c->fd, data, sizeof(data), MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN)
                return;
        if (n < 0)
                err(1, "recv");
        if (n == 0 || !c->busy)
                errx(1, "a connection %s", n == 0 ? "was closed" : "says what nobody asked for");
        answer_take(&c->answer, data, (size_t)n);
        if (!c->answer.complete)
                return;
        load->took[c->request] = now() - load->due[c->request];
        load->answered++;
        c->busy = false;
        load->idle[load->n_idle++] = c;
}

/* Until the next request can be sent, or something has come. */
static void await(struct load *load, uint64_t end)
{
        struct epoll_event events[EVENTS];
        uint64_t time = now(), until = end;
        struct timespec timeout;
        int n;

        if (time >= end)
                errx(1, "%zu of %zu requests have no answer", load->n - load->answered, load->n);
        if (load->next < load->n && load->n_idle > 0)
                until = load->due[load->next];
        until = until > time ? until - time : 0;
        timeout = (struct timespec){.tv_sec = (time_t)(until / SECOND), .tv_nsec = (long)(until % SECOND)};
        n = epoll_pwait2(load->epoll, events, EVENTS, &timeout, NULL);
        if (n < 0 && errno != EINTR)
                err(1, "epoll_pwait2");
        for (int i = 0; i < n; i++)
                receive(load, events[i].data.ptr);
}

static void run(struct load *load)
{
        uint64_t start = now() + SECOND / 100, end;

        for (size_t i = 0; i < load->n; i++)
                load->due[i] += start;
        end = load->due[load->n - 1] + DRAIN;
        while (load->answered < load->n) {
                while (load->next < load->n && load->n_idle > 0 && load->due[load->next] <= now())
                        send_next(load);
                await(load, end);
        }
}

/* Before and after */

/* When each request is due, from the start. */
static void plan(struct load *load)
{
        double time = 0, distance = 1 / load->rate;
        size_t most = (size_t)(load->rate * load->seconds * 2) + 100;

        load->due = calloc(most, sizeof(*load->due));
        load->sent = calloc(most, sizeof(*load->sent));
        load->took = calloc(most, sizeof(*load->took));
        if (!load->due || !load->sent || !load->took)
                err(1, "calloc");
        srand48(load->seed);
        while (time < load->seconds && load->n < most) {
                load->due[load->n++] = (uint64_t)(time * (double)SECOND);
                time += load->seed ? -log(1 - drand48()) * distance : distance;
        }
}

static void connect_all(struct load *load)
{
        struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)load->port)};
        int yes = 1;

        server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        load->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (load->epoll < 0)
                err(1, "epoll_create1");
        for (int i = 0; i < load->n_connections; i++) {
                struct connection *c = &load->connections[i];
                struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

                c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&server, sizeof(server)) < 0 ||
                        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) < 0 ||
                        epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event) < 0)
                        err(1, "connecting to port %d", load->port);
                load->idle[load->n_idle++] = c;
        }
}

static int compare(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

/* Of sorted times, in milliseconds: the smallest that `share` of them do not exceed. */
static double percentile(const uint64_t *times, size_t n, double share)
{
        size_t rank = (size_t)ceil(share * (double)n);

        return (double)times[rank > 0 ? rank - 1 : 0] / 1e6;
}

static void report(struct load *load)
{
        const uint64_t *took = load->took;
        double rate = (double)load->n / load->seconds;
        size_t n = load->n;

        for (size_t i = 0; i < n; i++)
                load->sent[i] -= load->due[i];
        qsort(load->sent, n, sizeof(*load->sent), compare);
        qsort(load->took, n, sizeof(*load->took), compare);
        printf("{\"requests\": %zu, \"rate\": %.2f, \"p50\": %.4f, \"p90\": %.4f, \"p99\": %.4f, \"p999\": %.4f, "
               "\"max\": %.4f, \"sent_late_p99\": %.4f}\n",
                n, rate, percentile(took, n, 0.5), percentile(took, n, 0.9), percentile(took, n, 0.99),
                percentile(took, n, 0.999), percentile(took, n, 1), percentile(load->sent, n, 0.99));
}

static void read_options(struct load *load, int argc, char **argv)
{
        for (int option; (option = getopt(argc, argv, "r:s:p:c:x:")) != -1;) {
                switch (option) {
                case 'r':
                        load->rate = strtod(optarg, NULL);
                        break;
                case 's':
                        load->seconds = strtod(optarg, NULL);
                        break;
                case 'p':
                        load->port = atoi(optarg);
                        break;
                case 'c':
                        load->n_connections = atoi(optarg);
                        break;
                case 'x':
                        load->seed = atol(optarg);
                        break;
                default:
                        exit(2);
                }
        }
        load->path = argv[optind];
        if (!load->path || !(load->rate > 0) || !(load->seconds > 0) || load->rate * load->seconds > REQUESTS_MAX ||
                load->port <= 0 || load->port > 65535 || load->n_connections < 1 ||
                load->n_connections > CONNECTIONS_MAX)
                errx(2, "usage: open-loop -r RATE -s SECONDS -p PORT [-c CONNECTIONS] [-x SEED] PATH");
}

int main(int argc, char **argv)
{
        static struct load load = {.n_connections = 64};
        int length;

        read_options(&load, argc, argv);
        length = snprintf(
                load.text, sizeof(load.text), "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", load.path, load.port);
        if (length < 0 || (size_t)length >= sizeof(load.text))
                errx(2, "the path is too long");
        load.text_size = (size_t)length;
        /* As exact as the clock: the default may send everything 50 µs late. */
        if (prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0) < 0)
                err(1, "prctl");
        plan(&load);
        connect_all(&load);
        run(&load);
        report(&load);
        return EXIT_SUCCESS;
}
