/* SPDX-License-Identifier: Apache-2.0 */
#include "common/map-record.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>

/* What is left of a record. */
struct rest {
        const char *data;
        size_t size;
};

static bool take(struct rest *rest, void *ret_bytes, size_t size)
{
        if (size > rest->size)
                return false;
        memcpy(ret_bytes, rest->data, size);
        rest->data += size;
        rest->size -= size;
        return true;
}

/* NULL when no string ends in what is left. */
static const char *take_text(struct rest *rest)
{
        const char *text = rest->data, *end = rest->size ? memchr(text, '\0', rest->size) : NULL;

        if (!end)
                return NULL;
        rest->size -= (size_t)(end - text) + 1;
        rest->data = end + 1;
        return text;
}

static bool take_optional(struct rest *rest, const char **ret_text)
{
        const char *text = take_text(rest);

        if (text)
                *ret_text = text[0] ? text : NULL;
        return text;
}

static bool take_condition(struct rest *rest, struct map_condition *ret_condition)
{
        const char *value;

        ret_condition->name = take_text(rest);
        value = ret_condition->name ? take_text(rest) : NULL;
        if (!value || (value[0] != '=' && strcmp(value, "*") != 0))
                return false;
        ret_condition->value = value[0] == '=' ? value + 1 : NULL;
        return true;
}

static bool text_ok(const char *text, size_t min, size_t max)
{
        size_t length = 0;

        for (; text[length]; length++)
                if (length == max || (unsigned char)text[length] < ' ' || text[length] == 0x7f)
                        return false;
        return length >= min;
}

static bool optional_ok(const char *text, size_t max)
{
        return !text || text_ok(text, 1, max);
}

static bool user_ok(const struct map_rule *rule)
{
        switch (rule->user_match) {
        case MAP_USER_ANY:
        case MAP_USER_ANONYMOUS:
                return !rule->user;
        case MAP_USER_EXACT:
        case MAP_USER_GROUP:
                return rule->user && text_ok(rule->user, 1, MAP_WORD_MAX);
        }
        return false;
}

static bool network_ok(const struct index_network *network)
{
        uint32_t width = network->family == AF_INET ? 32 : network->family == AF_INET6 ? 128 : 0;

        if ((width == 0 && network->family != 0) || network->prefix > width)
                return false;
        for (uint32_t bit = network->prefix; bit < 8 * sizeof(network->address); bit = (bit | 7) + 1)
                if (network->address[bit / 8] & (0xff >> (bit % 8)))
                        return false;
        return true;
}

static bool host_ok(const struct map_rule *rule)
{
        if (rule->host_match == MAP_HOST_ANY)
                return !rule->host;
        if (rule->host_match > MAP_HOST_SUFFIX || !rule->host || !text_ok(rule->host, 1, MAP_WORD_MAX))
                return false;
        for (const char *c = rule->host; *c; c++)
                if (*c >= 'A' && *c <= 'Z')
                        return false;
        return rule->host_match == MAP_HOST_EXACT || rule->host[0] == '.';
}

static bool conditions_ok(const struct map_rule *rule)
{
        if (rule->n_conditions > MAP_CONDITIONS_MAX)
                return false;
        for (size_t i = 0; i < rule->n_conditions; i++) {
                const struct map_condition *condition = &rule->conditions[i];

                if (!condition->name || !text_ok(condition->name, 1, MAP_VARIABLE_NAME_MAX) ||
                        (condition->value && !text_ok(condition->value, 0, MAP_WORD_MAX)) ||
                        (i > 0 && strcmp(condition[-1].name, condition->name) >= 0))
                        return false;
        }
        return true;
}

