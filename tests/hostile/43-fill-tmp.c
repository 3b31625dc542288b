/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to fill /tmp with 64 MB, where TemporarySize=8M.
 *
 * Control: identity
 * Run: alone
 * Expect: ENOSPC
 */
#include "probe.h"

int main(void)
{
        static char block[1 << 20];
        char path[] = "/tmp/sandboxd-probe-XXXXXX";
        int fd = mkstemp(path);

        if (fd < 0)
                contained();
        unlink(path);
        for (int i = 0; i < 64; i++)
                if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
                        contained();
        escaped("wrote 64 MB");
}
