/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to find an open descriptor beyond standard input, output and error.
 *
 * Control: identity (with a descriptor left open)
 * Run: alone
 * Expect: EBADF
 */
#include "probe.h"

int main(void)
{
        for (int fd = 3; fd < 65536; fd++) {
                struct stat st;

                if (fstat(fd, &st) == 0)
                        escaped("descriptor %d is open, mode %o", fd, st.st_mode);
                if (errno != EBADF)
                        contained();
        }
        contained();
}
