/* SPDX-License-Identifier: Apache-2.0 */
#include "child/memfd.h"

#include <errno.h>
#include <unistd.h>

int memfd_read(int fd, char *buffer, size_t size, size_t *ret_size)
{
        size_t used = 0;

        for (;;) {
                ssize_t n = pread(fd, buffer + used, size - used, (off_t)used);

                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                used += (size_t)n;
                if (used == size)
                        return -E2BIG;
        }
        *ret_size = used;
        return 0;
}
