/* SPDX-License-Identifier: Apache-2.0 */
#include "child/memfd.h"

#include <errno.h>
#include <unistd.h>

int memfd_read(int fd, char *buffer, size_t size, size_t *ret_size)
{
        ssize_t n = pread(fd, buffer, size, 0); /* of a file in memory, less than asked for is all there is */

        if (n < 0)
                return -errno;
        if ((size_t)n == size)
                return -E2BIG;
        *ret_size = (size_t)n;
        return 0;
}
