/* SPDX-License-Identifier: Apache-2.0 */
/* links: allot/store.c allot/database.c */
/* libs: -lsqlite3 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "allot/store.h"
#include "common/cleanup.h"

enum { FIRST = 50000, LAST = 50099 };

/* Each test has a directory and an open store in it. */
struct place {
        char directory[64];
        struct store store;
};

static int set_up(void **state)
{
        struct place *place = calloc(1, sizeof(*place));

        strcpy(place->directory, "/tmp/test-store.XXXXXX");
        *state = place;
        return !mkdtemp(place->directory) || store_init(&place->store, place->directory, true) < 0;
}

static int tear_down(void **state)
{
        struct place *place = *state;
        char command[128];
        int r;

        store_close(&place->store);
        snprintf(command, sizeof(command), "rm -rf %s", place->directory);
        r = system(command); /* NOLINT */
        free(place);
        return r;
}

static uint32_t uid_of(struct place *place, const char *name, uint32_t first, uint32_t last)
{
        uint32_t uid = 0;

        assert_int_equal(store_uid(&place->store, name, first, last, &uid), 0);
        return uid;
}

static void no_uid(struct place *place, const char *name, uint32_t first, uint32_t last, int expected)
{
        uint32_t uid = 4711;

        assert_int_equal(store_uid(&place->store, name, first, last, &uid), expected);
        assert_int_equal(uid, 4711);
        assert_string_not_equal(place->store.detail, "");
}

/* The pair as one number. */
static uint32_t pair_of(struct place *place, uint32_t uid, uint32_t first, uint32_t last)
{
        uint32_t c1 = 0, c2 = 0;

        assert_int_equal(store_categories(&place->store, uid, first, last, &c1, &c2), 0);
        assert_true(c1 < c2 && c2 <= STORE_CATEGORY_MAX);
        return c2 << 16 | c1;
}

static void no_pair(struct place *place, uint32_t uid, uint32_t first, uint32_t last, int expected)
{
        uint32_t c1 = 4711, c2 = 4712;

        assert_int_equal(store_categories(&place->store, uid, first, last, &c1, &c2), expected);
        assert_true(c1 == 4711 && c2 == 4712);
        assert_string_not_equal(place->store.detail, "");
}

/* Changes the database behind the store's back. */
static void edit(struct place *place, const char *sql)
{
        sqlite3 *database;

        assert_int_equal(sqlite3_open(place->store.path, &database), SQLITE_OK);
        assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(database);
}

/* Everything in the list, and that it is in order. */
static size_t count_listed(struct place *place, size_t *ret_pairs)
{
        struct store_list list = {0};
        size_t names = 0, pairs = 0;
        uint64_t before = 0;

        do {
                assert_int_equal(store_list(&place->store, &list), 0);
                for (size_t i = 0; i < list.n_entries; i++) {
                        uint64_t key = (uint64_t)list.entries[i].uid * 2 + !list.entries[i].n_name;

                        assert_true(key > before);
                        before = key;
                        names += list.entries[i].n_name > 0;
                        pairs += list.entries[i].n_name == 0;
                }
        } while (list.n_entries > 0);
        *ret_pairs = pairs;
        return names;
}

static void test_uids_are_given_in_order_and_kept(void **state)
{
        struct place *place = *state;

        assert_int_equal(uid_of(place, "alice", FIRST, LAST), FIRST);
        assert_int_equal(uid_of(place, "bob", FIRST, LAST), FIRST + 1);
        assert_int_equal(uid_of(place, "alice", FIRST, LAST), FIRST);
        store_close(&place->store);
        assert_int_equal(uid_of(place, "bob", FIRST, LAST), FIRST + 1);
        assert_int_equal(uid_of(place, "carol", FIRST, LAST), FIRST + 2);
}

static void test_names_are_bytes(void **state)
{
        static const char *const names[] = {"alice", "Alice", "ALICE", "alice ", " alice", "\xc3\xa9", "e\xcc\x81",
                "\xe9", "\xff\xfe", "1", "01", "1.0", "%", "a'b", "a\"b", "NULL", "x'00'"};
        struct place *place = *state;
        char longest[STORE_NAME_MAX + 2];

        for (int pass = 0; pass < 2; pass++)
                for (size_t i = 0; i < ELEMENTS(names); i++)
                        assert_int_equal(uid_of(place, names[i], FIRST, LAST), FIRST + i);
        memset(longest, 'n', sizeof(longest));
        longest[STORE_NAME_MAX + 1] = '\0';
        no_uid(place, longest, FIRST, LAST, -EINVAL);
        longest[STORE_NAME_MAX] = '\0';
        assert_int_equal(uid_of(place, longest, FIRST, LAST), FIRST + ELEMENTS(names));
        longest[STORE_NAME_MAX - 1] = '\0';
        assert_int_equal(uid_of(place, longest, FIRST, LAST), FIRST + ELEMENTS(names) + 1);
        no_uid(place, "", FIRST, LAST, -EINVAL);
}

