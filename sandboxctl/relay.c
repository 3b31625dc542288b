/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxctl/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

static const char *const stream_names[RELAY_FLOWS] = {"standard input", "standard output", "standard error"};

/* Where the one of a flow that is ours stands: the command's standard input is the pipe that we write to. */
static bool is_input(size_t number)
{
        return number == STDIN_FILENO;
}

int relay_open(struct relay *relay, const int streams[RELAY_FLOWS])
{
        for (size_t i = 0; i < RELAY_FLOWS; i++) {
                struct relay_flow *flow = &relay->flows[i];
                int ends[2];

                if (pipe2(ends, O_CLOEXEC) < 0)
                        return -errno;
                flow->pipe = ends[is_input(i)];
                relay->theirs[i] = ends[!is_input(i)];
                flow->from = is_input(i) ? streams[i] : flow->pipe;
                flow->to = is_input(i) ? flow->pipe : streams[i];
                /* As fcgi-bridge does: a command that opens /dev/stdout again does so as somebody else. */
                if (fchmod(relay->theirs[i], 0666) < 0)
                        return -errno;
        }
        return 0;
}

void relay_handed_over(struct relay *relay)
{
        for (size_t i = 0; i < RELAY_FLOWS; i++)
                relay->theirs[i] = close_fd(relay->theirs[i]);
}

static void end_flow(struct relay_flow *flow)
{
        flow->pipe = close_fd(flow->pipe);
        flow->from = flow->to = -1;
}

void relay_close(struct relay *relay)
{
        for (size_t i = 0; i < RELAY_FLOWS; i++)
                end_flow(&relay->flows[i]);
        relay_handed_over(relay);
}

/* Ends the flow at which a call has failed, unless it was for nothing; EPIPE is an end, and not a failure. */
static void fail_flow(struct relay_flow *flow, const char *what, const char *stream)
{
        if (errno == EINTR || errno == EAGAIN)
                return;
        if (errno != EPIPE)
                fprintf(stderr, "sandboxctl: %s %s of the command: %s\n", what, stream, strerror(errno));
        end_flow(flow);
}

static void fill(struct relay_flow *flow, const char *stream)
{
        ssize_t n = read(flow->from, flow->buffer, sizeof(flow->buffer));

        if (n < 0) {
                fail_flow(flow, "reading for", stream);
        } else if (n == 0) {
                end_flow(flow);
        } else {
                flow->used = (size_t)n;
                flow->sent = 0;
        }
}

static void empty(struct relay_flow *flow, const char *stream)
{
        ssize_t n = write(flow->to, flow->buffer + flow->sent, flow->used - flow->sent);

        if (n < 0) {
                fail_flow(flow, "writing", stream);
                return;
        }
        flow->sent += (size_t)n;
        if (flow->sent == flow->used)
                flow->used = flow->sent = 0;
}

/*
 * A source is read when there is nothing left to write, so that its end is the flow's. A sink is watched all the time:
 * a command that has closed its standard input leaves what comes next to whoever reads it then. Neither is made
 * non-blocking, for our streams are shared with others; PIPE_BUF bytes do not block a pipe that poll(2) calls writable.
 */
static void watch(const struct relay_flow *flow, struct pollfd *source, struct pollfd *sink)
{
        *source = (struct pollfd){.fd = flow->used == 0 ? flow->from : -1, .events = POLLIN};
        *sink = (struct pollfd){.fd = flow->to, .events = flow->used > 0 ? POLLOUT : 0};
}

static void serve(struct relay_flow *flow, const char *stream, short source, short sink)
{
        if (flow->used > 0 && sink != 0)
                empty(flow, stream);
        else if (sink != 0)
                end_flow(flow);
        else if (source != 0)
                fill(flow, stream);
}

int relay_run(struct relay *relay, int pidfd)
{
        struct relay_flow *flows = relay->flows;
        bool ended = false;

        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
                return -errno;
        while (!ended || flows[STDOUT_FILENO].pipe >= 0 || flows[STDERR_FILENO].pipe >= 0) {
                struct pollfd polls[1 + 2 * RELAY_FLOWS] = {{.fd = ended ? -1 : pidfd, .events = POLLIN}};

                for (size_t i = 0; i < RELAY_FLOWS; i++)
                        watch(&flows[i], &polls[1 + 2 * i], &polls[2 + 2 * i]);
                if (poll(polls, ELEMENTS(polls), -1) < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                for (size_t i = 0; i < RELAY_FLOWS; i++)
                        serve(&flows[i], stream_names[i], polls[1 + 2 * i].revents, polls[2 + 2 * i].revents);
                ended = ended || polls[0].revents != 0;
        }
        return 0;
}
