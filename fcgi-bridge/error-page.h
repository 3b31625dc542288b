/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * What a client gets when the application has sent no response. Pure.
 */

enum {
        ERROR_PAGE_MAX = 512,
};

/*
 * Writes a whole CGI response, header and text, into `out`, which has room for ERROR_PAGE_MAX bytes; returns
 * its length. The text names the status and the request's id and nothing else: reasons are for the log. A 503
 * asks to come back (Retry-After, RFC 9110 section 10.2.3).
 */
size_t error_page(char *out, unsigned status, const char *request_id);
