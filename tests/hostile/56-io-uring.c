/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: io_uring, whose operations pass no filter of system calls.
 *
 * Control: identity
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include <linux/io_uring.h>

#include "probe.h"

int main(void)
{
        struct io_uring_params parameters = {0};

        if (syscall(SYS_io_uring_setup, 4, &parameters) < 0)
                contained();
        escaped("has a ring");
}
