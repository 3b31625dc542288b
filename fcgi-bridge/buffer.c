/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/buffer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int buffer_init(struct buffer *buffer, size_t size)
{
        unsigned char *data = malloc(size);

        if (!data)
                return -ENOMEM;
        *buffer = (struct buffer){.data = data, .size = size};
        return 0;
}

void buffer_clear(struct buffer *buffer)
{
        free(buffer->data);
        *buffer = (struct buffer){0};
}

size_t buffer_used(const struct buffer *buffer)
{
        return buffer->end - buffer->start;
}

size_t buffer_room(const struct buffer *buffer)
{
        return buffer->size - buffer_used(buffer);
}

const unsigned char *buffer_head(const struct buffer *buffer)
{
        return buffer->data + buffer->start;
}

void buffer_consume(struct buffer *buffer, size_t length)
{
        assert(length <= buffer_used(buffer));
        buffer->start += length;
        if (buffer->start == buffer->end)
                buffer->start = buffer->end = 0;
}

unsigned char *buffer_tail(struct buffer *buffer, size_t length)
{
        assert(length <= buffer_room(buffer));
        if (buffer->size - buffer->end < length) {
                memmove(buffer->data, buffer_head(buffer), buffer_used(buffer));
                buffer->end -= buffer->start;
                buffer->start = 0;
        }
        return buffer->data + buffer->end;
}

void buffer_commit(struct buffer *buffer, size_t length)
{
        assert(length <= buffer->size - buffer->end);
        buffer->end += length;
}

void buffer_append(struct buffer *buffer, const void *data, size_t length)
{
        if (length == 0)
                return;
        memcpy(buffer_tail(buffer, length), data, length);
        buffer_commit(buffer, length);
}
