/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to leave a file in /tmp for the next request of the same identity.
 *
 * Control: identity
 * Run: next
 * Expect: ENOENT
 */
#include "probe.h"

int main(void)
{
        char path[128];
        const char *line;
        int fd;

        snprintf(path, sizeof(path), "/tmp%s", argument("name", "/sandboxd-probe"));
        if (is_phase("leave")) {
                fd = open(path, O_WRONLY | O_CREAT, 0600);
                if (fd < 0 || write(fd, "hello\n", 6) != 6)
                        contained();
                left("a file");
                return 0;
        }
        line = first_line(AT_FDCWD, path);
        if (!line)
                contained();
        unlink(path);
        escaped("the file says %s", line);
}
