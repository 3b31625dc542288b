/* SPDX-License-Identifier: Apache-2.0 */
#include "common/warm-sockets.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/descriptors.h"

void warm_sockets_init(struct warm_sockets *sockets)
{
        *sockets = (struct warm_sockets){-1, -1, {-1, -1}, -1, {-1, -1, -1}};
}

static int open_pair(int *ret_ours, int *ret_theirs)
{
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        *ret_ours = pair[0];
        *ret_theirs = pair[1];
        return 0;
}

static int open_streams(struct warm_sockets *sockets)
{
        int errors[2];

        sockets->streams[STDIN_FILENO] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (sockets->streams[STDIN_FILENO] < 0 || pipe2(errors, O_CLOEXEC) < 0)
                return -errno;
        sockets->errors = errors[0];
        sockets->streams[STDERR_FILENO] = errors[1];
        sockets->streams[STDOUT_FILENO] = fcntl(errors[1], F_DUPFD_CLOEXEC, 0);
        return sockets->streams[STDOUT_FILENO] < 0 || fcntl(errors[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

int warm_sockets_open(struct warm_sockets *sockets, int queue)
{
        int r = open_pair(&sockets->control, &sockets->theirs[0]);

        if (r == 0)
                r = open_pair(&sockets->queue, &sockets->theirs[1]);
        if (r == 0 && shutdown(sockets->theirs[1], SHUT_WR) < 0)
                r = -errno;
        if (r < 0)
                return r;
        (void)setsockopt(sockets->queue, SOL_SOCKET, SO_SNDBUF, &queue, sizeof(queue));
        return open_streams(sockets);
}

void warm_sockets_close_theirs(struct warm_sockets *sockets)
{
        descriptors_close(sockets->theirs, ELEMENTS(sockets->theirs));
        descriptors_close(sockets->streams, ELEMENTS(sockets->streams));
}

void warm_sockets_close(struct warm_sockets *sockets)
{
        sockets->control = descriptors_hang_up(sockets->control);
        sockets->queue = descriptors_hang_up(sockets->queue);
        sockets->errors = close_fd(sockets->errors);
        warm_sockets_close_theirs(sockets);
}
