/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: a netlink socket in a service that may use AF_INET and AF_UNIX only.
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
        if (socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) < 0)
                contained();
        escaped("has a netlink socket");
}
