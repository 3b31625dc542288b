/* SPDX-License-Identifier: Apache-2.0 */
/* links: names/cache.c common/question.c common/wire.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "names/cache.h"

#define SECOND UINT64_C(1000000)
/* A clock does not begin at 0. */
#define START (1000 * SECOND)

static void store(struct cache *cache, const char *name, enum answer_status status, uint32_t uid, uint64_t now)
{
        struct answer answer;

        answer_init(&answer, status, 99);
        answer.uid = uid;
        cache_store(cache, name, &answer, now);
}

/* The uid, or 0: not known. */
static uint32_t find(const struct cache *cache, const char *name, uint64_t ttl, uint64_t now)
{
        struct answer answer;

        memset(&answer, 0x55, sizeof(answer));
        if (cache_find(cache, name, ttl, now, &answer))
                return answer.uid;
        assert_int_equal(answer.uid, 0x55555555); /* untouched */
        return 0;
}

static void test_empty(void **state)
{
        struct cache cache;

        (void)state;
        cache_init(&cache);
        assert_int_equal(find(&cache, "alice", UINT64_MAX, START), 0);
        cache_clear(&cache);
}

/* The whole answer comes back. */
static void test_copy(void **state)
{
        struct cache cache;
        struct answer answer, found;

        (void)state;
        cache_init(&cache);
        answer_init(&answer, ANSWER_FOUND, 7);
        answer.uid = 1001;
        answer.gid = 1002;
        answer.has_shell = 1;
        answer.n_groups = ANSWER_GROUPS_MAX;
        for (uint32_t i = 0; i < ANSWER_GROUPS_MAX; i++)
                answer.groups[i] = 2000 + i;
        cache_store(&cache, "alice", &answer, START);
        assert_true(cache_find(&cache, "alice", SECOND, START, &found));
        assert_memory_equal(&found, &answer, sizeof(answer));
        answer_init(&answer, ANSWER_UNAVAILABLE, 8);
        strcpy(answer.detail, "account: Connection refused");
        cache_store(&cache, "bob", &answer, START);
        assert_true(cache_find(&cache, "bob", SECOND, START, &found));
        assert_memory_equal(&found, &answer, sizeof(answer));
        cache_clear(&cache);
}

static void test_names(void **state)
{
        static const char *const names[] = {"alice", "Alice", "alic", "alice2", "\xc3\xa9lodie", "e", "z", "m", "k"};
        struct cache cache;

        (void)state;
        cache_init(&cache);
        for (uint32_t i = 0; i < ELEMENTS(names); i++)
                store(&cache, names[i], ANSWER_FOUND, 1000 + i, START);
        for (uint32_t i = 0; i < ELEMENTS(names); i++)
                assert_int_equal(find(&cache, names[i], SECOND, START), 1000 + i);
        assert_int_equal(find(&cache, "ALICE", SECOND, START), 0);
        assert_int_equal(find(&cache, "ali", SECOND, START), 0);
        assert_int_equal(cache.count, ELEMENTS(names));
        cache_clear(&cache);
        assert_int_equal(cache.count, 0);
        assert_int_equal(find(&cache, "alice", SECOND, START), 0);
}

/* How old an answer of each status may be, for an asker's ttl. */
static void test_age(void **state)
{
        static const struct {
                enum answer_status status;
                uint64_t ttl, age;
                bool is_found;
        } cases[] = {
                {ANSWER_FOUND, 0, 0, false},
                {ANSWER_FOUND, 1, 0, true},
                {ANSWER_FOUND, 1, 1, false},
                {ANSWER_FOUND, 30 * SECOND, 30 * SECOND - 1, true},
                {ANSWER_FOUND, 30 * SECOND, 30 * SECOND, false},
                {ANSWER_FOUND, UINT64_MAX, 1000000 * SECOND, true},
                {ANSWER_UNKNOWN, 0, 0, false},
                {ANSWER_UNKNOWN, 5 * SECOND, 5 * SECOND - 1, true},
                {ANSWER_UNKNOWN, 5 * SECOND, 5 * SECOND, false},
                {ANSWER_UNKNOWN, 30 * SECOND, 10 * SECOND - 1, true},
                {ANSWER_UNKNOWN, 30 * SECOND, 10 * SECOND, false},
                {ANSWER_UNKNOWN, UINT64_MAX, 10 * SECOND, false},
                {ANSWER_UNAVAILABLE, 0, 0, false},
                {ANSWER_UNAVAILABLE, SECOND, SECOND - 1, true},
                {ANSWER_UNAVAILABLE, SECOND, SECOND, false},
                {ANSWER_UNAVAILABLE, 30 * SECOND, 2 * SECOND - 1, true},
                {ANSWER_UNAVAILABLE, 30 * SECOND, 2 * SECOND, false},
                {ANSWER_UNAVAILABLE, UINT64_MAX, 2 * SECOND, false},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct cache cache;

                cache_init(&cache);
                store(&cache, "alice", cases[i].status, 1000, START);
                if (find(&cache, "alice", cases[i].ttl, START + cases[i].age) != (cases[i].is_found ? 1000U : 0U))
                        fail_msg("case %zu", i);
                cache_clear(&cache);
        }
}

