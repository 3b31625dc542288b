/* SPDX-License-Identifier: Apache-2.0 */
#include "common/map-search.h"

#include <netinet/in.h>
#include <string.h>

struct walk {
        const struct map_tree *tree;
        const struct map_subject *subject;
        struct map_service service;
        struct map_node node; /* where we are */
        struct map_key key;   /* of that node */
        uint32_t best;
};

/*
 * The node that lies behind the branch that was appended, if one could be, to the first `length` bytes of the key. A
 * node that comes too late counts as none.
 */
static int find(const struct walk *walk, bool appended, size_t length, struct map_node *ret_node)
{
        struct map_node node = walk->node;
        int r = appended ? walk->tree->find(walk->tree->context, &walk->key, length, &node) : 0;

        if (r > 0 && node.first >= walk->best)
                return 0;
        if (r > 0)
                *ret_node = node;
        return r;
}

/* Goes to the node that find() finds, and back. `next` does what there is to do there. */
static int enter(struct walk *walk, bool appended, size_t length, int (*next)(struct walk *))
{
        const struct map_node node = walk->node;
        int r = find(walk, appended, length, &walk->node);

        if (r > 0)
                r = next(walk);
        walk->node = node;
        walk->key.length = length;
        return r;
}

/* The end of a path: its number is that of a rule. */
static int take(struct walk *walk)
{
        walk->best = walk->node.first;
        return 0;
}

static int search_groups(struct walk *walk)
{
        const struct map_subject *subject = walk->subject;
        size_t length = walk->key.length;
        struct map_node some_group;
        int r = find(walk, map_key_some_group(&walk->key), length, &some_group);

        walk->key.length = length;
        if (r <= 0)
                return r;
        r = 0;
        for (size_t i = 0; r == 0 && i < subject->n_groups; i++)
                r = enter(walk, map_key_user(&walk->key, MAP_USER_GROUP, NULL, subject->groups[i]), length, take);
        return r;
}

static int search_users(struct walk *walk)
{
        const struct map_subject *subject = walk->subject;
        size_t length = walk->key.length;
        int r;

        if (subject->some_group)
                return enter(walk, map_key_some_group(&walk->key), length, take);
        r = enter(walk, map_key_any(&walk->key), length, take);
        if (r == 0 && (subject->user_match == MAP_USER_ANONYMOUS || subject->user_match == MAP_USER_EXACT))
                r = enter(walk, map_key_user(&walk->key, subject->user_match, subject->user, 0), length, take);
        if (r == 0 && subject->n_groups > 0 && walk->service.record.groups)
                r = search_groups(walk);
        return r;
}

static int search_suffixes(struct walk *walk)
{
        const struct map_subject *subject = walk->subject;
        size_t length = walk->key.length, size;
        int r = 0;

        /* A name that begins with a dot is not one of those that end with it. */
        for (size_t i = subject->host_match == MAP_HOST_EXACT; r == 0 && i < subject->host_length; i++) {
                size = subject->host_length - i;
                if (subject->host[i] == '.' && size <= MAP_WORD_MAX && map_bit(walk->service.record.suffixes, size))
                        r = enter(walk, map_key_host(&walk->key, MAP_HOST_SUFFIX, subject->host + i, size), length,
                                search_users);
        }
        return r;
}

static int search_hosts(struct walk *walk)
{
        const struct map_subject *subject = walk->subject;
        size_t length = walk->key.length;
        int r = enter(walk, map_key_any(&walk->key), length, search_users);

        if (r == 0 && subject->host_unknown)
                return enter(walk, map_key_unknown(&walk->key), length, search_users);
        if (r == 0 && subject->host_match == MAP_HOST_EXACT)
                r = enter(walk, map_key_host(&walk->key, MAP_HOST_EXACT, subject->host, subject->host_length), length,
                        search_users);
        if (r == 0 && subject->host_match != MAP_HOST_ANY)
                r = search_suffixes(walk);
        return r;
}

