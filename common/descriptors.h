/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * One packet with descriptors over a SOCK_SEQPACKET socket: unix(7), SCM_RIGHTS; cmsg(3).
 */

#define DESCRIPTORS_MAX 10

/*
 * Sends one packet with `n_fds` descriptors (0 to DESCRIPTORS_MAX). The descriptors stay the caller's.
 * Never blocks, never raises SIGPIPE. Returns 0; -EAGAIN when the peer's queue is full, -EPIPE or
 * -ECONNRESET when the peer is gone, another negative errno of sendmsg(2) otherwise.
 */
int descriptors_send(int socket_fd, const void *data, size_t size, const int *fds, size_t n_fds);

/*
 * Receives one packet of at most `size` bytes and its descriptors, which are close-on-exec and become the
 * caller's; `flags` are added to those of recvmsg(2) (MSG_DONTWAIT, say).
 *
 * A packet is taken whole or not at all: one that is longer than `size`, or that carries more than
 * `max_fds` descriptors or any other control message, or that is empty but for descriptors, is dropped with its
 * descriptors and -EBADMSG is returned. Returns the packet's length (0: the peer closed), or a negative errno.
 */
ssize_t descriptors_receive(
        int socket_fd, void *data, size_t size, int *ret_fds, size_t max_fds, size_t *ret_n_fds, int flags);

/*
 * Closes each descriptor and sets it to -1. Does not wait: whoever handed a socket over may have set SO_LINGER
 * (socket(7)), and where ours is the last descriptor of it, close(2) would take as long as that says.
 */
void descriptors_close(int *fds, size_t n_fds);

/*
 * Closes a connected socket, if it is one, and returns -1. What the peer has sent and nobody has received is dropped
 * first, for the same reason: the kernel would close the descriptors in it in our name. Does not wait.
 */
int descriptors_hang_up(int socket_fd);

/* Whether it is an end of a pipe with this access mode, O_RDONLY or O_WRONLY. */
bool descriptors_is_pipe(int fd, int access_mode);

/* Whether it is a connected Unix stream socket, as of socketpair(2): without a name at either end. */
bool descriptors_is_pair(int fd);

/* Whether it is a memfd sealed against writing, growing and shrinking, of at most `max` bytes (fcntl(2), F_GET_SEALS).
 */
bool descriptors_is_sealed(int fd, off_t max);
