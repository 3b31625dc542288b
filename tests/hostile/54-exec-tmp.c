/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to execute a program that it wrote into /tmp (a copy of itself).
 *
 * Control: identity
 * Run: alone
 * Expect: EACCES
 */
#include "probe.h"

int main(int argc, char **argv)
{
        static char buffer[1 << 16];
        char path[] = "/tmp/sandboxd-probe-XXXXXX";
        int source, target;
        ssize_t n;

        if (argc > 1) {
                unlink(argv[0]);
                escaped("executed a program from /tmp");
        }
        source = open(argument("self", "/apps/54-exec-tmp"), O_RDONLY);
        target = mkstemp(path);
        if (source < 0 || target < 0)
                contained_by("the copy could not be made");
        while ((n = read(source, buffer, sizeof(buffer))) > 0)
                if (write(target, buffer, (size_t)n) != n)
                        contained_by("the copy could not be made");
        fchmod(target, 0700);
        close(target);
        execl(path, path, "second", NULL);
        source = errno;
        unlink(path);
        errno = source;
        contained();
}
