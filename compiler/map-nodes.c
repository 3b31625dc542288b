/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/map-nodes.h"

#include <string.h>

#define obstack_chunk_alloc g_malloc
#define obstack_chunk_free  g_free

static unsigned hash(const void *pointer)
{
        const struct node *node = pointer;

        return cdb_hash(node->branch, node->size) + GPOINTER_TO_UINT(node->parent);
}

static gboolean equal(const void *a, const void *b)
{
        const struct node *left = a, *right = b;

        return left->parent == right->parent && left->size == right->size &&
               memcmp(left->branch, right->branch, left->size) == 0;
}

void nodes_init(struct nodes *nodes)
{
        obstack_init(&nodes->memory);
        nodes->further = g_hash_table_new(hash, equal);
}

void nodes_free(struct nodes *nodes)
{
        g_hash_table_destroy(nodes->further);
        obstack_free(&nodes->memory, NULL);
}

/* One to compare with: `branch` is that of the key. */
static struct node node_of(const struct node *parent, const struct map_key *key, size_t length)
{
        return (struct node){
                .parent = parent,
                .branch = key->bytes + length,
                .size = (uint16_t)(key->length - length),
        };
}

struct node *nodes_find(const struct nodes *nodes, const struct node *parent, const struct map_key *key, size_t length)
{
        const struct node sought = node_of(parent, key, length);

        if (parent->child && equal(parent->child, &sought))
                return parent->child;
        return parent->has_further ? g_hash_table_lookup(nodes->further, &sought) : NULL;
}

struct node *nodes_add(
        struct nodes *nodes, struct node *parent, const struct map_key *key, size_t length, uint32_t first)
{
        struct node *node = obstack_alloc(&nodes->memory, (int)(sizeof(*node) + key->length - length));

        *node = node_of(parent, key, length);
        node->branch = memcpy(node + 1, node->branch, node->size);
        node->first = first;
        node->first_deny = UINT32_MAX;
        if (parent->child) {
                parent->has_further = true;
                g_hash_table_add(nodes->further, node);
        } else {
                parent->child = node;
        }
        return node;
}
