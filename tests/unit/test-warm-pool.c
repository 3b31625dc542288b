/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/warm-pool.c common/identity.c */

/* Which application zygotes are started, used and retired: common/warm-pool.h. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "common/warm-pool.h"
#include "common/warm.h"

enum { SECOND = 1000000, EXITED = 0 };

static struct warm_sightings sightings;
static const struct identity alice = {.uid = 30010, .gid = 30010}, bob = {.uid = 30011, .gid = 30011};

/* A pool of `n` serving members of alice's, each with 10 bytes. */
static void fill(struct warm_pool *pool, struct warm_member *members, size_t n)
{
        TAILQ_INIT(pool);
        for (size_t i = 0; i < n; i++) {
                members[i] = (struct warm_member){
                        .state = WARM_SERVING, .service = pool, .identity = &alice, .key = 1, .memory = 10};
                TAILQ_INSERT_TAIL(pool, &members[i], link);
        }
}

static void an_identity_is_worth_one_when_it_comes_again(void **state)
{
        uint64_t key = warm_key("wiki", &alice, 0);

        (void)state;
        memset(&sightings, 0, sizeof(sightings));
        assert_false(warm_sighted(&sightings, key, 1 * SECOND));
        assert_true(warm_sighted(&sightings, key, 2 * SECOND));
        assert_false(warm_sighted(&sightings, key, 2 * SECOND + WARM_AGAIN_USEC));
        assert_true(warm_sighted(&sightings, key, 3 * SECOND + WARM_AGAIN_USEC));
}

static void ten_thousand_identities_in_turn_start_nothing(void **state)
{
        (void)state;
        memset(&sightings, 0, sizeof(sightings));
        for (uint64_t round = 0; round < 3; round++)
                for (uint32_t uid = 100000; uid < 110000; uid++) {
                        const struct identity identity = {.uid = uid, .gid = uid};

                        assert_false(warm_sighted(&sightings, warm_key("wiki", &identity, 0), SECOND));
                }
}

static void what_a_child_inherits_is_in_the_key(void **state)
{
        const uint64_t key = warm_key("wiki", &alice, 0);
        struct identity other = alice;

        (void)state;
        assert_int_equal(warm_key("wiki", &alice, 0), key);
        assert_int_not_equal(warm_key("wike", &alice, 0), key);
        assert_int_not_equal(warm_key("wiki", &alice, 1), key);
        assert_int_not_equal(warm_key("wiki", &bob, 0), key);
        other.n_groups = 1;
        other.groups[0] = 30012;
        assert_int_not_equal(warm_key("wiki", &other, 0), key);
        other = alice;
        strcpy(other.context, "a:b:c:s0");
        assert_int_not_equal(warm_key("wiki", &other, 0), key);
}

static void failures_make_it_wait_longer_each_time(void **state)
{
        uint64_t key = warm_key("wiki", &alice, 0), now = SECOND, pause = 0, before = 0;

        (void)state;
        memset(&sightings, 0, sizeof(sightings));
        warm_sighted(&sightings, key, now);
        for (int i = 0; i < 12; i++) {
                pause = warm_failed(&sightings, key, now);
                assert_true(pause == before * 2 || pause == WARM_BACKOFF_USEC || pause == WARM_BACKOFF_MAX_USEC);
                assert_false(warm_sighted(&sightings, key, now + pause - 1));
                assert_true(warm_sighted(&sightings, key, now + pause) || pause > WARM_AGAIN_USEC);
                now += pause;
                before = pause;
        }
        assert_int_equal(pause, WARM_BACKOFF_MAX_USEC);
        warm_succeeded(&sightings, key);
        assert_int_equal(warm_failed(&sightings, key, now), WARM_BACKOFF_USEC);
}

/* With two to spare. */
static unsigned slots_wanted(unsigned requests, unsigned active, unsigned max_connections, uint64_t descriptors)
{
        const struct warm_member member = {.n_requests = requests, .n_active = active};
        const struct index_service service = {
                .warm_spare = 2, .max_connections = max_connections, .limits[RLIMIT_NOFILE] = descriptors};

        return warm_slots_wanted(&member, &service);
}

