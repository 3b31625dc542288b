/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <glib.h>
#include <obstack.h>

#include "common/map-key.h"

/*
 * The map's tree so far. libcdb would walk all records with the same key to add one more, so no key may be added twice:
 * the writer remembers them all. Most nodes have one branch, and from most of the others nearly all rules take the
 * first: it hangs on the node itself. All further ones are in a table.
 */

struct node {
        uint32_t first;      /* the number of the first rule beneath it */
        uint32_t first_deny; /* likewise of those that deny; UINT32_MAX: none */
        struct node *child;  /* NULL: none */
        bool has_further;
        /* How it hangs on the one above: the end of its key. */
        uint16_t size;
        const uint8_t *branch;
        const struct node *parent;
};

struct nodes {
        struct obstack memory;
        GHashTable *further; /* a set */
};

void nodes_init(struct nodes *nodes);
void nodes_free(struct nodes *nodes);

/* The node whose key this is, beneath `parent`, whose key is the first `length` bytes of it. NULL if there is none. */
struct node *nodes_find(const struct nodes *nodes, const struct node *parent, const struct map_key *key, size_t length);

/* Adds the one that nodes_find() does not find. */
struct node *nodes_add(
        struct nodes *nodes, struct node *parent, const struct map_key *key, size_t length, uint32_t first);
