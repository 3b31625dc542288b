/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/spawn.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/spawn.h"

static struct spawn_request valid_request(uint32_t flags)
{
        static const struct identity identity = {.uid = 30010, .gid = 30010};
        struct spawn_request request;

        spawn_init(&request, &identity, 0);
        request.flags = flags;
        strcpy(request.script, "/srv/a.cgi");
        return request;
}

/* As many descriptors as the flags say; an application zygote brings two, and no command. */
static void test_descriptors(void **state)
{
        static const struct {
                uint32_t flags;
                size_t n_fds;
        } cases[] = {
                {0, 5},
                {SPAWN_CGROUP, 6},
                {SPAWN_TEMPORARY, 6},
                {SPAWN_COMMAND, 6},
                {SPAWN_CGROUP | SPAWN_TEMPORARY | SPAWN_COMMAND, 8},
                {SPAWN_WARM, 7},
                {SPAWN_WARM | SPAWN_CGROUP, 8},
                {SPAWN_WARM | SPAWN_CGROUP | SPAWN_TEMPORARY, 9},
                {SPAWN_WARM | SPAWN_COMMAND, SIZE_MAX},
                {SPAWN_CGROUP | SPAWN_NAMESPACE, 7},
                {SPAWN_CGROUP | SPAWN_KEEP, 6},
                {SPAWN_CGROUP | SPAWN_TEMPORARY | SPAWN_NAMESPACE, 8},
                {SPAWN_NAMESPACE, SIZE_MAX},
                {SPAWN_KEEP, SIZE_MAX},
                {SPAWN_CGROUP | SPAWN_NAMESPACE | SPAWN_KEEP, SIZE_MAX},
                {SPAWN_CGROUP | SPAWN_NAMESPACE | SPAWN_WARM, SIZE_MAX},
                {SPAWN_CGROUP | SPAWN_KEEP | SPAWN_WARM, SIZE_MAX},
                {SPAWN_KEEP << 1, SIZE_MAX},
                {UINT32_MAX, SIZE_MAX},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const struct spawn_request request = valid_request(cases[i].flags);

                for (size_t n = 0; n <= SPAWN_FDS_MAX + 1; n++)
                        if (spawn_check_request(&request, spawn_size(&request), n) !=
                                (n == cases[i].n_fds ? 0 : -EBADMSG))
                                fail_msg("case %zu, %zu descriptors", i, n);
        }
}

static void test_request(void **state)
{
        struct spawn_request request = valid_request(0);
        const size_t size = spawn_size(&request);

        (void)state;
        assert_int_equal(spawn_check_request(&request, size, SPAWN_FDS), 0);
        assert_int_equal(spawn_check_request(&request, size - 1, SPAWN_FDS), -EBADMSG);
        assert_int_equal(spawn_check_request(&request, sizeof(request) + 1, SPAWN_FDS), -EBADMSG);
        assert_int_equal(spawn_check_request(&request, 0, SPAWN_FDS), -EBADMSG);
        memset(request.script, 's', sizeof(request.script));
        assert_int_equal(spawn_check_request(&request, sizeof(request), SPAWN_FDS), -EBADMSG);
        request = valid_request(0);
        request.n_groups = INDEX_GROUPS_MAX + 1;
        assert_int_equal(spawn_check_request(&request, size, SPAWN_FDS), -EBADMSG);
        request = valid_request(0);
        memset(request.context, 'c', sizeof(request.context));
        assert_int_equal(spawn_check_request(&request, size, SPAWN_FDS), -EBADMSG);
        request = valid_request(0);
        request.magic++;
        assert_int_equal(spawn_check_request(&request, size, SPAWN_FDS), -EBADMSG);
}

static void test_sorting(void **state)
{
        static const uint32_t flags[] = {0, SPAWN_CGROUP, SPAWN_TEMPORARY, SPAWN_COMMAND, SPAWN_WARM,
                SPAWN_CGROUP | SPAWN_NAMESPACE, SPAWN_CGROUP | SPAWN_KEEP, SPAWN_CGROUP | SPAWN_TEMPORARY | SPAWN_WARM,
                SPAWN_CGROUP | SPAWN_TEMPORARY | SPAWN_COMMAND | SPAWN_NAMESPACE};
        int all[SPAWN_FDS_MAX];

        (void)state;
        for (int i = 0; i < SPAWN_FDS_MAX; i++)
                all[i] = 100 + i;
        for (size_t i = 0; i < ELEMENTS(flags); i++) {
                int next = 100 + SPAWN_FDS;
                struct spawn_fds fds;

                spawn_sort_fds(flags[i], all, &fds);
                assert_memory_equal(fds.always, all, sizeof(fds.always));
                assert_int_equal(fds.cgroup, flags[i] & SPAWN_CGROUP ? next++ : -1);
                assert_int_equal(fds.temporary, flags[i] & SPAWN_TEMPORARY ? next++ : -1);
                assert_int_equal(fds.command, flags[i] & SPAWN_COMMAND ? next++ : -1);
                assert_int_equal(fds.warm[0], flags[i] & SPAWN_WARM ? next++ : -1);
                assert_int_equal(fds.warm[1], flags[i] & SPAWN_WARM ? next++ : -1);
                assert_int_equal(fds.keeper, flags[i] & SPAWN_NAMESPACE ? next++ : -1);
        }
}

static void test_reply(void **state)
{
        static const struct {
                uint32_t step, keeper;
                uint64_t number;
                size_t n_fds;
        } cases[] = {
                {STEP_NONE, 0, 1, 1},
                {STEP_NONE, 1, 1, 2},
                {STEP_CLONE, 0, 1, 0},
                {STEP_CLONE, 1, 1, 1},
                {STEP_NONE, 0, 0, 0}, /* ready */
                {STEP_NONE, 1, 0, SIZE_MAX},
                {STEPS, 0, 1, SIZE_MAX},
                {STEP_NONE, 2, 1, SIZE_MAX},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct spawn_reply reply = {.magic = SPAWN_MAGIC,
                        .step = cases[i].step,
                        .number = cases[i].number,
                        .keeper = cases[i].keeper};

                for (size_t n = 0; n <= SPAWN_REPLY_FDS_MAX + 1; n++)
                        if (spawn_check_reply(&reply, sizeof(reply), n) != (n == cases[i].n_fds ? 0 : -EBADMSG))
                                fail_msg("case %zu, %zu descriptors", i, n);
                reply.magic++;
                assert_int_equal(spawn_check_reply(&reply, sizeof(reply), cases[i].n_fds), -EBADMSG);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_descriptors),
                cmocka_unit_test(test_request),
                cmocka_unit_test(test_sorting),
                cmocka_unit_test(test_reply),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
