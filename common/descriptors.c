/* SPDX-License-Identifier: Apache-2.0 */
#include "common/descriptors.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/cleanup.h"

/*
 * As many as one message can carry (unix(7), SCM_RIGHTS): a surplus arrives, is counted and closed by us. What finds
 * no room is closed by the kernel, in our name and with what its sender made of it.
 */
enum { DESCRIPTORS_ROOM = 253 };

union control_buffer {
        struct cmsghdr header; /* for its alignment */
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * DESCRIPTORS_ROOM)];
};

void descriptors_close(int *fds, size_t n_fds)
{
        const struct linger none = {0};

        for (size_t i = 0; i < n_fds; i++) {
                if (fds[i] < 0)
                        continue;
                /* ENOTSOCK for most: then there is nothing to wait for. */
                (void)setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &none, sizeof(none));
                fds[i] = close_fd(fds[i]);
        }
}

int descriptors_send(int socket_fd, const void *data, size_t size, const int *fds, size_t n_fds)
{
        struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
        union control_buffer control;

        if (n_fds > DESCRIPTORS_MAX)
                return -EINVAL;
        if (n_fds > 0) {
                struct cmsghdr *header;

                memset(control.bytes, 0, CMSG_SPACE(sizeof(int) * n_fds));
                message.msg_control = control.bytes;
                message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
                header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
                memcpy(CMSG_DATA(header), fds, sizeof(int) * n_fds);
        }
        for (;;) {
                ssize_t sent = sendmsg(socket_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (sent >= 0)
                        return (size_t)sent == size ? 0 : -EIO;
                if (errno != EINTR)
                        return -errno;
        }
}

/* Collects what SCM_RIGHTS brought into `fds` (room for DESCRIPTORS_ROOM); any other message is -EBADMSG.
 */
static int collect(struct msghdr *message, int *fds, size_t *n_fds)
{
        int r = 0;

        for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
                size_t count;

                if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
                        r = -EBADMSG;
                        continue;
                }
                count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                if (*n_fds + count > DESCRIPTORS_ROOM)
                        count = DESCRIPTORS_ROOM - *n_fds;
                memcpy(fds + *n_fds, CMSG_DATA(header), count * sizeof(int));
                *n_fds += count;
        }
        return r;
}

ssize_t descriptors_receive(
        int socket_fd, void *data, size_t size, int *ret_fds, size_t max_fds, size_t *ret_n_fds, int flags)
{
        struct iovec iov = {.iov_base = data, .iov_len = size};
        union control_buffer control;
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = control.bytes,
                .msg_controllen = sizeof(control.bytes),
        };
        int fds[DESCRIPTORS_ROOM];
        size_t n_fds = 0;
        ssize_t received;
        int r;

        do
                received = recvmsg(socket_fd, &message, flags | MSG_CMSG_CLOEXEC);
        while (received < 0 && errno == EINTR);
        if (received < 0)
                return -errno;
        r = collect(&message, fds, &n_fds);
        /* An empty packet looks like the end; one with descriptors is no end, and they must not be left open. */
        if (r < 0 || n_fds > max_fds || (received == 0 && n_fds > 0) || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
                descriptors_close(fds, n_fds);
                return -EBADMSG;
        }
        if (n_fds > 0)
                memcpy(ret_fds, fds, n_fds * sizeof(int));
        *ret_n_fds = n_fds;
        return received;
}

int descriptors_hang_up(int socket_fd)
{
        const int yes = 1;
        size_t n_fds;
        ssize_t r;
        char byte;

        if (socket_fd < 0)
                return -1;
        /* With credentials even an empty packet brings something that is not asked for: only the end is 0. */
        (void)setsockopt(socket_fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes));
        (void)shutdown(socket_fd, SHUT_RD); /* nothing more comes */
        do
                r = descriptors_receive(socket_fd, &byte, sizeof(byte), NULL, 0, &n_fds, MSG_DONTWAIT);
        while (r > 0 || r == -EBADMSG || r == -ECONNRESET);
        return close_fd(socket_fd);
}

bool descriptors_is_pipe(int fd, int access_mode)
{
        struct stat st;
        int flags = fcntl(fd, F_GETFL);

        return flags >= 0 && (flags & O_ACCMODE) == access_mode && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

bool descriptors_is_sealed(int fd, off_t max)
{
        const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
        struct stat st;
        int found = fcntl(fd, F_GET_SEALS);

        return found >= 0 && (found & seals) == seals && fstat(fd, &st) == 0 && st.st_size <= max;
}

bool descriptors_is_pair(int fd)
{
        struct sockaddr_un local = {0}, peer = {0};
        socklen_t local_length = sizeof(local), peer_length = sizeof(peer), length = sizeof(int);
        int type = 0;

        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM &&
               getsockname(fd, (struct sockaddr *)&local, &local_length) == 0 && local.sun_family == AF_UNIX &&
               local_length == sizeof(sa_family_t) && getpeername(fd, (struct sockaddr *)&peer, &peer_length) == 0 &&
               peer_length == sizeof(sa_family_t);
}
