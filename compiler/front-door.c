/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/front-door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
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
        _Alignas(struct in6_addr) unsigned char address[16];
        size_t length;
        unsigned port;

        if (text[0] == '/') {
                if (strlen(text) >= sizeof(((struct sockaddr_un *)0)->sun_path))
                        return -ENAMETOOLONG;
                if (strlen("unix:") + strlen(text) >= size)
                        return -ENAMETOOLONG;
                snprintf(ret_name, size, "unix:%s", text);
                return 0;
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
        /* As door_name() calls what an IPv4 client reaches through an IPv6 socket. */
        if (bracketed && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)address))
                inet_ntop(AF_INET, address + 12, canonical, sizeof(canonical));
        else
                inet_ntop(bracketed ? AF_INET6 : AF_INET, address, canonical, sizeof(canonical));
        return door_tcp_name(canonical, port, ret_name, size);
}

int front_door_default(const char *service, char *ret_name, size_t size)
{
        char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
        int length = snprintf(path, sizeof(path), "/run/fcgi-bridge/%s.sock", service);

        if (length < 0 || (size_t)length >= sizeof(path))
                return -ENAMETOOLONG;
        return front_door_parse(path, ret_name, size);
}
