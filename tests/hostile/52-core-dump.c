/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to dump core (which may start a helper as root on the host), where LimitCORE=0.
 *
 * Control: identity (in a writable folder, without a hard limit)
 * Run: alone
 * Expect: EPERM
 */
#include <sys/resource.h>

#include "probe.h"

int main(void)
{
        struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
        int status, error;
        pid_t child;

        error = setrlimit(RLIMIT_CORE, &limit) < 0 ? errno : 0;
        if (chdir(argument("data", "/data")) < 0)
                contained();
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        child = fork();
        if (child == 0)
                abort();
        if (child < 0 || waitpid(child, &status, 0) < 0)
                contained();
        if (WCOREDUMP(status))
                escaped("dumped core");
        errno = error;
        contained();
}
