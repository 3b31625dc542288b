/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to leave the root through the links of procfs: /proc/N/root and /proc/N/cwd of process 1 and its
 *        parent.
 *
 * Control: root
 * Run: alone
 * Expect: ENOENT
 */
#include "probe.h"

/* The formats are chosen from the table above and take the same two arguments. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"

int main(void)
{
        const char *formats[] = {"/proc/1/root%s", "/proc/%2$d/root%1$s", "/proc/%2$d/cwd/..%1$s"};
        const char *secret = argument("secret", "/");
        int error = ENOENT;

        for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
                char path[512];
                const char *line;

                snprintf(path, sizeof(path), formats[i], secret, parent_or_init());
                line = first_line(AT_FDCWD, path);
                if (line)
                        escaped("read %s through %s", line, path);
                if (errno != ENOENT)
                        error = errno;
        }
        errno = error;
        contained();
}
