/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <glib.h>

#include "common/map-record.h"
#include "compiler/map-nodes.h"

/*
 * What the rules for each service use: the map's service records, while they grow.
 */

struct usage {
        struct map_service service; /* its names are ours; its shapes are: */
        GArray *shapes;             /* of uint16_t */
        struct node root;
};

/* Of service names ("" for rules for any service) to struct usage. */
GHashTable *usage_new(void);

/* NULL if no rule was added for this service. */
struct usage *usage_find(GHashTable *usages, const char *service);

/* Whether the rule's variables still have room: MAP_VARIABLES_MAX for each service, with those of rules for any. */
bool usage_has_room(GHashTable *usages, const struct map_rule *rule);

/* Adds what a rule uses, which has room. Returns what the rules for its service use. */
struct usage *usage_add(GHashTable *usages, const struct map_rule *rule, uint32_t number);
