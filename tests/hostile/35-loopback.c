/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to connect to a listener on the host's 127.0.0.1, from a service that may use AF_INET.
 *
 * Control: identity
 * Run: alone
 * Service: inet
 * Expect: ENETUNREACH ECONNREFUSED EADDRNOTAVAIL
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "probe.h"

int main(void)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        address.sin_port = htons((unsigned short)atoi(argument("port", "1")));
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                contained();
        escaped("reached port %d of the host", ntohs(address.sin_port));
}