static void slots_are_what_runs_and_what_is_to_spare(void **state)
{
        (void)state;
        assert_int_equal(slots_wanted(0, 0, 64, 4096), 2);
        assert_int_equal(slots_wanted(8, 8, 64, 4096), 10);
        assert_int_equal(slots_wanted(64, 64, 64, 4096), 66);
        assert_int_equal(slots_wanted(100, 100, 64, 4096), 66);
        assert_true(slots_wanted(1000, 1000, 1000, 4096) < WARM_SLOTS_MAX);
        assert_true(slots_wanted(1000, 1000, 1000, UINT64_MAX) > WARM_SLOTS_MAX / 2);
}

/* Whoever serves, and whoever goes on after a response, is within WarmChildrenMax=. */
static void there_are_no_more_children_than_allowed(void **state)
{
        const struct index_service service = {
                .warm_spare = 2, .warm_children_max = 3, .max_connections = 64, .limits[RLIMIT_NOFILE] = 4096};

        (void)state;
        assert_int_equal(warm_slots_wanted(&(struct warm_member){0}, &service), 2);
        assert_int_equal(warm_slots_wanted(&(struct warm_member){.n_requests = 1, .n_active = 1}, &service), 3);
        assert_int_equal(warm_slots_wanted(&(struct warm_member){.n_requests = 50, .n_active = 50}, &service), 3);
        assert_int_equal(warm_slots_wanted(&(struct warm_member){.n_requests = 50, .n_active = 1}, &service), 3);
}

static void who_goes_on_after_the_response_takes_no_slot_from_who_waits(void **state)
{
        (void)state;
        assert_int_equal(slots_wanted(2, 1, 64, 4096), 4);
        assert_int_equal(slots_wanted(9, 1, 64, 4096), 11);
        /* but not any number of them */
        assert_int_equal(slots_wanted(100, 1, 64, 4096), 3 + WARM_LINGERING_MAX);
        assert_int_equal(slots_wanted(100, 60, 64, 4096), 66);
}

/* Two descriptors each, in the upper half. */
static void a_zygote_has_descriptors_for_its_slots(void **state)
{
        (void)state;
        for (uint64_t descriptors = 16; descriptors < 3000; descriptors += 7) {
                unsigned slots = slots_wanted(500, 500, 500, descriptors);

                assert_true(slots == 1 || 2 * slots + 8 <= descriptors / 2);
        }
        assert_int_equal(slots_wanted(500, 500, 500, 0), 1);
}

static void the_best_of_an_identity_serves_it(void **state)
{
        struct warm_member members[4];
        struct warm_pool pool;

        (void)state;
        fill(&pool, members, 4);
        members[0].state = WARM_STARTING;
        members[1].state = WARM_OUTDATED;
        members[2].state = WARM_SERVING;
        members[3].state = WARM_RETIRING;
        assert_ptr_equal(warm_pool_find(&pool, &pool, &alice, 1), &members[2]);
        members[2].state = WARM_RETIRING;
        assert_ptr_equal(warm_pool_find(&pool, &pool, &alice, 1), &members[1]);
        assert_true(warm_serves(&members[1]));
        members[1].state = WARM_RETIRING;
        assert_ptr_equal(warm_pool_find(&pool, &pool, &alice, 1), &members[0]);
        assert_false(warm_serves(&members[0]));
        members[0].state = WARM_RETIRING;
        assert_null(warm_pool_find(&pool, &pool, &alice, 1));
        assert_false(warm_serves(NULL));
}

static void a_key_alone_is_nobody(void **state)
{
        struct warm_member members[1];
        struct warm_pool pool;

        (void)state;
        fill(&pool, members, 1);
        assert_null(warm_pool_find(&pool, &pool, &bob, 1)); /* two identities may have one key */
        assert_null(warm_pool_find(&pool, members, &alice, 1));
        assert_null(warm_pool_find(&pool, &pool, &alice, 2));
}

