/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/map.h"

/*
 * Keys of the compiled identity map (docs/map-format.md), as writer and reader both build them. Pure.
 *
 * The rules hang on a tree: a path is a service and then one branch for each further column, in the order variables,
 * address, host, user. The key of a node is the path to it. Every branch shows its own end, so that no two paths
 * have the same key.
 */

enum {
        /* More than the longest path needs: three words, an address and the conditions. */
        MAP_KEY_MAX =
                1 + 3 * (MAP_WORD_MAX + 2) + 35 + MAP_CONDITIONS_MAX * (MAP_VARIABLE_NAME_MAX + MAP_WORD_MAX + 3) + 64,
};

struct map_key {
        size_t length;
        uint8_t bytes[MAP_KEY_MAX];
};

/* The key of the header, of a rule's record, and of the root of a service's tree (NULL: of rules for any service). */
void map_key_header(struct map_key *key);
void map_key_rule(struct map_key *key, uint32_t number);
bool map_key_service(struct map_key *key, const char *service);

/*
 * Append a branch. They return false when it does not fit, which leaves part of it behind: then no rule lies there,
 * for map_record_check() lets none be so long.
 */
bool map_key_any(struct map_key *key);        /* rules that do not ask for this column */
bool map_key_unknown(struct map_key *key);    /* rules that deny and ask for it: what an unknown value meets */
bool map_key_some_group(struct map_key *key); /* rules for a group, whichever */
bool map_key_conditions(struct map_key *key, const struct map_condition *conditions, size_t n_conditions);
/* The first `prefix` bits of the network's address. */
bool map_key_network(struct map_key *key, const struct index_network *network, uint32_t prefix);
/* In lower case; host_match is not MAP_HOST_ANY. */
bool map_key_host(struct map_key *key, enum map_host host_match, const char *host, size_t length);
bool map_key_user(struct map_key *key, enum map_user user_match, const char *user, uint32_t group);
