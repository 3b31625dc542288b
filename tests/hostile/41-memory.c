/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to have 768 MB of memory, where LimitAS=256M. It touches only the first page of each block.
 *
 * Control: identity
 * Run: alone
 * Expect: ENOMEM
 */
#include <sys/mman.h>

#include "probe.h"

int main(void)
{
        for (int i = 0; i < 48; i++) {
                char *block = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

                if (block == MAP_FAILED)
                        contained();
                *block = 1;
        }
        escaped("has 768 MB");
}
