/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to burn 3 s of processor time, where LimitCPU=1.
 *
 * Control: identity
 * Run: alone
 * Service: burn
 * Expect: SIGXCPU SIGKILL
 */
#include <time.h>

#include "probe.h"

static void attack(void)
{
        while (clock() < 3 * CLOCKS_PER_SEC)
                ;
        escaped("burnt 3 s");
}

int main(void)
{
        in_child(attack);
}
