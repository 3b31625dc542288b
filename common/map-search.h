/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/map-key.h"
#include "common/map-record.h"

/*
 * The search for the first rule, in the tree of common/map-key.h. The broker looks up a request in the map, and the
 * compiler looks up a rule among those before it: what covers it. Both see the same branches, from the most general to
 * the most special. Pure.
 */

/* What is looked for: a request, or all requests that a rule matches. */
struct map_subject {
        const char *service;      /* NULL: only rules for any service */
        enum map_user user_match; /* MAP_USER_ANY: only rules for any user; likewise below */
        const char *user;         /* MAP_USER_EXACT */
        const uint32_t *groups;   /* MAP_USER_EXACT, MAP_USER_GROUP: gids that the user is in */
        size_t n_groups;
        bool some_group;              /* only rules for groups, whichever */
        struct index_network network; /* family 0: any */
        enum map_host host_match;
        const char *host; /* in any case */
        size_t host_length;
        const struct map_condition *conditions;
        size_t n_conditions;
        /*
         * Whether variables that are not among the conditions can have any value, and those without a value any but an
         * empty one: so it is with a rule. In a request they are all empty.
         */
        bool variables_open;
        bool address_unknown, host_unknown, variables_unknown;
};

struct map_node {
        uint32_t first; /* the lowest number beneath it */
        void *data;     /* the tree's own */
};

/* The tree. Each returns 1, 0 when there is no such node, or a negative errno. */
struct map_tree {
        /* From *node, whose key is the first `length` bytes of `key`, one branch on: to the node with all of it. */
        int (*find)(void *context, const struct map_key *key, size_t length, struct map_node *node);
        int (*service)(
                void *context, const struct map_key *key, struct map_service *ret_service, struct map_node *ret_root);
        void *context;
};

/*
 * The lowest number below `limit` that is at the end of a path for `subject`; `limit` itself if there is none. A node
 * counts with the lowest number beneath it, so what cannot come first is not entered. Returns 0 or a negative errno.
 */
int map_search(const struct map_tree *tree, const struct map_subject *subject, uint32_t limit, uint32_t *ret_number);

/* How much of a request's host counts: not a dot at its end, the same name fully qualified. 0: the host is unknown. */
size_t map_host_length(const char *host);
