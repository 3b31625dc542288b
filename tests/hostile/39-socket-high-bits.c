/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: a netlink socket whose family has bits above the lower 32, which the kernel drops and a filter
 *        may not.
 *
 * Control: identity
 * Run: alone
 * Service: inet
 * Expect: EAFNOSUPPORT EPERM ENOSYS
 */
#include <linux/netlink.h>

#include "probe.h"

int main(void)
{
        if (syscall(SYS_socket, 0x100000000UL | AF_NETLINK, (long)SOCK_RAW, (long)NETLINK_ROUTE) < 0)
                contained();
        escaped("has a netlink socket");
}