static void the_one_that_was_not_used_goes_for_memory(void **state)
{
        struct warm_member members[3];
        struct warm_pool pool;

        (void)state;
        fill(&pool, members, 3);
        warm_pool_use(&pool, &members[0], 5);
        assert_null(warm_pool_too_large(&pool, 30));
        assert_ptr_equal(warm_pool_too_large(&pool, 29), &members[1]);
        members[1].n_requests = 1;
        assert_ptr_equal(warm_pool_too_large(&pool, 29), &members[2]);
        members[2].state = WARM_RETIRING; /* its memory counts no more */
        assert_null(warm_pool_too_large(&pool, 20));
        assert_ptr_equal(warm_pool_too_large(&pool, 19), &members[0]);
        members[0].n_requests = 1;
        assert_null(warm_pool_too_large(&pool, 0));
}

static void there_is_room_for_so_many(void **state)
{
        static struct warm_member members[WARM_MEMBERS_MAX];
        struct warm_member *victim;
        struct warm_pool pool;

        (void)state;
        fill(&pool, members, WARM_MEMBERS_MAX - 1);
        assert_true(warm_pool_room(&pool, &victim));
        assert_null(victim);
        fill(&pool, members, WARM_MEMBERS_MAX);
        warm_pool_use(&pool, &members[0], 5);
        assert_true(warm_pool_room(&pool, &victim));
        assert_ptr_equal(victim, &members[1]);
        for (size_t i = 0; i < WARM_MEMBERS_MAX; i++)
                members[i].n_requests = 1;
        assert_false(warm_pool_room(&pool, &victim));
        fill(&pool, members, 3);
        members[0].state = members[1].state = WARM_STARTING;
        assert_false(warm_pool_room(&pool, &victim));
}

static void an_heir_takes_over_from_the_outdated(void **state)
{
        struct warm_member members[3];
        struct warm_pool pool;

        (void)state;
        fill(&pool, members, 3);
        members[0].state = members[1].state = WARM_OUTDATED;
        members[0].key = 2;
        assert_ptr_equal(warm_pool_stale(&pool, &members[2]), &members[1]);
        members[1].state = WARM_RETIRING;
        assert_null(warm_pool_stale(&pool, &members[2]));
}

static void who_has_only_an_outdated_one_wants_another(void **state)
{
        struct warm_member members[3];
        struct warm_pool pool;

        (void)state;
        fill(&pool, members, 3);
        assert_true(warm_pool_wants(&pool, NULL));
        assert_false(warm_pool_wants(&pool, &members[0]));
        members[0].state = WARM_OUTDATED;
        assert_true(warm_pool_wants(&pool, &members[0]));
        members[1].state = WARM_STARTING;
        assert_false(warm_pool_wants(&pool, &members[0]));
        members[1].key = 2; /* another's */
        assert_true(warm_pool_wants(&pool, &members[0]));
}

static void crashes_in_a_row_renew_it(void **state)
{
        struct warm_member member = {0};

        (void)state;
        for (int i = 1; i < WARM_CRASHES_MAX; i++)
                assert_false(warm_child_ended(&member, SIGSEGV));
        assert_false(warm_child_ended(&member, EXITED));
        for (int i = 1; i < WARM_CRASHES_MAX; i++) {
                assert_false(warm_child_ended(&member, SIGSEGV));
                assert_false(warm_child_ended(&member, SIGKILL));
        }
        assert_true(warm_child_ended(&member, SIGSEGV));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_identity_is_worth_one_when_it_comes_again),
                cmocka_unit_test(ten_thousand_identities_in_turn_start_nothing),
                cmocka_unit_test(what_a_child_inherits_is_in_the_key),
                cmocka_unit_test(failures_make_it_wait_longer_each_time),
                cmocka_unit_test(slots_are_what_runs_and_what_is_to_spare),
                cmocka_unit_test(there_are_no_more_children_than_allowed),
                cmocka_unit_test(who_goes_on_after_the_response_takes_no_slot_from_who_waits),
                cmocka_unit_test(a_zygote_has_descriptors_for_its_slots),
                cmocka_unit_test(the_best_of_an_identity_serves_it),
                cmocka_unit_test(a_key_alone_is_nobody),
                cmocka_unit_test(the_one_that_was_not_used_goes_for_memory),
                cmocka_unit_test(there_is_room_for_so_many),
                cmocka_unit_test(an_heir_takes_over_from_the_outdated),
                cmocka_unit_test(who_has_only_an_outdated_one_wants_another),
                cmocka_unit_test(crashes_in_a_row_renew_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
