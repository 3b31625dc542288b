/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/map-writer.h"

#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/map-search.h"
#include "compiler/map-nodes.h"
#include "compiler/map-usage.h"

struct map_writer {
        struct cdb_make cdb;
        uint64_t size; /* of the file */
        uint32_t n_rules;
        struct nodes nodes;
        GHashTable *usages; /* compiler/map-usage.h */
        GStringChunk *sources;
        GArray *places; /* of struct map_place: of each rule */
        /* Of the record that is being put together. */
        struct map_key key;
        GByteArray *record;
};

struct map_writer *map_writer_new(int fd)
{
        struct map_writer *writer = g_new0(struct map_writer, 1);

        cdb_make_start(&writer->cdb, fd);
        writer->size = 2048; /* cdb's table of contents */
        nodes_init(&writer->nodes);
        writer->usages = usage_new();
        writer->sources = g_string_chunk_new(4096);
        writer->places = g_array_new(FALSE, FALSE, sizeof(struct map_place));
        writer->record = g_byte_array_new();
        return writer;
}

/* Of the rule that was added last; NULL: none was. */
static const struct map_place *last_place(const struct map_writer *writer)
{
        return writer->n_rules > 0 ? &g_array_index(writer->places, struct map_place, writer->n_rules - 1) : NULL;
}

/* Says how far it came. */
_Noreturn static void no_room(const struct map_writer *writer, const char *why)
{
        const struct map_place *last = last_place(writer);

        fprintf(stderr, "sandboxd-compile: no room for the identity map behind %s:%u, %u rules: %s\n",
                last ? last->source : "its beginning", last ? last->line : 0, writer->n_rules, why);
        exit(EXIT_FAILURE);
}

/* Of writer->key. */
static void add_record(struct map_writer *writer, const void *data, size_t size)
{
        const struct map_key *key = &writer->key;

        /* Two lengths before a record, and two slots of eight bytes in a hash table. */
        writer->size += 8 + key->length + size + 16;
        if (writer->size > MAP_SIZE_MAX)
                no_room(writer, "compiled, it may take 1 GiB");
        if (cdb_make_add(&writer->cdb, key->bytes, (unsigned)key->length, data, (unsigned)size) < 0)
                no_room(writer, strerror(errno));
}

static void append_text(GByteArray *bytes, const char *text)
{
        text = text ? text : "";
        g_byte_array_append(bytes, (const uint8_t *)text, (unsigned)strlen(text) + 1);
}

static void append_condition(GByteArray *bytes, const struct map_condition *condition)
{
        append_text(bytes, condition->name);
        g_byte_array_append(bytes, (const uint8_t *)(condition->value ? "=" : "*"), 1);
        append_text(bytes, condition->value);
}

static void add_header_record(struct map_writer *writer)
{
        struct map_header_record record = {MAP_MAGIC, MAP_VERSION, writer->n_rules};

        map_key_header(&writer->key);
        add_record(writer, &record, sizeof(record));
}

/* As map_record_service() reads it. */
static void add_service_record(struct map_writer *writer, const char *name, const struct map_service *service)
{
        const struct map_service_record *record = &service->record;
        GByteArray *bytes = g_byte_array_set_size(writer->record, 0);

        g_byte_array_append(bytes, (const uint8_t *)record, sizeof(*record));
        g_byte_array_append(bytes, service->shapes, (unsigned)(record->n_shapes * sizeof(uint16_t)));
        for (size_t i = 0; i < record->n_names; i++)
                append_text(bytes, service->names[i]);
        map_key_service(&writer->key, name);
        add_record(writer, bytes->data, bytes->len);
}

/* As map_record_rule() reads it. */
static void add_rule_record(struct map_writer *writer, const struct map_rule *rule)
{
        const uint32_t family = rule->network.family;
        struct map_rule_record record = {
                .runtime_max = rule->runtime_max,
                .line = rule->line,
                .uid = rule->uid,
                .gid = rule->gid,
                .group = rule->group,
                .max_connections = rule->max_connections,
                .nice = rule->nice,
                .family = family == AF_INET    ? 4
                          : family == AF_INET6 ? 6
                                               : 0,
                .prefix = (uint8_t)rule->network.prefix,
                .user_match = (uint8_t)rule->user_match,
                .host_match = (uint8_t)rule->host_match,
                .action = (uint8_t)rule->action,
                .flags = (uint8_t)rule->flags,
                .n_groups = (uint8_t)rule->n_groups,
                .n_conditions = (uint8_t)rule->n_conditions,
        };
        GByteArray *bytes = g_byte_array_set_size(writer->record, 0);

        memcpy(record.address, rule->network.address, sizeof(record.address));
        g_byte_array_append(bytes, (const uint8_t *)&record, sizeof(record));
        g_byte_array_append(bytes, (const uint8_t *)rule->groups, (unsigned)(rule->n_groups * sizeof(rule->groups[0])));
        append_text(bytes, rule->source);
        append_text(bytes, rule->service);
        append_text(bytes, rule->user);
        append_text(bytes, rule->host);
        append_text(bytes, rule->account);
        append_text(bytes, rule->context);
        for (size_t i = 0; i < rule->n_conditions; i++)
                append_condition(bytes, &rule->conditions[i]);
        map_key_rule(&writer->key, writer->n_rules);
        add_record(writer, bytes->data, bytes->len);
}

