/* SPDX-License-Identifier: Apache-2.0 */
/* links: compiler/builder.c sandboxd/identity.c sandboxd/front.c common/door.c */

/*
 * Any bytes as an index, sealed into a memfd: what index_open() accepts can be read from end to end, and asked for any
 * identity. The first bytes are the question: a flag, then service, user, address and host of 16 bytes each.
 */

#include "tests/unit/index-sample.h"

enum { FIELD = 16, QUESTION = 1 + 4 * FIELD };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char fields[4][FIELD + 1] = {{0}};
        struct index index;
        char *bytes;
        int fd;

        if (size < QUESTION)
                return 0;
        for (size_t i = 0; i < 4; i++)
                memcpy(fields[i], data + 1 + i * FIELD, FIELD);
        bytes = malloc(size - QUESTION + 1);
        memcpy(bytes, data + QUESTION, size - QUESTION);
        /* The mutations of a fuzzer change the length all the time. */
        if (data[0] & 1 && size - QUESTION >= sizeof(struct index_header))
                ((struct index_header *)(void *)bytes)->size = (uint32_t)(size - QUESTION);
        fd = sample_memfd(bytes, size - QUESTION, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
        free(bytes);
        if (index_open(fd, &index) < 0) {
                close(fd);
                return 0;
        }
        sample_walk(&index);
        identity_match(&index, &(struct identity_query){fields[0], fields[1], fields[2], fields[3]});
        index_close(&index);
        return 0;
}