static void test_bad_ranges(void **state)
{
        struct place *place = *state;

        no_uid(place, "a", 0, 10, -EINVAL);
        no_uid(place, "a", 10, UINT32_MAX, -EINVAL);
        no_uid(place, "a", 11, 10, -EINVAL);
        no_pair(place, 0, 0, 1023, -EINVAL);
        no_pair(place, UINT32_MAX, 0, 1023, -EINVAL);
        no_pair(place, 1000, 0, 1024, -EINVAL);
        no_pair(place, 1000, 5, 4, -EINVAL);
        assert_int_equal(uid_of(place, "low", 1, 1), 1);
        assert_int_equal(uid_of(place, "high", UINT32_MAX - 1, UINT32_MAX - 1), UINT32_MAX - 1);
        assert_int_equal(uid_of(place, "all", 1, UINT32_MAX - 1), 2);
}

static void test_uids_are_used_up(void **state)
{
        struct place *place = *state;
        char name[16];

        for (uint32_t i = 0; i < 10; i++) {
                snprintf(name, sizeof(name), "user%u", i);
                assert_int_equal(uid_of(place, name, FIRST, FIRST + 9), FIRST + i);
        }
        no_uid(place, "late", FIRST, FIRST + 9, STORE_EXHAUSTED);
        assert_string_equal(place->store.detail, "all 10 uids of DynamicUID= are allotted");
        no_uid(place, "late", FIRST + 3, FIRST + 3, STORE_EXHAUSTED);
        assert_string_equal(place->store.detail, "all 1 uids of DynamicUID= are allotted");
        assert_int_equal(uid_of(place, "user9", FIRST, FIRST + 9), FIRST + 9);
        assert_int_equal(uid_of(place, "late", FIRST, FIRST + 10), FIRST + 10);
}

/* A model that is too simple to be wrong: which uids are taken. */
static void test_range_changes(void **state)
{
        struct place *place = *state;
        bool taken[1000] = {false};
        unsigned seed = 1;
        char name[16];

        for (int i = 0; i < 1500; i++) {
                uint32_t first = (uint32_t)rand_r(&seed) % 990 + 1,
                         last = first + (uint32_t)rand_r(&seed) % (1000 - first);
                uint32_t lowest = first;

                while (lowest <= last && taken[lowest])
                        lowest++;
                snprintf(name, sizeof(name), "user%d", i);
                if (lowest > last) {
                        no_uid(place, name, first, last, STORE_EXHAUSTED);
                } else {
                        assert_int_equal(uid_of(place, name, first, last), lowest);
                        taken[lowest] = true;
                }
        }
        assert_int_equal(uid_of(place, "user0", 5000, 5001), uid_of(place, "user0", 1, 999));
}

static void test_all_pairs_of_small_ranges(void **state)
{
        static const uint32_t ranges[][2] = {{0, 5}, {3, 9}, {0, 1}, {1020, 1023}, {0, 15}, {7, 7}, {2, 20}, {0, 20}};
        static bool seen[1024][1024];
        struct place *place = *state;
        uint32_t uid = 1000;

        memset(seen, 0, sizeof(seen));
        for (size_t i = 0; i < ELEMENTS(ranges); i++) {
                uint32_t first = ranges[i][0], last = ranges[i][1];

                for (uint32_t c2 = first + 1; c2 <= last; c2++)
                        for (uint32_t c1 = first; c1 < c2; c1++) {
                                if (seen[c1][c2])
                                        continue;
                                seen[c1][c2] = true;
                                assert_int_equal(pair_of(place, uid, first, last), c2 << 16 | c1);
                                assert_int_equal(pair_of(place, uid++, 0, 1023), c2 << 16 | c1);
                        }
                no_pair(place, uid, first, last, STORE_EXHAUSTED);
        }
        assert_string_equal(place->store.detail, "all 210 category pairs of MCSCategories= are allotted");
        store_close(&place->store);
        assert_int_equal(pair_of(place, 1000, 500, 600), 1 << 16 | 0);
        assert_int_equal(pair_of(place, uid, 500, 600), 501 << 16 | 500);
}

