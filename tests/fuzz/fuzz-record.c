/* SPDX-License-Identifier: Apache-2.0 */
/* links: fcgi-bridge/record.c */

/* Any bytes as a connection's input: every record decoded lies within them, and every answer within its
 * bounds. */

#include <stdlib.h>

#include "fcgi-bridge/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
        if (!condition)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        size_t done = 0;

        for (;;) {
                unsigned char out[RECORD_VALUES_MAX];
                struct record record;
                uint16_t role;
                uint8_t flags;
                size_t answer;

                if (record_decode(data + done, size - done, &record) != 1)
                        return 0;
                check(record.size <= size - done && record.size <= RECORD_MAX);
                check(record.content == data + done + RECORD_HEADER_SIZE);
                check(record.length <= record.size - RECORD_HEADER_SIZE);
                check((record_begin_request(&record, &role, &flags) == 0) == (record.length == 8));
                answer = record_values_result(out, &record, 4294967295U, 4294967295U);
                check(answer >= RECORD_HEADER_SIZE && answer <= sizeof(out));
                /* Our own records are ones that we accept. */
                check(record_decode(out, answer, &record) == 1 && record.size == answer);
                check(record_decode(data + done, size - done, &record) == 1);
                done += record.size;
        }
}
