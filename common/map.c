/* SPDX-License-Identifier: Apache-2.0 */
#include "common/map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/map-search.h"
#include "common/network.h"

static const int map_seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;

/* Returns 1 and where the record lies, 0, or -EBADMSG. libcdb checks its own structure against the file's size. */
static int find(struct map *map, const struct map_key *key, const void **ret_record, size_t *ret_size)
{
        int r = cdb_find(&map->cdb, key->bytes, (unsigned)key->length);

        if (r <= 0)
                return r < 0 ? -EBADMSG : 0;
        *ret_record = cdb_getdata(&map->cdb);
        *ret_size = cdb_datalen(&map->cdb);
        return *ret_record ? 1 : -EBADMSG;
}

/* A record that must be there and just so long. */
static int read_fixed(struct map *map, const struct map_key *key, void *ret_bytes, size_t size)
{
        const void *record;
        size_t actual;
        int r = find(map, key, &record, &actual);

        if (r > 0 && actual != size)
                return -EBADMSG;
        if (r > 0)
                memcpy(ret_bytes, record, size);
        return r;
}

static int find_node(void *context, const struct map_key *key, size_t length, struct map_node *node)
{
        (void)length;
        return read_fixed(context, key, &node->first, sizeof(node->first));
}

static int find_service(struct map *map, const struct map_key *key, struct map_service *ret_service)
{
        const void *record;
        size_t size;
        int r = find(map, key, &record, &size);

        if (r > 0 && map_record_service(record, size, ret_service) < 0)
                return -EBADMSG;
        return r;
}

static int find_root(
        void *context, const struct map_key *key, struct map_service *ret_service, struct map_node *ret_root)
{
        int r = find_service(context, key, ret_service);

        if (r > 0)
                ret_root->first = ret_service->record.first;
        return r;
}

static int find_rule(struct map *map, uint32_t number, struct map_rule *ret_rule)
{
        struct map_key key;
        const void *record;
        size_t size;

        map_key_rule(&key, number);
        if (find(map, &key, &record, &size) <= 0 || map_record_rule(record, size, ret_rule) < 0)
                return -EBADMSG;
        ret_rule->number = number;
        return 0;
}

static int read_header(struct map *map)
{
        struct map_header_record header;
        struct map_key key;

        map_key_header(&key);
        if (read_fixed(map, &key, &header, sizeof(header)) <= 0)
                return -EBADMSG;
        if (header.magic != MAP_MAGIC || header.version != MAP_VERSION || header.n_rules > MAP_RULES_MAX)
                return -EBADMSG;
        map->n_rules = header.n_rules;
        return 0;
}

int map_open(int fd, struct map *ret_map)
{
        struct map map = {.fd = fd};
        struct stat st;
        int seals = fcntl(fd, F_GET_SEALS);

        if (seals < 0)
                return -errno;
        if ((seals & map_seals) != map_seals)
                return -EBADMSG;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size > MAP_SIZE_MAX)
                return -EBADMSG;
        if (cdb_init(&map.cdb, fd) < 0)
                return errno == EPROTO ? -EBADMSG : -errno;
        if (read_header(&map) < 0) {
                cdb_free(&map.cdb);
                return -EBADMSG;
        }
        *ret_map = map;
        return 0;
}

void map_close(struct map *map)
{
        if (map->fd >= 0)
                cdb_free(&map->cdb);
        map->fd = close_fd(map->fd);
}

uint32_t map_count(const struct map *map)
{
        return map->n_rules;
}

static struct map_subject subject_of(const struct map_query *query)
{
        bool named = query->user[0] != '\0';
        struct map_subject subject = {
                .service = query->service,
                .user_match = named ? MAP_USER_EXACT : MAP_USER_ANONYMOUS,
                .user = query->user,
                .groups = query->groups,
                .n_groups = named && query->groups_known ? query->n_groups : 0,
                .host = query->host,
                .host_length = map_host_length(query->host),
                .conditions = query->variables,
                .n_conditions = query->n_variables,
                .variables_unknown = query->variables_unknown,
        };

        subject.address_unknown = network_parse_address(query->address, &subject.network) < 0;
        subject.host_unknown = subject.host_length == 0;
        subject.host_match = MAP_HOST_EXACT;
        return subject;
}

int map_match(struct map *map, const struct map_query *query, struct map_rule *ret_rule)
{
        const struct map_tree tree = {find_node, find_root, map};
        struct map_subject subject = subject_of(query);
        struct map_rule rule;
        uint32_t number, in_group;

        if (map_search(&tree, &subject, map->n_rules, &number) < 0)
                return -EBADMSG;
        if (!query->groups_known && query->user[0]) {
                subject.some_group = true;
                if (map_search(&tree, &subject, number, &in_group) < 0)
                        return -EBADMSG;
                if (in_group < number)
                        return MAP_NEEDS_GROUPS;
        }
        if (number == map->n_rules)
                return MAP_NO_MATCH;
        /* However the tree led there: a rule that does not match is never applied. */
        if (find_rule(map, number, &rule) < 0 || map_mismatch(&rule, query) != MAP_COLUMNS)
                return -EBADMSG;
        *ret_rule = rule;
        return MAP_MATCHED;
}

static bool contains(const char *const *names, int n_names, const char *name)
{
        for (int i = 0; i < n_names; i++)
                if (strcmp(names[i], name) == 0)
                        return true;
        return false;
}

/* Adds the names that rules for `service` use to the `n_names` that are there. Returns how many there are then. */
static int add_variables(struct map *map, const char *service, const char **names, int n_names)
{
        struct map_service found;
        struct map_key key;
        int r = map_key_service(&key, service) ? find_service(map, &key, &found) : 0;

        if (r < 0)
                return r;
        for (size_t i = 0; r > 0 && i < found.record.n_names; i++) {
                if (contains(names, n_names, found.names[i]))
                        continue;
                if (n_names == MAP_VARIABLES_MAX)
                        return -EBADMSG;
                names[n_names++] = found.names[i];
        }
        return n_names;
}

int map_variables(struct map *map, const char *service, const char *ret_names[MAP_VARIABLES_MAX])
{
        const char *names[MAP_VARIABLES_MAX];
        int n = add_variables(map, NULL, names, 0);

        if (n >= 0 && service[0])
                n = add_variables(map, service, names, n);
        if (n > 0)
                memcpy(ret_names, names, (size_t)n * sizeof(names[0]));
        return n;
}

int map_each(struct map *map, int (*visit)(void *context, const struct map_rule *rule), void *context)
{
        struct map_rule rule;
        int r = 0;

        for (uint32_t number = 0; r == 0 && number < map->n_rules; number++) {
                r = find_rule(map, number, &rule);
                if (r == 0)
                        r = visit(context, &rule);
        }
        return r;
}
