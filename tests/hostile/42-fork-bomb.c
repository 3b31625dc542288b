/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to have 200 children, where LimitNPROC=40. Each ends after 20 s or with its parent.
 *
 * Control: identity
 * Run: alone
 * Expect: EAGAIN
 */
#include "probe.h"

int main(void)
{
        pid_t children[200];
        int n = 0, error = 0;

        while (n < 200) {
                pid_t child = fork();

                if (child < 0) {
                        error = errno;
                        break;
                }
                if (child == 0) {
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                        sleep(20);
                        _exit(0);
                }
                children[n++] = child;
        }
        for (int i = 0; i < n; i++)
                kill(children[i], SIGKILL);
        errno = error;
        if (n == 200)
                escaped("has 200 children");
        contained();
}
