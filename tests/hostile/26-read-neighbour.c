/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to read a secret from the memory of another request of the same identity (same program, so the
 *        address is known).
 *
 * Control: identity
 * Run: beside
 * Expect: ESRCH EPERM ENOSYS
 */
#include <sys/uio.h>

#include "probe.h"

static char secret[64];

static void look_into(pid_t pid)
{
        char copy[64] = "";
        struct iovec local = {copy, sizeof(copy)}, remote = {secret, sizeof(secret)};

        if (process_vm_readv(pid, &local, 1, &remote, 1, 0) > 0 && strncmp(copy, "secret of ", 10) == 0)
                escaped("read \"%.60s\" from process %d", copy, pid);
}

int main(void)
{
        pid_t victim = (pid_t)atoi(argument("victim", "0"));

        if (is_phase("victim")) {
                snprintf(secret, sizeof(secret), "secret of %s", argument("token", "nobody"));
                left("waiting");
                sleep(60);
                return 0;
        }
        for (pid_t pid = 3; pid < 500; pid++)
                if (pid != getpid())
                        look_into(pid);
        look_into(victim);
        contained();
}
