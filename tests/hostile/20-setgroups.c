/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to give itself a supplementary group, 42 (shadow), and gid 0.
 *
 * Control: root
 * Run: alone
 * Expect: EPERM
 */
#include <grp.h>

#include "probe.h"

int main(void)
{
        gid_t group = 42;

        if (setgroups(1, &group) == 0)
                escaped("is in group 42");
        if (setgroups(0, NULL) == 0)
                escaped("dropped its groups");
        if (setresgid((gid_t)-1, 42, (gid_t)-1) == 0)
                escaped("its effective gid is 42");
        contained();
}
