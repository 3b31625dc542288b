/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/activation.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "fcgi-bridge/handover.h"

static bool is_door(int fd)
{
        return sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0;
}

static bool is_connection(int fd, const char *name)
{
        struct sockaddr_storage peer = {0};
        socklen_t length = sizeof(peer);

        if (strcmp(name, HANDOVER_NAME) != 0 || sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 0) <= 0)
                return false;
        /* Fails without a peer: never connected, or gone meanwhile. */
        if (getpeername(fd, (void *)&peer, &length) < 0)
                return false;
        return peer.ss_family == AF_UNIX || peer.ss_family == AF_INET || peer.ss_family == AF_INET6;
}

static int set_nonblocking(int fd)
{
        int flags = fcntl(fd, F_GETFL);

        return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static int take_one(struct bridge *bridge, int fd, const char *name)
{
        if (is_door(fd))
                bridge->doors[bridge->n_doors++].fd = fd;
        else if (is_connection(fd, name))
                bridge->taken[bridge->n_taken++] = fd;
        else {
                log_message(LOG_WARNING,
                        "descriptor %d, named '%s', is closed: it is neither a listening stream socket "
                        "(ListenStream=, Accept=no) nor a connection that a bridge handed over",
                        fd, name);
                close_fd(fd);
                return 0;
        }
        return set_nonblocking(fd);
}

static int take_all(struct bridge *bridge, int count, char **names)
{
        bridge->doors = calloc((size_t)count, sizeof(*bridge->doors));
        bridge->taken = calloc((size_t)count, sizeof(*bridge->taken));
        if (!bridge->doors || !bridge->taken)
                return -ENOMEM;
        for (int i = 0; i < count; i++) {
                int r = take_one(bridge, SD_LISTEN_FDS_START + i, names[i]);

                if (r < 0)
                        return r;
        }
        return 0;
}

static void free_names(char **names)
{
        for (char **name = names; name && *name; name++)
                free(*name);
        free(names);
}

int activation_take(struct bridge *bridge)
{
        char **names = NULL;
        int count = sd_listen_fds_with_names(1, &names), r = 0;

        if (count < 0) {
                log_message(LOG_ERR, "LISTEN_FDS and LISTEN_FDNAMES are not what sd_listen_fds(3) describes");
                return count;
        }
        if (count > 0)
                r = take_all(bridge, count, names);
        free_names(names);
        if (r == 0 && bridge->n_doors == 0) {
                log_message(LOG_ERR, "no listening socket: start it by its socket unit, or with "
                                     "systemd-socket-activate(1)");
                r = -ENOTCONN;
        }
        return r;
}
