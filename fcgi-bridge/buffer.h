/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * A byte queue of a fixed size: it never grows, so what one connection can make the bridge hold is known
 * beforehand. Pure: no system call but the one allocation.
 */
struct buffer {
        unsigned char *data;
        size_t size;
        size_t start, end; /* the bytes held are data[start] to data[end - 1] */
};

/* Allocates room for `size` bytes. Returns 0 or -ENOMEM. The buffer is released by buffer_clear(). */
int buffer_init(struct buffer *buffer, size_t size);
void buffer_clear(struct buffer *buffer);

/* How many bytes are held, and how many more fit. */
size_t buffer_used(const struct buffer *buffer);
size_t buffer_room(const struct buffer *buffer);

/* The oldest byte held; buffer_used() of them can be read. Valid until the next buffer_tail() or append. */
const unsigned char *buffer_head(const struct buffer *buffer);

/* Drops the `length` oldest bytes; `length` is at most buffer_used(). */
void buffer_consume(struct buffer *buffer, size_t length);

/*
 * Where the next `length` bytes can be written (at most buffer_room()); buffer_commit() then says how many
 * were. Moves the bytes held to the front when the space behind them is too small.
 */
unsigned char *buffer_tail(struct buffer *buffer, size_t length);
void buffer_commit(struct buffer *buffer, size_t length);

/* Copies `length` bytes, at most buffer_room(), behind those held. */
void buffer_append(struct buffer *buffer, const void *data, size_t length);
