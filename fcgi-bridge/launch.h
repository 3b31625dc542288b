/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <sys/un.h>

#include "common/wire.h"

/*
 * One launch at the broker: common/wire.h has the protocol.
 */

/* Our ends. All are non-blocking and close-on-exec, but for stdin_fd. */
struct launch {
        enum wire_kind kind;
        int broker;         /* closing it ends whatever the launch started */
        int stderr_fd;      /* read end */
        int stdin_fd;       /* WIRE_STREAMS: write end; it is the caller's to make it non-blocking, if it writes */
        int stdout_fd;      /* WIRE_STREAMS: read end */
        int application_fd; /* WIRE_CONNECTION */
};

#define LAUNCH_CLOSED ((struct launch){WIRE_STREAMS, -1, -1, -1, -1, -1})

/* Random bits for request ids, fetched for several at once. Zeroed, it is empty. */
struct launch_random {
        unsigned char bytes[256];
        size_t left;
};

/* Writes a new request id: 128 random bits as lower-case hexadecimal digits. Returns 0 or a negative errno. */
int launch_make_id(struct launch_random *random, char id[WIRE_REQUEST_ID_SIZE]);

/*
 * Asks the broker at `address` to run what `request` selects, with `environment` ("NAME=VALUE\0" …, `length`
 * bytes). `front_fd` is the web server's connection; it stays the caller's.
 *
 * `request` is of the kind that is wanted. A connection becomes streams, and its flags go, where it does not take the
 * environment at once; `ret_launch` says which it was.
 *
 * Returns 0, and the caller closes what is in `ret_launch`. On failure nothing was started: -EAGAIN when
 * the broker's backlog is full, -ENOENT or -ECONNREFUSED when there is no broker, or another negative errno.
 */
int launch_start(const struct sockaddr_un *address, struct wire_request *request, const char *environment,
        size_t length, int front_fd, struct launch *ret_launch);

/* What the broker has sent. */
enum launch_packet {
        LAUNCH_NOTHING, /* yet */
        LAUNCH_QUESTION,
        LAUNCH_RESULT,
};

/*
 * Looks for a packet of the broker's without waiting. Returns an enum launch_packet, and fills in what has come;
 * -ECONNRESET when the broker has closed; -EBADMSG when the packet is neither. That there is one question at most, and
 * when, is the caller's to see to.
 */
int launch_receive(const struct launch *launch, struct wire_question *ret_question, struct wire_result *ret_result);

/*
 * Answers the broker's question. Never waits. Returns 0 or a negative errno; 0 as well when the broker has closed
 * meanwhile, since launch_receive() still has what it said before.
 */
int launch_answer(const struct launch *launch, const struct wire_variables *variables);

/* Tells the broker that the response is complete. If it cannot be told, closing says that the request is over. */
void launch_say_done(const struct launch *launch);

/* Closes what is open. */
void launch_close(struct launch *launch);
