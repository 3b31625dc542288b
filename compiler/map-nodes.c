/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/map-nodes.h"

#include <string.h>

struct node {
        uint32_t first;
        uint32_t first_deny; /* UINT32_MAX: none */
        uint32_t length;
        uint8_t key[];
};

static unsigned node_hash(const void *pointer)
{
        const struct node *node = pointer;

        return cdb_hash(node->key, node->length);
}

static gboolean node_equal(const void *a, const void *b)
{
        const struct node *left = a, *right = b;

        return left->length == right->length && memcmp(left->key, right->key, left->length) == 0;
}

GHashTable *nodes_new(void)
{
        return g_hash_table_new_full(node_hash, node_equal, g_free, NULL);
}

static struct node *look_up(GHashTable *nodes, const struct map_key *key)
{
        _Alignas(struct node) uint8_t buffer[sizeof(struct node) + MAP_KEY_MAX];
        struct node *sought = (struct node *)(void *)buffer;

        sought->length = (uint32_t)key->length;
        memcpy(sought->key, key->bytes, key->length);
        return g_hash_table_lookup(nodes, sought);
}

bool nodes_find(GHashTable *nodes, const struct map_key *key, bool denies, uint32_t *ret_first)
{
        const struct node *node = look_up(nodes, key);

        if (!node || (denies && node->first_deny == UINT32_MAX))
                return false;
        *ret_first = denies ? node->first_deny : node->first;
        return true;
}

bool nodes_add(GHashTable *nodes, const struct map_key *key, const struct map_rule *rule)
{
        struct node *node = look_up(nodes, key);
        bool is_new = !node;

        if (is_new) {
                node = g_malloc(sizeof(*node) + key->length);
                node->first = rule->number;
                node->first_deny = UINT32_MAX;
                node->length = (uint32_t)key->length;
                memcpy(node->key, key->bytes, key->length);
                g_hash_table_add(nodes, node);
        }
        if (rule->action == MAP_DENY && node->first_deny == UINT32_MAX)
                node->first_deny = rule->number;
        return is_new;
}