/* In the order of the tree: common/map-key.h. */
static const enum map_column levels[] = {MAP_COLUMN_VARIABLES, MAP_COLUMN_ADDRESS, MAP_COLUMN_HOST, MAP_COLUMN_USER};

/* The branch for what the rule asks. */
static bool append_branch(struct map_key *key, const struct map_rule *rule, enum map_column column)
{
        switch (column) {
        case MAP_COLUMN_VARIABLES:
                return map_key_conditions(key, rule->conditions, rule->n_conditions);
        case MAP_COLUMN_ADDRESS:
                return map_key_network(key, &rule->network, rule->network.prefix);
        case MAP_COLUMN_HOST:
                return rule->host_match == MAP_HOST_ANY
                               ? map_key_any(key)
                               : map_key_host(key, rule->host_match, rule->host, strlen(rule->host));
        case MAP_COLUMN_USER:
                return map_key_user(key, rule->user_match, rule->user, rule->group);
        default:
                return false;
        }
}

/* The branch besides: a rule that denies is met by what is unknown, and one for a group counts among all of those. */
static bool append_second_branch(struct map_key *key, const struct map_rule *rule, enum map_column column)
{
        bool denies = rule->action == MAP_DENY;

        switch (column) {
        case MAP_COLUMN_VARIABLES:
                return denies && rule->n_conditions > 0 && map_key_unknown(key);
        case MAP_COLUMN_ADDRESS:
                return denies && rule->network.family != 0 && map_key_unknown(key);
        case MAP_COLUMN_HOST:
                return denies && rule->host_match != MAP_HOST_ANY && map_key_unknown(key);
        case MAP_COLUMN_USER:
                return rule->user_match == MAP_USER_GROUP && map_key_some_group(key);
        default:
                return false;
        }
}

static void add_paths(struct map_writer *writer, struct node *node, const struct map_rule *rule, size_t level);

/* That of writer->key, whose first `length` bytes are the key of its parent. */
static void add_node(
        struct map_writer *writer, struct node *parent, size_t length, const struct map_rule *rule, size_t level)
{
        const uint32_t number = writer->n_rules;
        struct node *node = nodes_find(&writer->nodes, parent, &writer->key, length);

        if (!node) {
                node = nodes_add(&writer->nodes, parent, &writer->key, length, number);
                add_record(writer, &number, sizeof(number));
        }
        if (rule->action == MAP_DENY && node->first_deny == UINT32_MAX)
                node->first_deny = number;
        add_paths(writer, node, rule, level + 1);
}

/* Every path beneath the node of writer->key; `level` is the column that branches there, and as deep as it goes. */
static void add_paths(struct map_writer *writer, struct node *node, const struct map_rule *rule, size_t level)
{
        struct map_key *key = &writer->key;
        size_t length = key->length;

        if (level == G_N_ELEMENTS(levels))
                return;
        if (append_branch(key, rule, levels[level]))
                add_node(writer, node, length, rule, level);
        key->length = length;
        if (append_second_branch(key, rule, levels[level]))
                add_node(writer, node, length, rule, level);
        key->length = length;
}

/* As struct map_tree has it; with `denies`, as if there were only rules that deny. */
static int find(void *context, const struct map_key *key, size_t length, bool denies, struct map_node *node)
{
        const struct map_writer *writer = context;
        struct node *found = nodes_find(&writer->nodes, node->data, key, length);
        uint32_t first = !found ? UINT32_MAX : denies ? found->first_deny : found->first;

        if (first == UINT32_MAX)
                return 0;
        *node = (struct map_node){first, found};
        return 1;
}

static int find_node(void *context, const struct map_key *key, size_t length, struct map_node *node)
{
        return find(context, key, length, false, node);
}

static int find_node_denying(void *context, const struct map_key *key, size_t length, struct map_node *node)
{
        return find(context, key, length, true, node);
}

static int find_service(
        void *context, const struct map_key *key, struct map_service *ret_service, struct map_node *ret_root)
{
        const char *name = (const char *)key->bytes + 1; /* map_key_service() */
        struct usage *usage = usage_find(((struct map_writer *)context)->usages, name);

        if (!usage)
                return 0;
        *ret_service = usage->service;
        *ret_root = (struct map_node){usage->service.record.first, &usage->root};
        return 1;
}

