/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to be more important than all others: a negative nice value, real-time scheduling.
 *
 * Control: root
 * Run: alone
 * Expect: EPERM EACCES ENOSYS
 */
#include <sys/resource.h>

#include "probe.h"

int main(void)
{
        struct sched_param parameter = {.sched_priority = 1};

        if (sched_setscheduler(0, SCHED_RR, &parameter) == 0)
                escaped("has real-time scheduling");
        if (setpriority(PRIO_PROCESS, 0, -10) < 0)
                contained();
        escaped("has a negative nice value");
}
