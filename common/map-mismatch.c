/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "common/map-search.h"
#include "common/network.h"

size_t map_host_length(const char *host)
{
        size_t length = strlen(host);

        return length > 1 && host[length - 1] == '.' ? length - 1 : length;
}

static bool user_matches(const struct map_rule *rule, const struct map_query *query)
{
        bool anonymous = query->user[0] == '\0';

        switch (rule->user_match) {
        case MAP_USER_ANY:
                return true;
        case MAP_USER_ANONYMOUS:
                return anonymous;
        case MAP_USER_EXACT:
                return strcmp(rule->user, query->user) == 0;
        case MAP_USER_GROUP:
                for (size_t i = 0; !anonymous && query->groups_known && i < query->n_groups; i++)
                        if (query->groups[i] == rule->group)
                                return true;
                return false;
        }
        return false;
}

/* What is unknown meets every rule that denies, and no other that asks for it: common/map.h. */
static bool address_matches(const struct map_rule *rule, const struct map_query *query)
{
        struct index_network address;

        if (rule->network.family == 0)
                return true;
        if (network_parse_address(query->address, &address) < 0)
                return rule->action == MAP_DENY;
        return network_contains(&rule->network, &address);
}

static bool host_matches(const struct map_rule *rule, const struct map_query *query)
{
        size_t length = map_host_length(query->host), size;

        if (rule->host_match == MAP_HOST_ANY)
                return true;
        if (length == 0)
                return rule->action == MAP_DENY;
        size = strlen(rule->host);
        if (rule->host_match == MAP_HOST_EXACT)
                return length == size && strncasecmp(query->host, rule->host, size) == 0;
        return length > size && strncasecmp(query->host + length - size, rule->host, size) == 0;
}

static const char *variable(const struct map_query *query, const char *name)
{
        for (size_t i = 0; i < query->n_variables; i++)
                if (strcmp(query->variables[i].name, name) == 0)
                        return query->variables[i].value ? query->variables[i].value : "";
        return "";
}

static bool variables_match(const struct map_rule *rule, const struct map_query *query)
{
        if (rule->n_conditions > 0 && query->variables_unknown)
                return rule->action == MAP_DENY;
        for (size_t i = 0; i < rule->n_conditions; i++) {
                const struct map_condition *condition = &rule->conditions[i];
                const char *value = variable(query, condition->name);

                if (condition->value ? strcmp(value, condition->value) != 0 : value[0] == '\0')
                        return false;
        }
        return true;
}

enum map_column map_mismatch(const struct map_rule *rule, const struct map_query *query)
{
        if (rule->service && strcmp(rule->service, query->service) != 0)
                return MAP_COLUMN_SERVICE;
        if (!user_matches(rule, query))
                return MAP_COLUMN_USER;
        if (!address_matches(rule, query))
                return MAP_COLUMN_ADDRESS;
        if (!host_matches(rule, query))
                return MAP_COLUMN_HOST;
        if (!variables_match(rule, query))
                return MAP_COLUMN_VARIABLES;
        return MAP_COLUMNS;
}
