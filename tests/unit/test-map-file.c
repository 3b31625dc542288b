/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/map.c common/map-key.c common/map-search.c common/map-record.c common/map-mismatch.c */
/* links: common/network.c compiler/map-writer.c compiler/map-nodes.c compiler/map-usage.c */
/* libs: -lcdb -lglib-2.0 */

/* Files that are no maps, or wrong ones. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "common/map-key.h"
#include "common/map-record.h"
#include "tests/unit/map-sample.h"

static const struct sample_rule sample[] = {
        {"wiki", "alice", "10.0.0.0/8", "www.example.org", true},
        {"wiki", "@", NULL, ".example.org", false},
        {NULL, NULL, "2001:db8::/32", NULL, false},
        {"wiki", "alice", NULL, "www.example.org", false},
};

/* --- what map_open() refuses --- */

static void check_open(int fd, int expected)
{
        struct map map = {.fd = 12345};

        assert_int_equal(map_open(fd, &map), expected);
        assert_int_equal(map.fd, 12345);
        assert_true(fcntl(fd, F_GETFD) >= 0); /* still the caller's */
        close(fd);
}

static void test_seals(void **state)
{
        static const int all[] = {F_SEAL_WRITE, F_SEAL_GROW, F_SEAL_SHRINK};
        struct map map;

        (void)state;
        for (size_t i = 0; i <= ELEMENTS(all); i++) {
                int fd = sample_memfd();

                assert_int_equal(map_writer_finish(map_writer_new(fd)), 0);
                assert_int_equal(fcntl(fd, F_ADD_SEALS, SAMPLE_SEALS & ~(i < ELEMENTS(all) ? all[i] : 0)), 0);
                if (i < ELEMENTS(all)) {
                        check_open(fd, -EBADMSG);
                        continue;
                }
                assert_int_equal(map_open(fd, &map), 0);
                map_close(&map);
                assert_int_equal(fcntl(fd, F_GETFD), -1);
        }
        check_open(open("/dev/null", O_RDONLY | O_CLOEXEC), -EINVAL);
}

static void test_sizes(void **state)
{
        static const uint8_t zeroes[2048];
        int fd = sample_memfd();

        (void)state;
        check_open(sample_bytes(zeroes, 0), -EBADMSG);
        check_open(sample_bytes(zeroes, 2047), -EBADMSG);
        check_open(sample_bytes(zeroes, 2048), -EBADMSG);
        assert_int_equal(ftruncate(fd, (off_t)MAP_SIZE_MAX + 1), 0);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, SAMPLE_SEALS), 0);
        check_open(fd, -EBADMSG);
}

/* --- forged maps: a header, one service, the tree for a rule without conditions, and the rule --- */

enum part { HEADER, SERVICE, NODE, LEAF, RULE, PARTS };

struct forged {
        struct map_key keys[PARTS];
        uint8_t data[PARTS][256];
        size_t sizes[PARTS]; /* SIZE_MAX: the record is not there */
};

static void set(struct forged *forged, enum part part, const void *data, size_t size)
{
        memcpy(forged->data[part], data, size);
        forged->sizes[part] = size;
}

static void forge(struct forged *forged)
{
        const struct map_header_record header = {MAP_MAGIC, MAP_VERSION, 1};
        const struct map_service_record service = {.n_names = 1, .n_shapes = 1};
        const struct map_rule_record rule = {.action = MAP_BECOME, .user_match = MAP_USER_EXACT, .uid = 2000};
        const uint32_t number = 0;
        uint8_t bytes[128];

        set(forged, HEADER, &header, sizeof(header));
        map_key_header(&forged->keys[HEADER]);
        memcpy(bytes, &service, sizeof(service));
        memcpy(bytes + sizeof(service), "\1\0A", 4);
        set(forged, SERVICE, bytes, sizeof(service) + 4);
        map_key_service(&forged->keys[SERVICE], "wiki");
        set(forged, NODE, &number, sizeof(number));
        map_key_service(&forged->keys[NODE], "wiki");
        map_key_any(&forged->keys[NODE]);
        set(forged, LEAF, &number, sizeof(number));
        forged->keys[LEAF] = forged->keys[NODE];
        map_key_any(&forged->keys[LEAF]);
        map_key_any(&forged->keys[LEAF]);
        map_key_user(&forged->keys[LEAF], MAP_USER_EXACT, "bob", 0);
        memcpy(bytes, &rule, sizeof(rule));
        memcpy(bytes + sizeof(rule), "x\0wiki\0bob\0\0\0", 14);
        set(forged, RULE, bytes, sizeof(rule) + 14);
        map_key_rule(&forged->keys[RULE], 0);
}

