/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to read a file of mode 0600 of another identity in a folder that both have.
 *
 * Control: root
 * Run: alone
 * Expect: EACCES
 */
#include "probe.h"

int main(void)
{
        char path[512];
        const char *line;

        snprintf(path, sizeof(path), "%s/of-another", argument("data", "/data"));
        line = first_line(AT_FDCWD, path);
        if (!line)
                contained();
        escaped("read %s", line);
}
