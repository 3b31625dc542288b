/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to leave the root by fchdir on a directory descriptor that was left open, and to read a file of
 *        the host.
 *
 * Control: chroot (with a descriptor of the real root left open)
 * Run: alone
 * Expect: EBADF
 */
#include "probe.h"

int main(void)
{
        const char *line, *secret = argument("secret", "/");
        int error = EBADF;

        for (int fd = 0; fd < 65536; fd++) {
                if (fchdir(fd) < 0) {
                        if (errno != EBADF && errno != ENOTDIR)
                                error = errno;
                        continue;
                }
                line = first_line(AT_FDCWD, secret + 1);
                if (line)
                        escaped("descriptor %d led to %s", fd, line);
        }
        errno = error;
        contained();
}
