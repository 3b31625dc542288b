/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fcgi-bridge/record.h"

/*
 * What comes from the application on a connection of a launch (WIRE_CONNECTION in common/wire.h): records of FastCGI
 * request 1, read as they come. Nothing is kept of their content, so a record may be as long as it likes.
 *
 * They come from whom nobody trusts, and are held to what a Responder may send (FastCGI Specification 1.0, sections
 * 3.3, 5.3 and 5.5), and a child of ours before it (WARM_RECORD_GO in common/warm.h). Anything else is refused: another
 * version, another request, another type, content after a stream's end, an FCGI_END_REQUEST that is not 8 bytes.
 *
 * Pure.
 */

enum { UPSTREAM_ID = 1 }; /* the only request on its connection; the child begins it with this id */

enum upstream_kind {
        UPSTREAM_NOTHING, /* more bytes are needed */
        UPSTREAM_STDOUT,  /* a piece of the response */
        UPSTREAM_STDERR,  /* a piece of the application's messages */
        UPSTREAM_GO,      /* the body may be sent: once, and before all else, if there is one */
        UPSTREAM_END,     /* FCGI_END_REQUEST: what follows is nobody's matter */
};

struct upstream {
        bool must_go;  /* UPSTREAM_GO is due before anything else, or has come */
        bool go;       /* it has come */
        bool ended[2]; /* FCGI_STDOUT, FCGI_STDERR */
        unsigned char header[RECORD_HEADER_SIZE];
        size_t header_used; /* bytes of the present record's header that came; all while its rest is read */
        struct record record;
        size_t content_left, padding_left;
        unsigned char end[8]; /* the content of FCGI_END_REQUEST, as it comes */

        uint32_t app_status; /* with UPSTREAM_END */
        uint8_t protocol_status;
        const char *problem; /* what was wrong, a constant, after a failure */
};

/* `has_body`: a body is sent, and UPSTREAM_GO has to come first. */
void upstream_init(struct upstream *upstream, bool has_body);

/*
 * Takes the next bytes, cut anywhere: `*data` and `*length` are moved behind what was taken. Returns an enum
 * upstream_kind, and for a piece of a stream where it lies in what was taken; it is never empty. To be called until it
 * returns UPSTREAM_NOTHING, when all bytes were taken, or UPSTREAM_END. Returns -EPROTO with `problem` set; then, and
 * after UPSTREAM_END, it is not to be called again.
 */
int upstream_next(struct upstream *upstream, const unsigned char **data, size_t *length, const char **ret_piece,
        size_t *ret_piece_length);

/* Whether a record has begun that is not at its end. */
bool upstream_is_partial(const struct upstream *upstream);
