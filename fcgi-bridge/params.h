/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * The PARAMS stream (FastCGI Specification 1.0, sections 3.4 and 5.2) decoded into an environment block.
 *
 * The stream is cut into records wherever the web server likes: a pair may straddle them, within a length
 * just as within a name. Every limit is checked against the announced lengths, before memory is taken.
 *
 * What becomes of a parameter:
 *   - a name that is empty or has NUL or '=' in it, or a value with NUL, is malformed: as NAME=VALUE it would
 * be read differently from how it was sent, so the request is refused;
 *   - a name that came already is an ambiguity (which one does the application see, which one did the
 *     selectors come from?): refused; but the values of HTTP_*, header fields that a client repeats, are joined;
 *   - a name that is not [A-Za-z_][A-Za-z0-9_]* is dropped: no shell and few programs can use it;
 *   - HTTP_PROXY in any case is dropped: a client's "Proxy:" header must not become somebody's http_proxy
 * (CVE-2016-5385);
 *   - names that begin with SANDBOXD_, in any case, are dropped: they are the broker's to set.
 *
 * Pure: memory is its only side effect.
 */

struct param {
        size_t name, name_length;   /* offset in the block, length in bytes */
        size_t value, value_length; /* the same; a NUL follows the value */
};

struct params {
        size_t max_bytes; /* of the stream */
        size_t max_count; /* of pairs, the dropped ones among them */

        char *block; /* "NAME=VALUE\0" …: `length` bytes of whole parameters */
        size_t length, size;
        struct param *list;
        size_t count, list_size;
        size_t dropped; /* parameters left out for their names */

        /* The stream so far, and the pair being received behind block[length]. */
        size_t received, pairs;
        unsigned char lengths[8];
        size_t lengths_used;
        bool in_pair;
        struct param pair;
        size_t filled; /* bytes of name and value that came */

        const char *problem; /* what was wrong, a constant, after a failure */
};

/* The block never holds more than the stream did: "=" and NUL take the place of two length bytes. */
void params_init(struct params *params, size_t max_bytes, size_t max_count);

/* Releases the memory; the structure can be initialised again. */
void params_clear(struct params *params);

/*
 * Takes the next `length` bytes of the stream, cut anywhere. Returns 0; -E2BIG when a limit is exceeded;
 * -EINVAL for a malformed pair; -EEXIST for a repeated name, which is that of `pair`; -ENOMEM. After a
 * failure `problem` is set and the structure only fit for params_clear().
 */
int params_feed(struct params *params, const unsigned char *data, size_t length);

/* The stream is at its end. Returns 0, or -EINVAL when it ended within a pair. */
int params_end(struct params *params);

/* The parameter called `name`, or NULL. Valid until the next params_feed(), params_cut() or params_clear().
 */
const struct param *params_find(const struct params *params, const char *name);

/* Shortens the value of `param` to the `length` bytes that begin `skip` bytes into it. */
void params_cut(struct params *params, const struct param *param, size_t skip, size_t length);
