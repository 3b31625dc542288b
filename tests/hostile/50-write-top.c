/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to make a file in the top of its root and in /dev.
 *
 * Control: root
 * Run: alone
 * Expect: EROFS EACCES EPERM
 */
#include "probe.h"

int main(void)
{
        const char *paths[] = {"/sandboxd-probe-file", "/dev/sandboxd-probe-file"};

        for (int i = 0; i < 2; i++)
                if (open(paths[i], O_WRONLY | O_CREAT | O_EXCL, 0600) >= 0) {
                        unlink(paths[i]);
                        escaped("made %s", paths[i]);
                }
        contained();
}
