/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/map-usage.h"

#include <netinet/in.h>
#include <string.h>

static void usage_free(void *pointer)
{
        struct usage *usage = pointer;

        for (size_t i = 0; i < usage->service.record.n_names; i++)
                g_free((char *)(uintptr_t)usage->service.names[i]);
        g_array_free(usage->shapes, TRUE);
        g_free(usage);
}

GHashTable *usage_new(void)
{
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, usage_free);
}

struct usage *usage_find(GHashTable *usages, const char *service)
{
        return g_hash_table_lookup(usages, service ? service : "");
}

/* How many names there are in either, and in the rule if it is given. */
static size_t count_names(const struct usage *any, const struct usage *usage, const struct map_rule *rule)
{
        const char *names[2 * MAP_VARIABLES_MAX + MAP_CONDITIONS_MAX];
        size_t n = 0, n_different = 0;

        for (size_t i = 0; any && i < any->service.record.n_names; i++)
                names[n++] = any->service.names[i];
        for (size_t i = 0; usage && usage != any && i < usage->service.record.n_names; i++)
                names[n++] = usage->service.names[i];
        for (size_t i = 0; i < rule->n_conditions; i++)
                names[n++] = rule->conditions[i].name;
        for (size_t i = 0; i < n; i++) {
                size_t earlier = 0;

                while (strcmp(names[earlier], names[i]) != 0)
                        earlier++;
                n_different += earlier == i;
        }
        return n_different;
}

bool usage_has_room(GHashTable *usages, const struct map_rule *rule)
{
        const struct usage *any = usage_find(usages, NULL);
        GHashTableIter iterator;
        void *usage;

        if (rule->n_conditions == 0)
                return true;
        if (rule->service)
                return count_names(any, usage_find(usages, rule->service), rule) <= MAP_VARIABLES_MAX;
        g_hash_table_iter_init(&iterator, usages);
        while (g_hash_table_iter_next(&iterator, NULL, &usage))
                if (count_names(any, usage, rule) > MAP_VARIABLES_MAX)
                        return false;
        return true;
}

/* Makes room at `at` in the lower byte and in the higher. */
static uint16_t shift_shape(uint16_t shape, size_t at)
{
        unsigned below = (1U << at) - 1, kept = below | below << MAP_VARIABLES_MAX, moved = shape & ~kept;

        return (uint16_t)((shape & kept) | moved << 1);
}

/* The index of a name among the sorted names, where it is inserted if need be. */
static size_t add_name(struct usage *usage, const char *name)
{
        struct map_service *service = &usage->service;
        uint16_t *shapes = (uint16_t *)(void *)usage->shapes->data;
        size_t at = 0;

        while (at < service->record.n_names && strcmp(service->names[at], name) < 0)
                at++;
        if (at < service->record.n_names && strcmp(service->names[at], name) == 0)
                return at;
        memmove(service->names + at + 1, service->names + at,
                (service->record.n_names - at) * sizeof(service->names[0]));
        service->names[at] = g_strdup(name);
        service->record.n_names++;
        for (size_t i = 0; i < usage->shapes->len; i++)
                shapes[i] = shift_shape(shapes[i], at);
        return at;
}

static void add_shape(struct usage *usage, const struct map_rule *rule)
{
        const uint16_t *shapes;
        uint16_t shape = 0;

        for (size_t i = 0; i < rule->n_conditions; i++)
                add_name(usage, rule->conditions[i].name);
        for (size_t i = 0; i < rule->n_conditions; i++) {
                size_t name = add_name(usage, rule->conditions[i].name);

                shape |= (uint16_t)(1U << (rule->conditions[i].value ? name : name + MAP_VARIABLES_MAX));
        }
        shapes = (const uint16_t *)(void *)usage->shapes->data;
        for (size_t i = 0; i < usage->shapes->len; i++)
                if (shapes[i] == shape)
                        return;
        g_array_append_val(usage->shapes, shape);
        usage->service.record.n_shapes = (uint16_t)usage->shapes->len;
        usage->service.shapes = usage->shapes->data;
}

static struct usage *make(GHashTable *usages, const struct map_rule *rule, uint32_t number)
{
        struct usage *usage = g_new0(struct usage, 1);

        usage->service.record.first = number;
        usage->shapes = g_array_new(FALSE, FALSE, sizeof(uint16_t));
        g_hash_table_insert(usages, g_strdup(rule->service ? rule->service : ""), usage);
        return usage;
}

static void set_bit(uint8_t *set, size_t bit)
{
        set[bit / 8] |= (uint8_t)(1U << (bit % 8));
}

struct usage *usage_add(GHashTable *usages, const struct map_rule *rule, uint32_t number)
{
        struct usage *usage = usage_find(usages, rule->service);
        struct map_service_record *record;

        if (!usage)
                usage = make(usages, rule, number);
        record = &usage->service.record;
        if (rule->network.family == AF_INET)
                set_bit(record->ipv4, rule->network.prefix);
        if (rule->network.family == AF_INET6)
                set_bit(record->ipv6, rule->network.prefix);
        if (rule->host_match == MAP_HOST_SUFFIX)
                set_bit(record->suffixes, strlen(rule->host));
        if (rule->user_match == MAP_USER_GROUP)
                record->groups = 1;
        if (rule->n_conditions > 0)
                add_shape(usage, rule);
        return usage;
}
