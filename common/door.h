/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <sys/socket.h>

/*
 * Front doors by name: "unix:/run/x.sock", "tcp:127.0.0.1:9000", "tcp:[::1]:9000". The compiler names the
 * doors of services so, the broker the local address of a front connection, and equal means equal. Pure.
 */

enum { DOOR_NAME_MAX = 128 };

/*
 * The name of a socket address; an IPv4-mapped IPv6 address gets its IPv4 name. Returns 0, -EAFNOSUPPORT for
 * a family other than Unix, IPv4 and IPv6 or a Unix socket without a path, or -ENAMETOOLONG.
 */
int door_name(const struct sockaddr_storage *address, socklen_t length, char *ret_name, size_t size);

/* The same with the wildcard address in place of the IP address; -EAFNOSUPPORT for a Unix socket. */
int door_wildcard_name(const struct sockaddr_storage *address, char *ret_name, size_t size);

/* The IP address alone, as text; empty for a Unix socket. */
void door_ip(const struct sockaddr_storage *address, char *ret_text, size_t size);

/* The name of a TCP door from its parts; `ip` as inet_ntop(3) writes it. Returns 0 or -ENAMETOOLONG. */
int door_tcp_name(const char *ip, unsigned port, char *ret_name, size_t size);
