/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to change a script that belongs to its own identity, for the next request to execute.
 *
 * Control: identity
 * Run: alone
 * Expect: EROFS
 */
#include "probe.h"

int main(void)
{
        const char *path = argument("script", "/owned/script.sh");
        int fd = open(path, O_WRONLY | O_APPEND);

        if (fd >= 0 && write(fd, "# changed\n", 10) == 10)
                escaped("changed its script");
        if (chmod(path, 0777) == 0)
                escaped("made its script writable");
        contained();
}