/* One asker's short ttl takes nothing from another. */
static void test_ttl_is_the_askers(void **state)
{
        struct cache cache;

        (void)state;
        cache_init(&cache);
        store(&cache, "alice", ANSWER_FOUND, 1000, START);
        assert_int_equal(find(&cache, "alice", SECOND, START + 5 * SECOND), 0);
        assert_int_equal(find(&cache, "alice", 30 * SECOND, START + 5 * SECOND), 1000);
        cache_clear(&cache);
}

/* The newer answer counts, with its own age and status, and there is one. */
static void test_replaced(void **state)
{
        struct cache cache;

        (void)state;
        cache_init(&cache);
        store(&cache, "alice", ANSWER_FOUND, 1000, START);
        store(&cache, "alice", ANSWER_FOUND, 2000, START + 8 * SECOND);
        assert_int_equal(cache.count, 1);
        assert_int_equal(find(&cache, "alice", 10 * SECOND, START + 17 * SECOND), 2000);
        store(&cache, "alice", ANSWER_UNKNOWN, 3000, START + 20 * SECOND);
        assert_int_equal(find(&cache, "alice", 30 * SECOND, START + 21 * SECOND), 3000);
        assert_int_equal(find(&cache, "alice", 30 * SECOND, START + 30 * SECOND), 0);
        assert_int_equal(cache.count, 1);
        cache_clear(&cache);
}

/* When it is full the oldest goes, and one that was renewed is not the oldest. */
static void test_bounded(void **state)
{
        struct cache cache;
        char name[32];

        (void)state;
        cache_init(&cache);
        for (uint32_t i = 1; i <= CACHE_ENTRIES_MAX; i++) {
                snprintf(name, sizeof(name), "user-%u", i);
                store(&cache, name, ANSWER_FOUND, i, START + i);
        }
        assert_int_equal(cache.count, CACHE_ENTRIES_MAX);
        assert_int_equal(find(&cache, "user-1", UINT64_MAX, 2 * START), 1);
        /* A full cache renews without losing another. */
        store(&cache, "user-1", ANSWER_FOUND, 1, START + CACHE_ENTRIES_MAX + 1);
        assert_int_equal(find(&cache, "user-2", UINT64_MAX, 2 * START), 2);
        store(&cache, "more-1", ANSWER_FOUND, 90001, START + CACHE_ENTRIES_MAX + 2);
        store(&cache, "more-2", ANSWER_FOUND, 90002, START + CACHE_ENTRIES_MAX + 3);
        assert_int_equal(cache.count, CACHE_ENTRIES_MAX);
        assert_int_equal(find(&cache, "user-1", UINT64_MAX, 2 * START), 1);
        assert_int_equal(find(&cache, "user-2", UINT64_MAX, 2 * START), 0);
        assert_int_equal(find(&cache, "user-3", UINT64_MAX, 2 * START), 0);
        for (uint32_t i = 4; i <= CACHE_ENTRIES_MAX; i++) {
                snprintf(name, sizeof(name), "user-%u", i);
                assert_int_equal(find(&cache, name, UINT64_MAX, 2 * START), i);
        }
        assert_int_equal(find(&cache, "more-1", UINT64_MAX, 2 * START), 90001);
        assert_int_equal(find(&cache, "more-2", UINT64_MAX, 2 * START), 90002);
        cache_clear(&cache);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty),
                cmocka_unit_test(test_copy),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_age),
                cmocka_unit_test(test_ttl_is_the_askers),
                cmocka_unit_test(test_replaced),
                cmocka_unit_test(test_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
