/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to open 2,000 descriptors, where LimitNOFILE=256.
 *
 * Control: identity
 * Run: alone
 * Expect: EMFILE
 */
#include "probe.h"

int main(void)
{
        for (int i = 0; i < 2000; i++)
                if (dup(0) < 0)
                        contained();
        escaped("has 2,000 descriptors");
}
