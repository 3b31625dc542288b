/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/index.h"

/*
 * Builds an index (common/index.h) in memory. Running out of memory ends the program (compiler/memory.h).
 */

/* A list that grows: of index_string, of struct index_bind, … */
struct list {
        void *items;
        size_t count;
        size_t capacity;
};

/* Appends one item of `size` bytes; every item of a list has the same size. */
void list_append(struct list *list, const void *item, size_t size);
void list_clear(struct list *list);

struct builder {
        char *data;
        size_t size;
        size_t capacity;
        struct list services; /* of struct index_service */
};

void builder_init(struct builder *builder);
index_string builder_string(struct builder *builder, const char *text);
struct index_span builder_array(struct builder *builder, const void *items, size_t count, size_t size);
struct index_span builder_list(struct builder *builder, const struct list *list, size_t size);

/* The text of a string that was added; valid until the next addition. */
const char *builder_text(const struct builder *builder, index_string string);

/*
 * Adds services, completes the header, and gives the finished index, which points into the builder
 * and has no descriptor. Nothing may be added afterwards.
 */
struct index builder_finish(struct builder *builder, struct index_header header);
