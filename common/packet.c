/* SPDX-License-Identifier: Apache-2.0 */
#include "common/packet.h"

#include <fcntl.h>

#include "common/cleanup.h"

int packet_pipes(int ret_ours[PACKET_ENDS], int ret_theirs[PACKET_ENDS], int queue)
{
        int out[2], in[2];

        if (pipe2(out, O_CLOEXEC) < 0)
                return -errno;
        if (pipe2(in, O_CLOEXEC) == 0) {
                (void)fcntl(out[1], F_SETPIPE_SZ, queue); /* a shorter one will do */
                if (fcntl(out[1], F_SETFL, O_NONBLOCK) == 0 && fcntl(in[0], F_SETFL, O_NONBLOCK) == 0) {
                        ret_ours[PACKET_IN] = in[0];
                        ret_ours[PACKET_OUT] = out[1];
                        ret_theirs[PACKET_IN] = out[0];
                        ret_theirs[PACKET_OUT] = in[1];
                        return 0;
                }
                close_fd(in[0]);
                close_fd(in[1]);
        }
        close_fd(out[0]);
        close_fd(out[1]);
        return -errno;
}

int packet_write(int fd, const void *data, size_t size)
{
        ssize_t n;

        do
                n = write(fd, data, size);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        return (size_t)n == size ? 0 : -EIO;
}

ssize_t packet_read(int fd, void *data, size_t size)
{
        ssize_t n;

        do
                n = read(fd, data, size);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}