static int search_addresses(struct walk *walk)
{
        const struct index_network *network = &walk->subject->network;
        const struct map_service_record *service = &walk->service.record;
        const uint8_t *prefixes = network->family == AF_INET ? service->ipv4 : service->ipv6;
        size_t length = walk->key.length;
        int r = enter(walk, map_key_any(&walk->key), length, search_hosts);

        if (r == 0 && walk->subject->address_unknown)
                return enter(walk, map_key_unknown(&walk->key), length, search_hosts);
        if (network->family == 0)
                return r;
        for (uint32_t prefix = 0; r == 0 && prefix <= network->prefix; prefix++)
                if (map_bit(prefixes, prefix))
                        r = enter(walk, map_key_network(&walk->key, network, prefix), length, search_hosts);
        return r;
}

static const struct map_condition *find_condition(const struct map_subject *subject, const char *name)
{
        for (size_t i = 0; i < subject->n_conditions; i++)
                if (strcmp(subject->conditions[i].name, name) == 0)
                        return &subject->conditions[i];
        return NULL;
}

/* Whether the variable has one value only, and which. */
static bool one_value(const struct map_subject *subject, const char *name, const char **ret_value)
{
        const struct map_condition *condition = find_condition(subject, name);
        const char *value = condition ? condition->value : NULL;

        if (!value && subject->variables_open)
                return false;
        *ret_value = value ? value : "";
        return true;
}

static bool not_empty(const struct map_subject *subject, const char *name)
{
        const struct map_condition *condition = find_condition(subject, name);

        if (!condition)
                return false;
        return condition->value ? condition->value[0] != '\0' : subject->variables_open;
}

/* The conditions of a shape, with the subject's values; false when it cannot meet them. */
static bool append_shape(struct walk *walk, uint16_t shape)
{
        struct map_condition conditions[MAP_CONDITIONS_MAX];
        size_t n = 0;

        for (size_t i = 0; i < walk->service.record.n_names; i++) {
                const char *name = walk->service.names[i], *value = NULL;
                bool exact = shape & (1U << i), present = shape & (1U << (i + MAP_VARIABLES_MAX));

                if (!exact && !present)
                        continue;
                if (n == MAP_CONDITIONS_MAX || (exact && !one_value(walk->subject, name, &value)) ||
                        (present && !not_empty(walk->subject, name)))
                        return false;
                conditions[n++] = (struct map_condition){name, value};
        }
        return map_key_conditions(&walk->key, conditions, n);
}

static int search_variables(struct walk *walk)
{
        size_t length = walk->key.length;
        int r = enter(walk, map_key_any(&walk->key), length, search_addresses);

        if (r == 0 && walk->subject->variables_unknown)
                return enter(walk, map_key_unknown(&walk->key), length, search_addresses);
        for (size_t i = 0; r == 0 && i < walk->service.record.n_shapes; i++)
                r = enter(walk, append_shape(walk, map_service_shape(&walk->service, i)), length, search_addresses);
        return r;
}

static int search_service(struct walk *walk, const char *service)
{
        const struct map_tree *tree = walk->tree;
        int r = map_key_service(&walk->key, service)
                        ? tree->service(tree->context, &walk->key, &walk->service, &walk->node)
                        : 0;

        if (r <= 0)
                return r;
        if (walk->subject->some_group && !walk->service.record.groups)
                return 0;
        return walk->node.first < walk->best ? search_variables(walk) : 0;
}

int map_search(const struct map_tree *tree, const struct map_subject *subject, uint32_t limit, uint32_t *ret_number)
{
        struct walk walk = {.tree = tree, .subject = subject, .best = limit};
        int r = search_service(&walk, NULL);

        if (r == 0 && subject->service && subject->service[0])
                r = search_service(&walk, subject->service);
        if (r < 0)
                return r;
        *ret_number = walk.best;
        return 0;
}