static void test_the_list(void **state)
{
        struct place *place = *state;
        struct store_list list = {0};
        size_t pairs;
        char name[16];

        assert_int_equal(count_listed(place, &pairs), 0);
        assert_int_equal(pairs, 0);
        for (uint32_t i = 0; i < 2 * STORE_LIST_MAX; i++) {
                snprintf(name, sizeof(name), "user%u", i);
                uid_of(place, name, FIRST, FIRST + 10000);
                pair_of(place, FIRST + 3 * i, 0, 1023); /* some have both */
        }
        assert_int_equal(count_listed(place, &pairs), 2 * STORE_LIST_MAX);
        assert_int_equal(pairs, 2 * STORE_LIST_MAX);
        assert_int_equal(store_list(&place->store, &list), 0);
        assert_int_equal(list.entries[0].uid, FIRST);
        assert_memory_equal(list.entries[0].name, "user0", 5);
        assert_int_equal(list.entries[0].n_name, 5);
        assert_int_equal(list.entries[1].uid, FIRST);
        assert_int_equal(list.entries[1].second, 1);
        assert_int_equal(list.entries[2].uid, FIRST + 1);
}

/* As `sandboxd-allot --list` opens it. */
static void test_nothing_is_made_for_a_reader(void **state)
{
        struct place *place = *state;
        struct store_list list = {0};
        int fd;

        place->store.create = false;
        assert_int_equal(store_list(&place->store, &list), STORE_ABSENT);
        no_uid(place, "alice", FIRST, LAST, -EBADMSG);
        assert_int_equal(access(place->store.path, F_OK), -1);
        /* What a keeper leaves that is killed before its first commit. */
        fd = open(place->store.path, O_CREAT | O_WRONLY, 0600);
        assert_int_equal(close(fd), 0);
        assert_int_equal(store_list(&place->store, &list), STORE_ABSENT);
        place->store.create = true;
        assert_int_equal(uid_of(place, "alice", FIRST, LAST), FIRST);
}

/* Nobody gets what another one has, even when the record of what is left is wrong. */
static void test_the_database_refuses(void **state)
{
        struct place *place = *state;

        uid_of(place, "alice", FIRST, LAST);
        pair_of(place, FIRST, 0, 1023);
        edit(place, "INSERT INTO fresh_uids (first, last) VALUES (50000, 50000);"
                    "INSERT INTO fresh_pairs (second, first, last) VALUES (1, 0, 0)");
        no_uid(place, "mallory", FIRST, LAST, -EBADMSG);
        assert_non_null(strstr(place->store.detail, "UNIQUE"));
        no_pair(place, FIRST + 1, 0, 1023, -EBADMSG);
        assert_int_equal(uid_of(place, "alice", FIRST, LAST), FIRST);
}

/* Names that are taken away by hand are new names; their uids are nobody's any more. */
static void test_nothing_comes_back(void **state)
{
        struct place *place = *state;

        uid_of(place, "alice", FIRST, LAST);
        edit(place, "DELETE FROM uids");
        assert_int_equal(uid_of(place, "bob", FIRST, LAST), FIRST + 1);
        assert_int_equal(uid_of(place, "alice", FIRST, LAST), FIRST + 2);
        edit(place, "INSERT INTO uids (uid, name) VALUES (50010, x'7a'), (50003, x'79')");
        assert_int_equal(uid_of(place, "carol", FIRST, LAST), FIRST + 4);
        assert_int_equal(uid_of(place, "y", FIRST, LAST), FIRST + 3);
        assert_int_equal(uid_of(place, "dave", FIRST + 10, LAST), FIRST + 11);
}

static void test_values_out_of_bounds_are_refused(void **state)
{
        struct place *place = *state;
        struct store_list list = {0};

        uid_of(place, "alice", FIRST, LAST);
        pair_of(place, FIRST, 0, 1023);
        edit(place, "PRAGMA ignore_check_constraints = ON; UPDATE uids SET uid = 4294967296; UPDATE categories SET "
                    "first = 9");
        no_uid(place, "alice", FIRST, LAST, -EBADMSG);
        no_pair(place, FIRST, 0, 1023, -EBADMSG);
        assert_int_equal(store_list(&place->store, &list), -EBADMSG);
}

static void test_other_schemas_are_refused(void **state)
{
        struct place *place = *state;

        uid_of(place, "alice", FIRST, LAST);
        store_close(&place->store);
        edit(place, "PRAGMA user_version = 2");
        no_uid(place, "alice", FIRST, LAST, -ENOTSUP);
        edit(place, "PRAGMA user_version = 0");
        no_uid(place, "alice", FIRST, LAST, -EBADMSG);
        edit(place, "PRAGMA user_version = 1; PRAGMA application_id = 7");
        no_uid(place, "alice", FIRST, LAST, -EBADMSG);
        edit(place, "PRAGMA application_id = 0x53627374; ALTER TABLE fresh_uids RENAME TO other");
        no_uid(place, "alice", FIRST, LAST, -EBADMSG);
        edit(place, "ALTER TABLE other RENAME TO fresh_uids");
        assert_int_equal(uid_of(place, "alice", FIRST, LAST), FIRST);
}

