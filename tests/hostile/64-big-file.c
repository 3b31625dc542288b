/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to write beyond 16 MB into a file in a writable folder, where LimitFSIZE=16M.
 *
 * Control: identity
 * Run: alone
 * Expect: EFBIG SIGXFSZ
 */
#include "probe.h"

int main(void)
{
        char path[512];
        int fd, error;
        ssize_t n;

        snprintf(path, sizeof(path), "%s/big-XXXXXX", argument("data", "/data"));
        fd = mkstemp(path);
        if (fd < 0)
                contained();
        signal(SIGXFSZ, SIG_IGN);
        n = pwrite(fd, "x", 1, 20 << 20);
        error = errno;
        unlink(path);
        errno = error;
        if (n != 1)
                contained();
        escaped("wrote at 20 MB");
}
