/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <glib.h>

#include "common/map-key.h"

/*
 * The nodes of the map's tree so far. libcdb would walk all records with the same key to add one more, so no key may
 * be added twice: the writer remembers them all.
 */

GHashTable *nodes_new(void);

/* The number of the first rule beneath a node, or of the first that denies. Returns false if there is none. */
bool nodes_find(GHashTable *nodes, const struct map_key *key, bool denies, uint32_t *ret_first);

/* Says that the rule, which comes after all before it, is beneath a node. Returns whether the node is a new one. */
bool nodes_add(GHashTable *nodes, const struct map_key *key, const struct map_rule *rule);
