/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/activation.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "fcgi-bridge/handover.h"

struct address {
        union {
                struct sockaddr any;
                struct sockaddr_un local;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        };
        socklen_t length;
};

static int local_address(int fd, struct address *ret_address)
{
        struct address address = {.length = offsetof(struct address, length)};

        if (getsockname(fd, &address.any, &address.length) < 0)
                return -errno;
        *ret_address = address;
        return 0;
}

/* Whether a connection that was made to `door` can be `here`. */
static bool leads_to(const struct address *door, const struct address *here)
{
        if (door->any.sa_family != here->any.sa_family)
                return false;
        switch (door->any.sa_family) {
        case AF_UNIX:
                return door->length == here->length && memcmp(&door->local, &here->local, door->length) == 0;
        case AF_INET:
                return door->v4.sin_port == here->v4.sin_port &&
                       (door->v4.sin_addr.s_addr == INADDR_ANY || door->v4.sin_addr.s_addr == here->v4.sin_addr.s_addr);
        case AF_INET6:
                return door->v6.sin6_port == here->v6.sin6_port &&
                       (IN6_IS_ADDR_UNSPECIFIED(&door->v6.sin6_addr) ||
                               IN6_ARE_ADDR_EQUAL(&door->v6.sin6_addr, &here->v6.sin6_addr));
        default:
                return false;
        }
}

static bool came_by_a_door(const struct bridge *bridge, int fd)
{
        struct address door, here;

        if (local_address(fd, &here) < 0)
                return false;
        for (size_t i = 0; i < bridge->n_doors; i++)
                if (local_address(bridge->doors[i].fd, &door) == 0 && leads_to(&door, &here))
                        return true;
        return false;
}

/* What bridges hand over is no door, even if it listens: only the socket unit opens doors. */
static bool is_door(int fd, const char *name)
{
        return strcmp(name, HANDOVER_NAME) != 0 && sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0;
}

static bool is_connection(const struct bridge *bridge, int fd, const char *name)
{
        struct sockaddr_storage peer;
        socklen_t length = sizeof(peer);

        if (strcmp(name, HANDOVER_NAME) != 0 || sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 0) <= 0)
                return false;
        /* Fails without a peer: never connected, or gone meanwhile. */
        return getpeername(fd, (void *)&peer, &length) == 0 && came_by_a_door(bridge, fd);
}

static int set_nonblocking(int fd)
{
        int flags = fcntl(fd, F_GETFL);

        return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static void close_those_above(struct bridge *bridge, size_t room)
{
        size_t most = room > bridge->n_doors ? room - bridge->n_doors : 0;
        size_t refused = 0;

        if (most > bridge->options.max_connections)
                most = bridge->options.max_connections;
        for (; bridge->n_taken > most; refused++)
                close_fd(bridge->taken[--bridge->n_taken]);
        if (refused > 0)
                log_message(LOG_WARNING,
                        "%zu connections handed over are closed: too many (--max-connections=, LimitNOFILE=)", refused);
}

static int take_connection(struct bridge *bridge, int fd, const char *name)
{
        if (!is_connection(bridge, fd, name)) {
                log_message(LOG_WARNING,
                        "descriptor %d, named '%s', is closed: it is neither a listening stream socket "
                        "(ListenStream=, Accept=no) nor a connection to one that a bridge handed over",
                        fd, name);
                close_fd(fd);
                return 0;
        }
        bridge->taken[bridge->n_taken++] = fd;
        return set_nonblocking(fd);
}

/* The doors first: the connections are held against them. */
static int take_all(struct bridge *bridge, int count, size_t room)
{
        int r = 0;

        bridge->doors = calloc((size_t)count, sizeof(*bridge->doors));
        bridge->taken = calloc((size_t)count, sizeof(*bridge->taken));
        if (!bridge->doors || !bridge->taken)
                return -ENOMEM;
        for (int i = 0; r == 0 && i < count; i++) {
                int fd = SD_LISTEN_FDS_START + i;

                if (is_door(fd, bridge->names[i])) {
                        bridge->doors[bridge->n_doors++].fd = fd;
                        r = set_nonblocking(fd);
                }
        }
        for (int i = 0; r == 0 && i < count; i++) {
                int fd = SD_LISTEN_FDS_START + i;

                if (!is_door(fd, bridge->names[i]))
                        r = take_connection(bridge, fd, bridge->names[i]);
        }
        close_those_above(bridge, room);
        return r;
}

int activation_take(struct bridge *bridge, size_t room)
{
        int count = sd_listen_fds_with_names(1, &bridge->names), r = 0;

        if (count < 0) {
                log_message(LOG_ERR, "LISTEN_FDS and LISTEN_FDNAMES are not what sd_listen_fds(3) describes");
                return count;
        }
        if (count > 0)
                r = take_all(bridge, count, room);
        if (r == 0 && bridge->n_doors == 0) {
                log_message(LOG_ERR, "no listening socket: start it by its socket unit, or with "
                                     "systemd-socket-activate(1)");
                r = -ENOTCONN;
        }
        return r;
}

void activation_release(struct bridge *bridge)
{
        for (char **name = bridge->names; name && *name; name++)
                free(*name);
        free(bridge->names);
        free(bridge->taken);
        free(bridge->doors);
}
