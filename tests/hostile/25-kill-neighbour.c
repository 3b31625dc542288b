/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to signal another request of the same identity, by its pid on the host, by small pids, and by a
 *        pidfd.
 *
 * Control: identity
 * Run: beside
 * Expect: ESRCH
 */
#include "probe.h"

int main(void)
{
        pid_t victim = (pid_t)atoi(argument("victim", "0"));

        if (is_phase("victim")) {
                left("waiting");
                sleep(60);
                return 0;
        }
        if (kill(victim, SIGKILL) == 0)
                escaped("killed process %d", victim);
        for (pid_t pid = 3; pid < 500; pid++)
                if (pid != getpid() && kill(pid, 0) == 0)
                        escaped("may signal process %d", pid);
        if (syscall(SYS_pidfd_open, victim, 0) >= 0)
                escaped("has a pidfd of process %d", victim);
        contained();
}
