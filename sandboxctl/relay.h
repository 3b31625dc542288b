/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <limits.h>
#include <stddef.h>

/*
 * Three pipes for a command, and what carries bytes between them and our own standard input, output and error. Under
 * SELinux a command in a context of its own may use neither the caller's terminal nor the caller's pipes, but pipes
 * that this program has made. No more than PIPE_BUF bytes wait in each direction: who does not read holds up its own
 * flow, and no other.
 */

enum { RELAY_FLOWS = 3 }; /* by the numbers of the standard streams */

struct relay {
        struct relay_flow {
                int from, to; /* -1, both: the flow has ended */
                int pipe;     /* the one of the two that is an end of our pipe, and ours to close */
                size_t used, sent;
                char buffer[PIPE_BUF];
        } flows[RELAY_FLOWS];
        int theirs[RELAY_FLOWS]; /* the command's ends */
};

#define RELAY_CLOSED                                                                                                   \
        {                                                                                                              \
                .flows = {{-1, -1, -1, 0, 0, {0}}, {-1, -1, -1, 0, 0, {0}}, {-1, -1, -1, 0, 0, {0}}}, .theirs = {      \
                        -1,                                                                                            \
                        -1,                                                                                            \
                        -1                                                                                             \
                }                                                                                                      \
        }

/*
 * Makes the pipes, between the command and `streams`: our standard input, output and error. They stay the caller's.
 * `relay` is RELAY_CLOSED before. Returns 0 or a negative errno; relay_close() either way.
 */
int relay_open(struct relay *relay, const int streams[RELAY_FLOWS]);

/* The command has its ends now; ours of them are closed. */
void relay_handed_over(struct relay *relay);

/*
 * Carries bytes until the process of `pidfd` has ended and all that it wrote has been written. The end of our standard
 * input becomes the end of the command's; when nobody reads our output, nobody reads the command's. Ignores SIGPIPE
 * from here on: the command is to get it, and to be the one that says how it ended. Returns 0 or a negative errno.
 */
int relay_run(struct relay *relay, int pidfd);

/* Closes what is open of the pipes. */
void relay_close(struct relay *relay);
