/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxctl/reasons.h"

#include <string.h>

#include "common/network.h"
#include "sandboxctl/rule-text.h"

static void print_user(FILE *stream, const struct map_rule *rule, const char *user)
{
        char word[RULE_WORD_SIZE];

        if (rule->user_match == MAP_USER_GROUP)
                fprintf(stream, "the rule is for the group %s (gid %u), and ", rule->user, rule->group);
        else if (rule->user_match == MAP_USER_EXACT)
                fprintf(stream, "the rule is for %s, and ", rule_word(rule->user, word));
        else
                fputs("the rule is for requests without a user, and ", stream);
        if (!user[0])
                fputs("nobody is logged in", stream);
        else if (rule->user_match == MAP_USER_GROUP)
                fprintf(stream, "%s is not in it", user);
        else
                fprintf(stream, "%s is logged in", user);
}

static bool knows_address(const struct map_query *query)
{
        struct index_network network;

        return network_parse_address(query->address, &network) == 0;
}

static void print_selector(FILE *stream, const char *asked, const char *given, bool known)
{
        if (known)
                fprintf(stream, "the rule asks for %s, and the request has %s", asked, given);
        else
                fprintf(stream, "the rule asks for %s, and the request's is unknown", asked);
}

static const char *value_of(const struct map_query *query, const char *name)
{
        for (size_t i = 0; i < query->n_variables; i++)
                if (strcmp(query->variables[i].name, name) == 0)
                        return query->variables[i].value;
        return "";
}

static bool holds(const struct map_condition *condition, const char *value)
{
        return condition->value ? strcmp(condition->value, value) == 0 : value[0] != '\0';
}

static void print_condition(FILE *stream, const struct map_rule *rule, const struct map_query *query)
{
        char asked[RULE_WORD_SIZE], given[RULE_WORD_SIZE];

        for (size_t i = 0; i < rule->n_conditions; i++) {
                const struct map_condition *condition = &rule->conditions[i];
                const char *value = value_of(query, condition->name);

                if (holds(condition, value) && !query->variables_unknown)
                        continue;
                if (condition->value)
                        rule_word(condition->value, asked);
                fprintf(stream, "the rule asks for %s=%s, and ", condition->name, condition->value ? asked : "*");
                if (query->variables_unknown)
                        fputs("the request's is unknown", stream);
                else if (!value[0])
                        fputs("the request has none", stream);
                else
                        fprintf(stream, "the request has %s", rule_word(value, given));
                return;
        }
}

/* What is unknown is no way round a rule that denies. */
static void print_match(FILE *stream, const struct map_rule *rule, const struct map_query *query)
{
        const char *unknown = NULL;

        if (rule->action == MAP_DENY && rule->network.family != 0 && !knows_address(query))
                unknown = "the address";
        else if (rule->action == MAP_DENY && rule->host_match != MAP_HOST_ANY && !query->host[0])
                unknown = "the host";
        else if (rule->action == MAP_DENY && rule->n_conditions > 0 && query->variables_unknown)
                unknown = "a variable";
        if (unknown)
                fprintf(stream, "matches: %s is unknown, and leaving it out is no way round a rule that denies",
                        unknown);
        else
                fputs("matches", stream);
}

void reason_print(FILE *stream, const struct map_rule *rule, const struct map_query *query, enum map_column column)
{
        static const char *const names[MAP_COLUMNS] = {"SERVICE", "USER", "ADDRESS", "HOST", "VARIABLE"};
        char network[NETWORK_TEXT_SIZE], host[MAP_WORD_MAX + 2];

        fputs("  ", stream);
        if (column < MAP_COLUMNS)
                fprintf(stream, "no: %s: ", names[column]);
        switch (column) {
        case MAP_COLUMN_SERVICE:
                print_selector(stream, rule->service, query->service, true);
                break;
        case MAP_COLUMN_USER:
                print_user(stream, rule, query->user);
                break;
        case MAP_COLUMN_ADDRESS:
                print_selector(stream, network_text(&rule->network, network), query->address, knows_address(query));
                break;
        case MAP_COLUMN_HOST:
                snprintf(host, sizeof(host), "%s%s", rule->host_match == MAP_HOST_SUFFIX ? "*" : "", rule->host);
                print_selector(stream, host, query->host, query->host[0]);
                break;
        case MAP_COLUMN_VARIABLES:
                print_condition(stream, rule, query);
                break;
        default:
                print_match(stream, rule, query);
        }
        fputc('\n', stream);
}
