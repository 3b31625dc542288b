/* SPDX-License-Identifier: Apache-2.0 */
/* links: compiler/builder.c compiler/memory.c common/network.c common/front.c common/door.c */

/*
 * Any bytes as an index, sealed into a memfd: what index_open() accepts can be read from end to end. The first byte is
 * not part of it: its lowest bit sets the size right, for the mutations of a fuzzer change the length all the time.
 */

#include "tests/unit/index-sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct index index;
        char *bytes;
        int fd;

        if (size-- < 1)
                return 0;
        bytes = malloc(size + 1);
        memcpy(bytes, data + 1, size);
        if (data[0] & 1 && size >= sizeof(struct index_header))
                ((struct index_header *)(void *)bytes)->size = (uint32_t)size;
        fd = sample_memfd(bytes, size, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
        free(bytes);
        if (index_open(fd, &index) < 0) {
                close(fd);
                return 0;
        }
        sample_walk(&index);
        index_close(&index);
        return 0;
}
