/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: clone with CLONE_PARENT. The new process would be a child of whoever made the application, who knows nothing
 * of it: as long as nobody waits for it, it stays as a zombie, and its PID namespace with it.
 *
 * Control: identity
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include "probe.h"

int main(void)
{
        pid_t parent = getppid();
        long child = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);

        if (child < 0)
                contained();
        if (child == 0)
                _exit(0);
        if (waitpid((pid_t)child, NULL, 0) >= 0 || errno != ECHILD)
                contained_by("it is a child of its own");
        escaped("made a child of its parent, %d", (int)parent);
}
