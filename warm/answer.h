/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* The answer to a warm-up request, read and judged: RFC 3875, section 6.2; FastCGI Specification 1.0. */

enum { ANSWER_BAD = 1 };

/*
 * Reads from `fd`, up to FCGI_END_REQUEST or, with `is_stream`, to the end, until `seconds` are over. Returns 0 for an
 * answer whose status is below 400; ANSWER_BAD with the reason; or a negative errno.
 */
int answer_judge(int fd, int is_stream, unsigned seconds, char *reason, size_t size);