static struct map_subject subject_of(const struct map_rule *rule)
{
        return (struct map_subject){
                .service = rule->service,
                .user_match = rule->user_match,
                .user = rule->user,
                .groups = &rule->group,
                .n_groups = rule->user_match == MAP_USER_GROUP,
                .network = rule->network,
                .host_match = rule->host_match,
                .host = rule->host,
                .host_length = rule->host ? strlen(rule->host) : 0,
                .conditions = rule->conditions,
                .n_conditions = rule->n_conditions,
                .variables_open = true,
        };
}

/*
 * The first rule so far that matches whatever this one does, n_rules if none: in every column it asks for the same, for
 * something that includes it, or for nothing. A rule that denies matches the unknown too in the columns that it asks
 * for. Then the earlier one must as well: by denying, or by not asking for address, host and variables at all.
 */
static uint32_t find_shadow(struct map_writer *writer, const struct map_rule *rule)
{
        struct map_tree tree = {find_node, find_service, writer};
        struct map_subject subject = subject_of(rule);
        uint32_t number = writer->n_rules;

        if (rule->action == MAP_DENY) {
                tree.find = find_node_denying;
                map_search(&tree, &subject, number, &number);
                tree.find = find_node;
                subject.network.family = 0;
                subject.host_match = MAP_HOST_ANY;
                subject.n_conditions = 0;
        }
        map_search(&tree, &subject, number, &number); /* these trees have no errors */
        return number;
}

/* Likewise, of requests in which everything is known; n_rules for a rule that does not deny: find_shadow() says all. */
static uint32_t find_shadow_where_known(struct map_writer *writer, const struct map_rule *rule)
{
        const struct map_tree tree = {find_node, find_service, writer};
        const struct map_subject subject = subject_of(rule);
        uint32_t number = writer->n_rules;

        if (rule->action == MAP_DENY)
                map_search(&tree, &subject, number, &number);
        return number;
}

static bool same_columns(struct map_writer *writer, const struct map_rule *rule, uint32_t earlier)
{
        const struct usage *usage = usage_find(writer->usages, rule->service);
        const struct node *node = usage ? &usage->root : NULL;
        struct map_key key;
        size_t length;

        map_key_service(&key, rule->service);
        for (size_t level = 0; node && level < G_N_ELEMENTS(levels); level++) {
                length = key.length;
                append_branch(&key, rule, levels[level]);
                node = nodes_find(&writer->nodes, node, &key, length);
        }
        return node && (node->first == earlier || node->first_deny == earlier);
}

/* Of a copy of the name: rules come file by file, and it is kept once for all that follow one another. */
static struct map_place place_of(struct map_writer *writer, const struct map_rule *rule)
{
        const struct map_place *last = last_place(writer);

        if (last && strcmp(last->source, rule->source) == 0)
                return (struct map_place){.source = last->source, .line = rule->line};
        return (struct map_place){.source = g_string_chunk_insert(writer->sources, rule->source), .line = rule->line};
}

int map_writer_add(struct map_writer *writer, const struct map_rule *rule, struct map_place *ret_shadow)
{
        const uint32_t number = writer->n_rules;
        struct map_place place;
        enum map_added added = MAP_SHADOWED;
        struct usage *usage;
        uint32_t shadow;

        if (map_record_check(rule) < 0)
                return -EINVAL;
        if (number == MAP_RULES_MAX)
                return -E2BIG;
        if (!usage_has_room(writer->usages, rule))
                return -ENOSPC;
        shadow = find_shadow(writer, rule);
        if (shadow == number) {
                shadow = find_shadow_where_known(writer, rule);
                added = shadow < number ? MAP_SHADOWED_WHERE_KNOWN : MAP_ADDED;
        }
        if (added != MAP_ADDED) {
                *ret_shadow = g_array_index(writer->places, struct map_place, shadow);
                ret_shadow->same = same_columns(writer, rule, shadow);
        }
        /* Variables are asked for a shadowed rule too, so that it can be explained. */
        usage = usage_add(writer->usages, rule, number);
        if (added != MAP_SHADOWED) {
                map_key_service(&writer->key, rule->service);
                add_paths(writer, &usage->root, rule, 0);
        }
        add_rule_record(writer, rule);
        place = place_of(writer, rule);
        g_array_append_val(writer->places, place);
        writer->n_rules++;
        return (int)added;
}

int map_writer_finish(struct map_writer *writer)
{
        GHashTableIter iterator;
        void *name, *usage;
        int r = 0;

        g_hash_table_iter_init(&iterator, writer->usages);
        while (g_hash_table_iter_next(&iterator, &name, &usage))
                add_service_record(writer, name, &((const struct usage *)usage)->service);
        add_header_record(writer);
        if (cdb_make_finish(&writer->cdb) < 0)
                r = -errno;
        nodes_free(&writer->nodes);
        g_hash_table_destroy(writer->usages);
        g_string_chunk_free(writer->sources);
        g_array_free(writer->places, TRUE);
        g_byte_array_free(writer->record, TRUE);
        g_free(writer);
        return r;
}