/* Control characters would make an answer malformed. */
static void test_details_are_clean(void **state)
{
        struct place *place = *state;

        uid_of(place, "alice", FIRST, LAST);
        store_close(&place->store);
        edit(place, "CREATE TRIGGER odd BEFORE INSERT ON uids BEGIN SELECT RAISE(ABORT, 'two\nlines'); END");
        no_uid(place, "bob", FIRST, LAST, -EBADMSG);
        assert_null(strchr(place->store.detail, '\n'));
}

static void overwrite(struct place *place, off_t offset, const void *bytes, size_t size)
{
        _cleanup_close_ int fd = open(place->store.path, O_WRONLY | O_CREAT, 0600);

        assert_int_equal(pwrite(fd, bytes, size, offset), size);
}

static void test_damage_is_refused(void **state)
{
        static char garbage[4096];
        struct place *place = *state;
        struct stat before, after;
        char name[16];

        for (int i = 0; i < 500; i++) {
                snprintf(name, sizeof(name), "user%d", i);
                uid_of(place, name, FIRST, FIRST + 999);
        }
        store_close(&place->store);
        assert_int_equal(stat(place->store.path, &before), 0);
        memset(garbage, 0xa5, sizeof(garbage));
        /* All pages but the first, with the schema. */
        for (off_t at = 4096; at < before.st_size; at += 4096)
                overwrite(place, at, garbage, sizeof(garbage));
        no_uid(place, "user7", FIRST, LAST, -EBADMSG);
        no_uid(place, "new", FIRST, LAST, -EBADMSG);
        assert_string_equal(place->store.detail, "database disk image is malformed");
        overwrite(place, 0, garbage, sizeof(garbage));
        no_uid(place, "new", FIRST, LAST, -EBADMSG);
        memset(garbage, 0, sizeof(garbage));
        overwrite(place, 0, garbage, sizeof(garbage));
        no_uid(place, "new", FIRST, LAST, -EBADMSG);
        /* Nobody has put an empty one in its place. */
        assert_int_equal(stat(place->store.path, &after), 0);
        assert_int_equal(after.st_size, before.st_size);
        assert_int_equal(after.st_ino, before.st_ino);
}

static void test_text_is_no_store(void **state)
{
        struct place *place = *state;

        overwrite(place, 0, "alice:50000\n", 12);
        no_uid(place, "alice", FIRST, LAST, -EBADMSG);
}

static void test_directory_that_is_not_there(void **state)
{
        struct place *place = *state;
        struct store store;
        uint32_t uid;

        assert_int_equal(store_init(&store, "/nonexistent/x", true), 0);
        assert_int_equal(store_uid(&store, "alice", FIRST, LAST, &uid), -EACCES);
        assert_non_null(store.advice);
        /* It recovers once there is one. */
        assert_int_equal(store_init(&store, place->directory, true), 0);
        assert_int_equal(store_uid(&store, "alice", FIRST, LAST, &uid), 0);
        store_close(&store);
}

static void test_locked(void **state)
{
        struct place *place = *state;
        sqlite3 *other;

        uid_of(place, "alice", FIRST, LAST);
        assert_int_equal(sqlite3_open(place->store.path, &other), SQLITE_OK);
        assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        no_uid(place, "bob", FIRST, LAST, -EBUSY);
        assert_int_equal(uid_of(place, "alice", FIRST, LAST), FIRST);
        sqlite3_close(other);
        assert_int_equal(uid_of(place, "bob", FIRST, LAST), FIRST + 1);
}

static void test_two_stores(void **state)
{
        struct place *place = *state, other = {0};
        char name[16];

        assert_int_equal(store_init(&other.store, place->directory, true), 0);
        for (uint32_t i = 0; i < 40; i++) {
                struct place *one = i % 3 ? place : &other, *two = i % 3 ? &other : place;

                snprintf(name, sizeof(name), "user%u", i);
                assert_int_equal(uid_of(one, name, FIRST, LAST), FIRST + i);
                assert_int_equal(uid_of(two, name, FIRST, LAST), FIRST + i);
                assert_int_equal(pair_of(one, i + 1, 0, 9), pair_of(two, i + 1, 0, 9));
        }
        store_close(&other.store);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_uids_are_given_in_order_and_kept, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_names_are_bytes, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_bad_ranges, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_uids_are_used_up, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_range_changes, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_all_pairs_of_small_ranges, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_the_list, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_nothing_is_made_for_a_reader, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_the_database_refuses, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_nothing_comes_back, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_values_out_of_bounds_are_refused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_other_schemas_are_refused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_details_are_clean, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_damage_is_refused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_text_is_no_store, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_directory_that_is_not_there, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_locked, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_two_stores, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
