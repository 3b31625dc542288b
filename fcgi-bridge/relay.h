/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * The bytes of a running request, both ways, with back-pressure: FCGI_STDIN to the application's stdin; its
 * stdout, through response.h, to FCGI_STDOUT; its stderr to FCGI_STDERR and, line by line, to the log.
 * Nothing is queued here: what a pipe does not take stays in the connection's input, what the web server does
 * not take stays in the pipe.
 */

enum {
        RELAY_CHUNK = 32 * 1024, /* read from a pipe in one event */
};

struct request;

/* Starts to watch the launch of `request`. Returns 0 or a negative errno. */
int relay_start(struct request *request);

/* Stops watching; closes nothing. */
void relay_stop(struct request *request);

/*
 * Passes on a piece of the body. Returns how much of it has been dealt with: less than `length` means that
 * the pipe is full, and that the connection is settled again when it is not. Bytes are discarded beyond
 * CONTENT_LENGTH, and after the application has closed its stdin: that is its right, and its response still
 * counts.
 */
size_t relay_stdin(struct request *request, const unsigned char *data, size_t length);

/* The body is at its end: so is the application's stdin, even if CONTENT_LENGTH promised more. */
void relay_end_stdin(struct request *request);

/* Watches the pipes while the connection has room, and leaves them alone while it has not. */
void relay_update(struct request *request);

/*
 * After the broker's result, when every process of the request is dead: reads what is left in the pipes, as
 * far as the connection has room, and closes them when they are empty. It does not wait for end of file,
 * which a process outside the sandbox that holds the other end could withhold for ever.
 */
void relay_drain(struct request *request);
