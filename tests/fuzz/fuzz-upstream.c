/* SPDX-License-Identifier: Apache-2.0 */
/* links: fcgi-bridge/upstream.c fcgi-bridge/record.c */

/*
 * Any bytes as what an application sends: cut in pieces they give what they give whole, what is passed on lies within
 * them, and one that says that it breaks the protocol says why. The first byte says how they are cut, and whether there
 * is a body.
 */

#include <stdlib.h>
#include <string.h>

#include "fcgi-bridge/upstream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came of the bytes: each stream's sum and length, and the end. */
struct outcome {
        uint64_t sums[2];
        size_t lengths[2];
        unsigned n_go;
        int result;
        uint32_t app_status;
        uint8_t protocol_status;
};

static void check(int condition)
{
        if (!condition)
                abort();
}

static void note_piece(struct outcome *outcome, int stream, const char *piece, size_t length)
{
        check(length > 0);
        for (size_t i = 0; i < length; i++)
                outcome->sums[stream] = outcome->sums[stream] * 31 + (unsigned char)piece[i];
        outcome->lengths[stream] += length;
}

/* Until the bytes, or the records, are at their end. */
static int feed(struct upstream *upstream, struct outcome *outcome, const unsigned char *data, size_t length)
{
        const unsigned char *start = data, *end = data + length;

        for (;;) {
                const char *piece = NULL;
                size_t piece_length = 0;
                int r = upstream_next(upstream, &data, &length, &piece, &piece_length);

                check(data >= start && data + length == end);
                if (r == UPSTREAM_STDOUT || r == UPSTREAM_STDERR) {
                        check((const unsigned char *)piece >= start &&
                                (const unsigned char *)piece + piece_length <= data);
                        note_piece(outcome, r == UPSTREAM_STDERR, piece, piece_length);
                        check(!upstream->must_go || outcome->n_go == 1);
                } else if (r == UPSTREAM_GO)
                        outcome->n_go++;
                else {
                        check(r != UPSTREAM_NOTHING || length == 0);
                        check(r >= 0 || (upstream->problem && strlen(upstream->problem) > 0));
                        return r;
                }
        }
}

static struct outcome run(const unsigned char *data, size_t size, size_t step, bool has_body)
{
        struct outcome outcome = {.result = UPSTREAM_NOTHING};
        struct upstream upstream;

        upstream_init(&upstream, has_body);
        for (size_t done = 0; done < size && outcome.result == UPSTREAM_NOTHING; done += step)
                outcome.result = feed(&upstream, &outcome, data + done, size - done < step ? size - done : step);
        check(outcome.n_go <= (has_body ? 1 : 0));
        if (outcome.result == UPSTREAM_END) {
                outcome.app_status = upstream.app_status;
                outcome.protocol_status = upstream.protocol_status;
        }
        return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct outcome whole, pieces;
        size_t step;
        bool has_body;

        if (size < 2)
                return 0;
        has_body = data[0] & 1;
        step = (data[0] >> 1) + 1U;
        data++;
        size--;
        whole = run(data, size, size, has_body);
        pieces = run(data, size, step, has_body);
        check(whole.result == pieces.result && whole.n_go == pieces.n_go);
        check(memcmp(whole.sums, pieces.sums, sizeof(whole.sums)) == 0);
        check(memcmp(whole.lengths, pieces.lengths, sizeof(whole.lengths)) == 0);
        check(whole.app_status == pieces.app_status && whole.protocol_status == pieces.protocol_status);
        check(whole.lengths[0] + whole.lengths[1] <= size);
        return 0;
}
