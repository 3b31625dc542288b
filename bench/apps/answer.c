/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void answer_begin(struct answer *a)
{
        *a = (struct answer){.part = ANSWER_STATUS, .left = UINT64_MAX};
}

static void begin_body(struct answer *a)
{
        if (!a->chunked && a->left == UINT64_MAX)
                errx(1, "an answer has neither Content-Length nor chunks");
        a->part = a->chunked ? ANSWER_CHUNK_SIZE : ANSWER_BODY;
        a->complete = !a->chunked && a->left == 0;
}

static void header(struct answer *a)
{
        if (a->line[0] == '\0')
                begin_body(a);
        else if (strncasecmp(a->line, "Content-Length:", 15) == 0)
                a->left = strtoull(a->line + 15, NULL, 10);
        else if (strncasecmp(a->line, "Transfer-Encoding: chunked", 26) == 0)
                a->chunked = true;
}

static void line_ends(struct answer *a)
{
        switch (a->part) {
        case ANSWER_STATUS:
                if (strncmp(a->line, "HTTP/1.1 200", 12) != 0)
                        errx(1, "the answer is '%s'", a->line);
                a->part = ANSWER_HEADER;
                break;
        case ANSWER_HEADER:
                header(a);
                break;
        case ANSWER_CHUNK_SIZE:
                a->left = strtoull(a->line, NULL, 16);
                a->part = a->left > 0 ? ANSWER_CHUNK : ANSWER_TRAILER;
                break;
        case ANSWER_CHUNK_END:
                a->part = ANSWER_CHUNK_SIZE;
                break;
        case ANSWER_TRAILER:
                a->complete = a->line[0] == '\0';
                break;
        default:
                errx(1, "no line is expected in a body");
        }
}

static void character(struct answer *a, char character)
{
        if (character == '\n') {
                a->line[a->length] = '\0';
                a->length = 0;
                line_ends(a);
        } else if (character != '\r' && a->length < sizeof(a->line) - 1) {
                a->line[a->length++] = character;
        }
}

void answer_take(struct answer *a, const char *data, size_t size)
{
        for (size_t at = 0; at < size; at++) {
                if (a->complete)
                        errx(1, "there is more than an answer");
                if (a->part != ANSWER_BODY && a->part != ANSWER_CHUNK) {
                        character(a, data[at]);
                        continue;
                }
                size_t part = size - at < a->left ? size - at : (size_t)a->left;

                a->left -= part;
                at += part - 1;
                if (a->left == 0 && a->part == ANSWER_BODY)
                        a->complete = true;
                else if (a->left == 0)
                        a->part = ANSWER_CHUNK_END;
        }
}
