/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: a packet socket and a raw socket in a service that may use AF_INET and AF_UNIX only.
 *
 * Control: root
 * Run: alone
 * Service: inet
 * Expect: EAFNOSUPPORT EPERM ENOSYS
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>

#include "probe.h"

int main(void)
{
        if (socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)) >= 0)
                escaped("has a packet socket");
        if (socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0)
                escaped("has a raw socket");
        contained();
}
