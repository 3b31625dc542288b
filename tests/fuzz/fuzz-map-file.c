/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/map.c common/map-key.c common/map-search.c common/map-record.c common/map-mismatch.c */
/* links: common/network.c compiler/map-writer.c compiler/map-nodes.c compiler/map-usage.c */
/* libs: -lcdb -lglib-2.0 */

/*
 * Any bytes as a compiled identity map: what map_open() accepts can be read from end to end and asked for anything. The
 * first bytes are the question: flags, then service, user, address, host and the value of a variable of 16 bytes each.
 * The rest is taken as a record too, in memory of just its size.
 */

#include "common/map-record.h"
#include "tests/unit/map-sample.h"

enum { FIELD = 16, FIELDS = 5, QUESTION = 1 + FIELDS * FIELD };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t touch(const char *text)
{
        return text ? strlen(text) : 0;
}

static int visit(void *context, const struct map_rule *rule)
{
        const struct map_query *query = context;

        sample_check(rule->n_groups <= INDEX_GROUPS_MAX && rule->n_conditions <= MAP_CONDITIONS_MAX);
        for (size_t i = 0; i < rule->n_conditions; i++)
                touch(rule->conditions[i].value);
        touch(rule->source);
        touch(rule->account);
        touch(rule->context);
        map_mismatch(rule, query);
        return 0;
}

static void ask(struct map *map, struct map_query *query)
{
        const char *names[MAP_VARIABLES_MAX];
        struct map_condition variables[MAP_VARIABLES_MAX];
        struct map_rule rule;
        int n = map_variables(map, query->service, names), r;

        sample_check(n <= MAP_VARIABLES_MAX);
        for (int i = 0; i < n; i++)
                variables[i] = (struct map_condition){names[i], query->variables[0].value};
        query->variables = variables;
        query->n_variables = n > 0 ? (size_t)n : 0;
        r = map_match(map, query, &rule);
        sample_check(r <= MAP_NEEDS_GROUPS && (r != MAP_NEEDS_GROUPS || !query->groups_known));
        if (r == MAP_MATCHED) {
                sample_check(rule.number < map_count(map) && map_mismatch(&rule, query) == MAP_COLUMNS);
                visit(query, &rule);
        }
        map_each(map, visit, query);
}

static void decode(const uint8_t *data, size_t size)
{
        _cleanup_free_ uint8_t *record = malloc(size + 1);
        struct map_query query = sample_query("wiki", "alice", "10.1.1.1", "www.example.org");
        struct map_service service;
        struct map_rule rule;

        memcpy(record + 1, data, size); /* as in a map, it is not aligned */
        if (map_record_rule(record + 1, size, &rule) == 0)
                visit(&query, &rule);
        if (map_record_service(record + 1, size, &service) < 0)
                return;
        for (size_t i = 0; i < service.record.n_names; i++)
                touch(service.names[i]);
        for (size_t i = 0; i < service.record.n_shapes; i++)
                map_service_shape(&service, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const uint32_t groups[] = {100, 200};
        char fields[FIELDS][FIELD + 1] = {{0}};
        const struct map_condition variable = {"A", fields[4]};
        struct map_query query = sample_query(fields[0], fields[1], fields[2], fields[3]);
        struct map map;
        int fd;

        decode(data, size);
        if (size < QUESTION)
                return 0;
        for (size_t i = 0; i < FIELDS; i++)
                memcpy(fields[i], data + 1 + i * FIELD, FIELD);
        query.variables = &variable;
        query.n_variables = 1;
        query.groups_known = data[0] & 1;
        query.variables_unknown = data[0] & 2;
        query.groups = groups;
        query.n_groups = ELEMENTS(groups);
        fd = sample_bytes(data + QUESTION, size - QUESTION);
        if (map_open(fd, &map) < 0) {
                close(fd);
                return 0;
        }
        ask(&map, &query);
        map_close(&map);
        return 0;
}
