/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/front-door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "common/door.h"

static int parse_port(const char *text, unsigned *ret_port)
{
        char *end;
        unsigned long port;

        if (text[0] < '0' || text[0] > '9')
                return -EINVAL;
        port = strtoul(text, &end, 10);
        if (*end || port < 1 || port > 65535)
                return -EINVAL;
        *ret_port = (unsigned)port;
        return 0;
}

int front_door_parse(const char *text, char *ret_name, size_t size)
{
        const char *colon = strrchr(text, ':');
        bool bracketed = text[0] == '[';
        char ip[INET6_ADDRSTRLEN], canonical[INET6_ADDRSTRLEN];
        unsigned char address[16];
        size_t length;
        unsigned port;

        if (text[0] == '/') {
                if (strlen(text) >= sizeof(((struct sockaddr_un *)0)->sun_path))
                        return -ENAMETOOLONG;
                return snprintf(ret_name, size, "unix:%s", text) < (int)size ? 0 : -ENAMETOOLONG;
        }
        if (!colon || parse_port(colon + 1, &port) < 0)
                return -EINVAL;
        length = (size_t)(colon - text);
        if (bracketed && (length < 2 || text[length - 1] != ']'))
                return -EINVAL;
        length -= bracketed ? 2 : 0;
        if (length >= sizeof(ip))
                return -EINVAL;
        memcpy(ip, text + bracketed, length);
        ip[length] = '\0';
        if (inet_pton(bracketed ? AF_INET6 : AF_INET, ip, address) != 1)
                return -EINVAL;
        inet_ntop(bracketed ? AF_INET6 : AF_INET, address, canonical, sizeof(canonical));
        return door_tcp_name(canonical, port, ret_name, size);
}
