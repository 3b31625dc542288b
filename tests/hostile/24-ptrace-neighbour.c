/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to trace another request of the same identity that runs at the same time.
 *
 * Control: identity
 * Run: beside
 * Expect: ESRCH EPERM ENOSYS
 */
#include <sys/ptrace.h>

#include "probe.h"

int main(void)
{
        pid_t victim = (pid_t)atoi(argument("victim", "0"));

        if (is_phase("victim")) {
                left("waiting");
                sleep(60);
                return 0;
        }
        if (ptrace(PTRACE_SEIZE, victim, NULL, NULL) == 0)
                escaped("traces process %d", victim);
        for (pid_t pid = 3; pid < 500; pid++)
                if (pid != getpid() && ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0)
                        escaped("traces process %d", pid);
        contained();
}
