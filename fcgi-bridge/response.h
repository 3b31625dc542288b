/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * The header of a CGI response (RFC 3875, section 6), read as it comes and brought into one form:
 * "Status: …" first if there is one, then every field as "Name: value\r\n" in its order, then "\r\n".
 *
 * Accepted: lines that end with LF or CRLF; a first line "HTTP/1.x NNN reason" of scripts that write the
 * whole HTTP header (section 5), which becomes a Status field; Location without Status, which becomes 302.
 * Refused, since web servers disagree on what it means: continued lines, control characters and NUL, a name
 * that is not a token, a Status that is not 200 to 599 (1xx is the web server's business), Status, Location
 * or Content-Type given twice (section 6.3), a header with none of the three (section 6.3).
 *
 * Pure: memory is its only side effect.
 */

enum {
        RESPONSE_HEADER_MAX = 64 * 1024, /* as received and as passed on */
        RESPONSE_EXCERPT_SIZE = 81,
};

struct response {
        char *raw; /* what was received of the header */
        size_t raw_length, raw_size;
        size_t line;  /* where its last line begins */
        char *header; /* the finished header, once response_feed() has returned 1 */
        size_t header_length;
        unsigned status;     /* 200 to 599 */
        const char *problem; /* what was wrong, a constant, after a failure */
};

void response_init(struct response *response);
void response_clear(struct response *response);

/*
 * Takes the next bytes of the application's output. Returns 1 when the header is complete: `header` holds it,
 * and data[*ret_used] is the body's first byte; 0 when all bytes were taken and more are needed; -EBADMSG or
 * -EMSGSIZE with `problem` set when the response is unusable; -ENOMEM. Not to be called after a 1 or a
 * failure.
 */
int response_feed(struct response *response, const char *data, size_t length, size_t *ret_used);

/* The first line received, without control characters and cut to RESPONSE_EXCERPT_SIZE - 1, for a log. */
void response_excerpt(const struct response *response, char *out);
