/* SPDX-License-Identifier: Apache-2.0 */
#include "common/door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* Copies a finished name out; what is not finished, or does not fit, leaves the caller's as it was. */
static int give(const char *name, int length, char *ret_name, size_t size)
{
        if (length < 0 || (size_t)length >= DOOR_NAME_MAX || (size_t)length >= size)
                return -ENAMETOOLONG;
        memcpy(ret_name, name, (size_t)length + 1);
        return 0;
}

static void ip_and_port(const struct sockaddr_storage *address, char *ip, size_t size, unsigned *ret_port)
{
        const struct sockaddr_in *v4 = (const void *)address;
        const struct sockaddr_in6 *v6 = (const void *)address;

        if (address->ss_family == AF_INET) {
                *ret_port = ntohs(v4->sin_port);
                inet_ntop(AF_INET, &v4->sin_addr, ip, (socklen_t)size);
                return;
        }
        *ret_port = ntohs(v6->sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
                inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, ip, (socklen_t)size);
        else
                inet_ntop(AF_INET6, &v6->sin6_addr, ip, (socklen_t)size);
}

static bool is_ip(const struct sockaddr_storage *address)
{
        return address->ss_family == AF_INET || address->ss_family == AF_INET6;
}

int door_tcp_name(const char *ip, unsigned port, char *name, size_t size)
{
        char text[DOOR_NAME_MAX];
        int length = snprintf(text, sizeof(text), strchr(ip, ':') ? "tcp:[%s]:%u" : "tcp:%s:%u", ip, port);

        return give(text, length, name, size);
}

static int unix_name(const struct sockaddr_un *address, socklen_t length, char *name, size_t size)
{
        size_t room = length - offsetof(struct sockaddr_un, sun_path);
        char path[sizeof(address->sun_path) + 1], text[DOOR_NAME_MAX];
        int written;

        if (length <= offsetof(struct sockaddr_un, sun_path) || address->sun_path[0] != '/')
                return -EAFNOSUPPORT;
        if (room > sizeof(address->sun_path))
                room = sizeof(address->sun_path);
        memcpy(path, address->sun_path, room);
        path[room] = '\0';
        written = snprintf(text, sizeof(text), "unix:%s", path);
        return give(text, written, name, size);
}

int door_name(const struct sockaddr_storage *address, socklen_t length, char *ret_name, size_t size)
{
        char ip[INET6_ADDRSTRLEN];
        unsigned port;

        if (address->ss_family == AF_UNIX)
                return unix_name((const void *)address, length, ret_name, size);
        if (!is_ip(address))
                return -EAFNOSUPPORT;
        ip_and_port(address, ip, sizeof(ip), &port);
        return door_tcp_name(ip, port, ret_name, size);
}

int door_wildcard_name(const struct sockaddr_storage *address, char *ret_name, size_t size)
{
        char ip[INET6_ADDRSTRLEN];
        unsigned port;

        if (!is_ip(address))
                return -EAFNOSUPPORT;
        ip_and_port(address, ip, sizeof(ip), &port);
        return door_tcp_name(strchr(ip, ':') ? "::" : "0.0.0.0", port, ret_name, size);
}

void door_ip(const struct sockaddr_storage *address, char *ret_text, size_t size)
{
        unsigned port;

        ret_text[0] = '\0';
        if (is_ip(address))
                ip_and_port(address, ret_text, size, &port);
}
