/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to read a file of the host, readable by everyone there, by its path and by many "..".
 *
 * Control: identity
 * Run: alone
 * Expect: ENOENT
 */
#include "probe.h"

int main(void)
{
        char path[1024] = "";
        const char *line, *secret = argument("secret", "/");
        int here = open(".", O_PATH | O_DIRECTORY);

        for (int i = 0; i < 40; i++)
                strcat(path, "../");
        strcat(path, secret + 1);
        if ((line = first_line(AT_FDCWD, secret)) || (line = first_line(here, path)) ||
                (line = first_line(AT_FDCWD, path)))
                escaped("read %s", line);
        contained();
}
