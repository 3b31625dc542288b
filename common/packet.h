/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * Packets of one size over a pipe, which carries bytes and nothing else: pipe(7). The size is at most PIPE_BUF, so that
 * each is written whole or not at all, and whoever reads as many bytes as a packet has gets one packet.
 */

/* Of a pair of descriptors, the one to read from and the one to write to. */
enum { PACKET_IN, PACKET_OUT, PACKET_ENDS };

/*
 * Makes two pipes, close-on-exec, for a conversation of two: what one side writes, the other reads. Our ends do not
 * block, theirs do. What we write may take up `queue` bytes, or less where the host allows no more (pipe(7),
 * pipe-max-size). Returns 0 or a negative errno.
 */
int packet_pipes(int ret_ours[PACKET_ENDS], int ret_theirs[PACKET_ENDS], int queue);

/*
 * Writes one. Returns 0, -EAGAIN when there is no room and `fd` does not block, -EPIPE when nobody can read it (the
 * caller ignores or blocks SIGPIPE), or another negative errno of write(2).
 */
int packet_write(int fd, const void *data, size_t size);

/*
 * Reads one. Returns its length, which is less than `size` when no packet was written; 0 at the end; or a negative
 * errno of read(2), -EAGAIN when there is nothing to read and `fd` does not block.
 */
ssize_t packet_read(int fd, void *data, size_t size);
