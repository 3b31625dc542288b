/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * The bytes of a running request, both ways, with back-pressure: FCGI_STDIN to the application's stdin; its
 * stdout, through response.h, to FCGI_STDOUT; its stderr to FCGI_STDERR and, line by line, to the log.
 * Nothing is queued here: what a pipe does not take stays in the connection's input, what the web server does
 * not take stays in the pipe. Where the launch has a connection in place of stdin and stdout, application.h stands in.
 */

enum {
        RELAY_CHUNK = 32 * 1024, /* read from a pipe in one event */

        /* Most requests are over by then: so long the application's stdout is not watched, since each event costs a
         * wake-up here, and each piece that is passed on one of the web server's. What is in the pipe at the end is
         * read all the same. An application that streams, or fills the pipe, is read from then on. */
        RELAY_OUTPUT_USEC = 4 * 1000,
        /* The same for stderr, to which most write nothing. */
        RELAY_ERRORS_USEC = 20 * 1000,
};

struct request;

/* Starts to watch the launch of `request`; `has_body`: WIRE_NO_BODY was not said. Returns 0 or a negative errno. */
int relay_start(struct request *request, bool has_body);

/* From now on the application's stdout, or its stderr, is read as it comes. */
void relay_watch_output(struct request *request);
void relay_watch_errors(struct request *request);

/* Stops watching; closes nothing. */
void relay_stop(struct request *request);

/* Nobody waits for the response: the application's output is closed. What it says on stderr still goes to the log. */
void relay_leave(struct request *request);

/*
 * Passes on a piece of the body. Returns how much of it has been dealt with: less than `length` means that
 * the pipe is full, and that the connection is settled again when it is not. Bytes are discarded beyond
 * CONTENT_LENGTH, and after the application has closed its stdin: that is its right, and its response still
 * counts.
 */
size_t relay_stdin(struct request *request, const unsigned char *data, size_t length);

/* The body is at its end: so is the application's stdin, even if CONTENT_LENGTH promised more. */
void relay_end_stdin(struct request *request);

/* Puts a piece of the application's output, or of its messages, into records for the web server. */
void relay_output(struct request *request, const char *data, size_t length);
void relay_errors(struct request *request, const char *data, size_t length);

/* Watches the pipes while the connection has room, and leaves them alone while it has not. */
void relay_update(struct request *request);

/*
 * After the broker's result, when every process of the request is dead: reads what is left in the pipes, as
 * far as the connection has room, and closes them when they are empty. It does not wait for end of file,
 * which a process outside the sandbox that holds the other end could withhold for ever.
 */
void relay_drain(struct request *request);

/* The same for stderr alone, after FCGI_END_REQUEST. */
void relay_drain_errors(struct request *request);
