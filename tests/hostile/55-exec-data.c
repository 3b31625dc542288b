/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to execute a program that it wrote into a folder of BindPaths=, and to map its text executable.
 *
 * Control: identity
 * Run: alone
 * Expect: EACCES EPERM
 */
#include <sys/mman.h>

#include "probe.h"

int main(int argc, char **argv)
{
        static char buffer[1 << 16];
        char path[512];
        int source, target;
        ssize_t n;

        if (argc > 1) {
                unlink(argv[0]);
                escaped("executed a program from a writable folder");
        }
        snprintf(path, sizeof(path), "%s/copy-XXXXXX", argument("data", "/data"));
        source = open(argument("self", "/apps/55-exec-data"), O_RDONLY);
        target = mkstemp(path);
        if (source < 0 || target < 0)
                contained_by("the copy could not be made");
        while ((n = read(source, buffer, sizeof(buffer))) > 0)
                if (write(target, buffer, (size_t)n) != n)
                        contained_by("the copy could not be made");
        fchmod(target, 0700);
        close(target);
        execl(path, path, "second", NULL);
        target = open(path, O_RDONLY);
        unlink(path);
        if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, target, 0) != MAP_FAILED)
                escaped("mapped the file executable");
        contained();
}
