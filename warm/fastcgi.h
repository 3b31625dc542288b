/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * The few FastCGI messages that are written here: FastCGI Specification 1.0. All with request id 1, and without
 * waiting: each has to fit into the socket's queue, which nobody else has written to. Return 0; -E2BIG; -EAGAIN when it
 * does not fit; or another negative errno of send(2).
 */

enum {
        FASTCGI_ID = 1,
        FASTCGI_PARAMS_MAX = 160 * 1024, /* bytes of FCGI_PARAMS; what the default queue of a socket holds */
};

/* FCGI_BEGIN_REQUEST as responder, FCGI_PARAMS from "NAME=VALUE" strings up to NULL; an empty FCGI_STDIN if told so. */
int fastcgi_send_request(int fd, char *const *variables, bool no_body);

/* WARM_RECORD_GO: common/warm.h. */
int fastcgi_send_go(int fd);

/* A whole answer, `text` being its header and body, less than 1 KB of it, and FCGI_END_REQUEST. */
int fastcgi_send_answer(int fd, const char *text);
