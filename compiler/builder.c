/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/memory.h"

void list_append(struct list *list, const void *item, size_t size)
{
        if (list->count == list->capacity) {
                list->capacity = list->capacity ? 2 * list->capacity : 16;
                list->items = memory_resize(list->items, list->capacity * size);
        }
        memcpy((char *)list->items + list->count++ * size, item, size);
}

void list_clear(struct list *list)
{
        free(list->items);
        memset(list, 0, sizeof(*list));
}

static void reserve(struct builder *builder, size_t size)
{
        if (builder->size + size > INDEX_SIZE_MAX) {
                fputs("sandboxd-compile: the configuration is too large for an index\n", stderr);
                exit(EXIT_FAILURE);
        }
        while (builder->size + size > builder->capacity) {
                builder->capacity = builder->capacity ? 2 * builder->capacity : (size_t)64 * 1024;
                builder->data = memory_resize(builder->data, builder->capacity);
        }
}

void builder_init(struct builder *builder)
{
        memset(builder, 0, sizeof(*builder));
        reserve(builder, sizeof(struct index_header));
        memset(builder->data, 0, sizeof(struct index_header));
        builder->size = sizeof(struct index_header);
}

index_string builder_string(struct builder *builder, const char *text)
{
        size_t offset = builder->size, size = strlen(text) + 1;

        reserve(builder, size);
        memcpy(builder->data + offset, text, size);
        builder->size += size;
        return (index_string)offset;
}

struct index_span builder_array(struct builder *builder, const void *items, size_t count, size_t size)
{
        size_t padding = (8 - builder->size % 8) % 8, offset = builder->size + padding;

        if (count == 0)
                return (struct index_span){0};
        reserve(builder, padding + count * size);
        memset(builder->data + builder->size, 0, padding);
        memcpy(builder->data + offset, items, count * size);
        builder->size = offset + count * size;
        return (struct index_span){.offset = (uint32_t)offset, .count = (uint32_t)count};
}

struct index_span builder_list(struct builder *builder, const struct list *list, size_t size)
{
        return builder_array(builder, list->items, list->count, size);
}

const char *builder_text(const struct builder *builder, index_string string)
{
        return builder->data + string;
}

struct index builder_finish(struct builder *builder, struct index_header header)
{
        header.magic = INDEX_MAGIC;
        header.version = INDEX_VERSION;
        header.services = builder_list(builder, &builder->services, sizeof(struct index_service));
        builder_string(builder, ""); /* the NUL at the end */
        header.size = (uint32_t)builder->size;
        memcpy(builder->data, &header, sizeof(header));
        return (struct index){
                .header = (const struct index_header *)(const void *)builder->data, .size = builder->size, .fd = -1};
}
