/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to execute a setuid root program that lies in the root (a copy of this one).
 *
 * Control: identity
 * Run: alone
 * Expect: EPERM
 */
#include "probe.h"

int main(int argc, char **argv)
{
        const char *program = argument("setuid", "");

        if (argc > 1) {
                if (geteuid() == 0)
                        escaped("a setuid program made it uid 0");
                if (getegid() == 0)
                        escaped("a setgid program made it gid 0");
                errno = EPERM;
                contained();
        }
        (void)argv;
        fflush(stdout);
        execl(program, program, "second", NULL);
        contained();
}