static int write_forged(const struct forged *forged)
{
        int fd = sample_memfd();
        struct cdb_make cdb;
        struct map_key key;

        cdb_make_start(&cdb, fd);
        for (size_t i = 0; i < PARTS; i++)
                if (forged->sizes[i] != SIZE_MAX)
                        cdb_make_add(&cdb, forged->keys[i].bytes, (unsigned)forged->keys[i].length, forged->data[i],
                                (unsigned)forged->sizes[i]);
        /* The nodes between, and a user's leaf that leads to the same rule. */
        key = forged->keys[NODE];
        for (size_t i = 0; i < 2; i++) {
                map_key_any(&key);
                cdb_make_add(&cdb, key.bytes, (unsigned)key.length, "\0\0\0", 4);
        }
        map_key_user(&key, MAP_USER_EXACT, "mallory", 0);
        cdb_make_add(&cdb, key.bytes, (unsigned)key.length, "\0\0\0", 4);
        assert_int_equal(cdb_make_finish(&cdb), 0);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, SAMPLE_SEALS), 0);
        return fd;
}

static int match_forged(const struct forged *forged, const char *user)
{
        struct map_query query = sample_query("wiki", user, "192.0.2.1", "h");
        struct map_rule rule;
        struct map map;
        int r;

        assert_int_equal(map_open(write_forged(forged), &map), 0);
        r = map_match(&map, &query, &rule);
        map_close(&map);
        return r;
}

static void test_headers(void **state)
{
        static const struct map_header_record wrong[] = {
                {MAP_MAGIC + 1, MAP_VERSION, 1},
                {MAP_MAGIC, MAP_VERSION + 1, 1},
                {MAP_MAGIC, MAP_VERSION, MAP_RULES_MAX + 1},
        };
        struct forged forged;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(wrong); i++) {
                forge(&forged);
                set(&forged, HEADER, &wrong[i], sizeof(wrong[i]));
                check_open(write_forged(&forged), -EBADMSG);
        }
        forge(&forged);
        forged.sizes[HEADER]--;
        check_open(write_forged(&forged), -EBADMSG);
        forged.sizes[HEADER] += 2;
        check_open(write_forged(&forged), -EBADMSG);
        forged.sizes[HEADER] = SIZE_MAX;
        check_open(write_forged(&forged), -EBADMSG);
}

static void test_forged(void **state)
{
        static const enum part checked[] = {SERVICE, NODE, LEAF, RULE};
        const uint32_t beyond = 1;
        struct forged forged;

        (void)state;
        forge(&forged);
        assert_int_equal(match_forged(&forged, "bob"), MAP_MATCHED);
        assert_int_equal(match_forged(&forged, "carol"), MAP_NO_MATCH);
        assert_int_equal(match_forged(&forged, "mallory"), -EBADMSG); /* the rule is for bob */
        for (size_t i = 0; i < ELEMENTS(checked); i++) {
                forge(&forged);
                forged.sizes[checked[i]]--;
                assert_int_equal(match_forged(&forged, "bob"), -EBADMSG);
                forged.sizes[checked[i]] += 2;
                assert_int_equal(match_forged(&forged, "bob"), -EBADMSG);
        }
        forge(&forged);
        forged.sizes[RULE] = SIZE_MAX;
        assert_int_equal(match_forged(&forged, "bob"), -EBADMSG);
        forge(&forged);
        set(&forged, LEAF, &beyond, sizeof(beyond));
        assert_int_equal(match_forged(&forged, "bob"), MAP_NO_MATCH);
}

/* --- records, in memory of just their size --- */

static int decode_service(const uint8_t *bytes, size_t size)
{
        _cleanup_free_ uint8_t *copy = malloc(size);
        struct map_service service;

        memcpy(copy, bytes, size);
        return map_record_service(copy, size, &service);
}

static int decode_rule(const uint8_t *bytes, size_t size)
{
        _cleanup_free_ uint8_t *copy = malloc(size);
        struct map_rule rule;

        memcpy(copy, bytes, size);
        return map_record_rule(copy, size, &rule);
}

static void test_truncated_records(void **state)
{
        struct forged forged;

        (void)state;
        forge(&forged);
        assert_int_equal(decode_rule(forged.data[RULE], forged.sizes[RULE]), 0);
        assert_int_equal(decode_service(forged.data[SERVICE], forged.sizes[SERVICE]), 0);
        for (size_t size = 0; size < forged.sizes[RULE]; size++)
                assert_int_equal(decode_rule(forged.data[RULE], size), -EBADMSG);
        for (size_t size = 0; size < forged.sizes[SERVICE]; size++)
                assert_int_equal(decode_service(forged.data[SERVICE], size), -EBADMSG);
}