int map_record_check(const struct map_rule *rule)
{
        const unsigned flags = MAP_ALLOW_SYSTEM | MAP_NO_SHELL | MAP_NICE;
        bool ok = rule->source && text_ok(rule->source, 1, PATH_MAX) && optional_ok(rule->service, MAP_WORD_MAX) &&
                  user_ok(rule) && network_ok(&rule->network) && host_ok(rule) && conditions_ok(rule) &&
                  rule->action <= MAP_BECOME_DYNAMIC && !(rule->flags & ~flags) && rule->n_groups <= INDEX_GROUPS_MAX &&
                  optional_ok(rule->account, MAP_WORD_MAX) && optional_ok(rule->context, INDEX_CONTEXT_MAX) &&
                  rule->nice >= -20 && rule->nice <= 19;

        return ok ? 0 : -EINVAL;
}

static uint32_t family_of(uint8_t ip_version)
{
        switch (ip_version) {
        case 0:
                return 0;
        case 4:
                return AF_INET;
        case 6:
                return AF_INET6;
        default:
                return UINT32_MAX; /* map_record_check() refuses it */
        }
}

static void copy_fields(const struct map_rule_record *record, struct map_rule *ret_rule)
{
        *ret_rule = (struct map_rule){
                .line = record->line,
                .user_match = record->user_match,
                .group = record->group,
                .host_match = record->host_match,
                .n_conditions = record->n_conditions,
                .action = record->action,
                .flags = record->flags,
                .uid = record->uid,
                .gid = record->gid,
                .n_groups = record->n_groups,
                .max_connections = record->max_connections,
                .nice = record->nice,
                .runtime_max = record->runtime_max,
                .network.family = family_of(record->family),
                .network.prefix = record->prefix,
        };
        memcpy(ret_rule->network.address, record->address, sizeof(record->address));
}

int map_record_rule(const void *data, size_t size, struct map_rule *ret_rule)
{
        struct rest rest = {data, size};
        struct map_rule_record record;
        struct map_rule rule;

        if (!take(&rest, &record, sizeof(record)) || record.n_groups > INDEX_GROUPS_MAX ||
                record.n_conditions > MAP_CONDITIONS_MAX)
                return -EBADMSG;
        copy_fields(&record, &rule);
        if (!take(&rest, rule.groups, rule.n_groups * sizeof(rule.groups[0])) || !take_optional(&rest, &rule.source) ||
                !take_optional(&rest, &rule.service) || !take_optional(&rest, &rule.user) ||
                !take_optional(&rest, &rule.host) || !take_optional(&rest, &rule.account) ||
                !take_optional(&rest, &rule.context))
                return -EBADMSG;
        for (size_t i = 0; i < rule.n_conditions; i++)
                if (!take_condition(&rest, &rule.conditions[i]))
                        return -EBADMSG;
        if (rest.size > 0 || map_record_check(&rule) < 0)
                return -EBADMSG;
        *ret_rule = rule;
        return 0;
}

int map_record_service(const void *data, size_t size, struct map_service *ret_service)
{
        struct rest rest = {data, size};
        struct map_service service = {0};
        size_t shapes;

        if (!take(&rest, &service.record, sizeof(service.record)) || service.record.n_names > MAP_VARIABLES_MAX ||
                service.record.n_shapes > MAP_SHAPES_MAX)
                return -EBADMSG;
        shapes = service.record.n_shapes * sizeof(uint16_t);
        if (shapes > rest.size)
                return -EBADMSG;
        service.shapes = rest.data;
        rest.data += shapes;
        rest.size -= shapes;
        for (size_t i = 0; i < service.record.n_names; i++) {
                service.names[i] = take_text(&rest);
                if (!service.names[i] || !text_ok(service.names[i], 1, MAP_VARIABLE_NAME_MAX))
                        return -EBADMSG;
        }
        if (rest.size > 0)
                return -EBADMSG;
        *ret_service = service;
        return 0;
}

uint16_t map_service_shape(const struct map_service *service, size_t i)
{
        uint16_t shape;

        memcpy(&shape, (const char *)service->shapes + i * sizeof(shape), sizeof(shape));
        return shape;
}
