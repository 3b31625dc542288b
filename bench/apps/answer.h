/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An HTTP answer, RFC 9112 (chunks: section 7.1), as its bytes come; only where it ends matters. Of a load generator:
 * what is not an answer 200 with a known end ends the program with status 1 and a message.
 */

enum answer_part {
        ANSWER_STATUS,
        ANSWER_HEADER,
        ANSWER_BODY,
        ANSWER_CHUNK_SIZE,
        ANSWER_CHUNK,
        ANSWER_CHUNK_END,
        ANSWER_TRAILER,
};

struct answer {
        enum answer_part part; /* comes next */
        bool chunked;
        bool complete;
        uint64_t left;  /* bytes of the body or chunk */
        char line[128]; /* its beginning */
        size_t length;
};

void answer_begin(struct answer *answer);

/* Takes `size` bytes that have come; `complete` says whether the answer ends with the last of them. */
void answer_take(struct answer *answer, const char *data, size_t size);