/* A byte at an offset that makes a valid record wrong. */
static void test_wrong_fields(void **state)
{
        static const struct {
                size_t offset;
                uint8_t value;
        } wrong[] = {
                {offsetof(struct map_rule_record, family), 2},
                {offsetof(struct map_rule_record, family), AF_INET6},
                {offsetof(struct map_rule_record, prefix), 1},
                {offsetof(struct map_rule_record, address), 1},
                {offsetof(struct map_rule_record, user_match), MAP_USER_ANY},
                {offsetof(struct map_rule_record, user_match), 4},
                {offsetof(struct map_rule_record, host_match), MAP_HOST_EXACT},
                {offsetof(struct map_rule_record, host_match), 3},
                {offsetof(struct map_rule_record, action), 4},
                {offsetof(struct map_rule_record, flags), 0x80},
                {offsetof(struct map_rule_record, n_groups), 1},
                {offsetof(struct map_rule_record, n_groups), 255},
                {offsetof(struct map_rule_record, n_conditions), 1},
                {offsetof(struct map_rule_record, n_conditions), 255},
                {offsetof(struct map_rule_record, nice), 20},
                {sizeof(struct map_rule_record), '\n'},
                {sizeof(struct map_rule_record), '\0'},
        };
        struct map_service_record service;
        struct forged forged;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(wrong); i++) {
                forge(&forged);
                forged.data[RULE][wrong[i].offset] = wrong[i].value;
                if (decode_rule(forged.data[RULE], forged.sizes[RULE]) != -EBADMSG)
                        fail_msg("%zu: %u", wrong[i].offset, wrong[i].value);
        }
        forge(&forged);
        memcpy(&service, forged.data[SERVICE], sizeof(service));
        service.n_names = MAP_VARIABLES_MAX + 1;
        memcpy(forged.data[SERVICE], &service, sizeof(service));
        assert_int_equal(decode_service(forged.data[SERVICE], forged.sizes[SERVICE]), -EBADMSG);
        service.n_names = 1;
        service.n_shapes = UINT16_MAX;
        memcpy(forged.data[SERVICE], &service, sizeof(service));
        assert_int_equal(decode_service(forged.data[SERVICE], forged.sizes[SERVICE]), -EBADMSG);
}

/* --- damage anywhere --- */

static int count(void *context, const struct map_rule *rule)
{
        (void)rule;
        ++*(uint32_t *)context;
        return 0;
}

static void ask_everything(struct map *map)
{
        struct map_query query = sample_query("wiki", "alice", "10.1.1.1", "www.example.org");
        const char *variables[MAP_VARIABLES_MAX];
        struct map_rule rule;
        uint32_t n = 0;
        int r = map_each(map, count, &n);

        assert_true(r == -EBADMSG || (r == 0 && n == map_count(map)));
        r = map_variables(map, "wiki", variables);
        assert_true(r == -EBADMSG || (r >= 0 && r <= MAP_VARIABLES_MAX));
        for (size_t i = 0; i < 4; i++) {
                query.groups_known = i & 1;
                query.address = i & 2 ? "" : "10.1.1.1";
                r = map_match(map, &query, &rule);
                assert_true(r == -EBADMSG || (r >= 0 && r <= MAP_NEEDS_GROUPS));
                if (r == MAP_MATCHED)
                        assert_int_equal(map_mismatch(&rule, &query), MAP_COLUMNS);
        }
}

static void test_damage(void **state)
{
        struct map_rule rules[ELEMENTS(sample)];
        _cleanup_free_ uint8_t *bytes = NULL;
        struct map map;
        struct stat st;
        size_t size;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(sample); i++)
                rules[i] = sample_rule(&sample[i]);
        map = sample_map(rules, ELEMENTS(sample));
        ask_everything(&map);
        assert_int_equal(fstat(map.fd, &st), 0);
        size = (size_t)st.st_size;
        bytes = malloc(size);
        assert_int_equal(pread(map.fd, bytes, size, 0), size);
        map_close(&map);
        for (size_t i = 0; i < 3 * size; i++) {
                uint8_t kept = bytes[i % size];
                int fd;

                bytes[i % size] = i < size ? 0xff : i < 2 * size ? 0 : kept ^ 1;
                fd = sample_bytes(bytes, size);
                if (map_open(fd, &map) == 0) {
                        ask_everything(&map);
                        map_close(&map);
                } else {
                        close(fd);
                }
                bytes[i % size] = kept;
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_seals),
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_headers),
                cmocka_unit_test(test_forged),
                cmocka_unit_test(test_truncated_records),
                cmocka_unit_test(test_wrong_fields),
                cmocka_unit_test(test_damage),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
