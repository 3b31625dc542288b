/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/packet.c */
#include "common/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 300, QUEUE = 1 << 18 };

struct pair {
        int ours[PACKET_ENDS], theirs[PACKET_ENDS];
};

static int set_up(void **state)
{
        static struct pair pair;

        *state = &pair;
        signal(SIGPIPE, SIG_IGN);
        return packet_pipes(pair.ours, pair.theirs, QUEUE);
}

static int tear_down(void **state)
{
        struct pair *pair = *state;

        for (int i = 0; i < PACKET_ENDS; i++) {
                close(pair->ours[i]);
                close(pair->theirs[i]);
        }
        return 0;
}

static void test_pipes(void **state)
{
        struct pair *pair = *state;

        for (int i = 0; i < PACKET_ENDS; i++) {
                int mode = i == PACKET_IN ? O_RDONLY : O_WRONLY;

                assert_int_equal(fcntl(pair->ours[i], F_GETFL) & (O_ACCMODE | O_NONBLOCK), mode | O_NONBLOCK);
                assert_int_equal(fcntl(pair->theirs[i], F_GETFL) & (O_ACCMODE | O_NONBLOCK), mode);
                assert_int_equal(fcntl(pair->ours[i], F_GETFD), FD_CLOEXEC);
                assert_int_equal(fcntl(pair->theirs[i], F_GETFD), FD_CLOEXEC);
        }
        assert_int_equal(fcntl(pair->ours[PACKET_OUT], F_GETPIPE_SZ), QUEUE);
}

static void test_there_and_back(void **state)
{
        struct pair *pair = *state;
        char packet[SIZE], received[SIZE];

        memset(packet, 'a', SIZE);
        assert_int_equal(packet_write(pair->ours[PACKET_OUT], packet, SIZE), 0);
        assert_int_equal(packet_read(pair->theirs[PACKET_IN], received, SIZE), SIZE);
        assert_memory_equal(packet, received, SIZE);
        memset(packet, 'b', SIZE);
        assert_int_equal(packet_write(pair->theirs[PACKET_OUT], packet, SIZE), 0);
        assert_int_equal(packet_read(pair->ours[PACKET_IN], received, SIZE), SIZE);
        assert_memory_equal(packet, received, SIZE);
        assert_int_equal(packet_read(pair->ours[PACKET_IN], received, SIZE), -EAGAIN);
}

/* As many as there is room for are whole and in order, and what finds none is not there in part. */
static void test_full(void **state)
{
        struct pair *pair = *state;
        uint32_t packet[SIZE / sizeof(uint32_t)] = {0}, n = 0;
        int r;

        while ((r = packet_write(pair->ours[PACKET_OUT], packet, sizeof(packet))) == 0)
                packet[0] = ++n;
        assert_int_equal(r, -EAGAIN);
        assert_true(n > QUEUE / SIZE * 9 / 10);
        for (uint32_t i = 0; i < n; i++) {
                assert_int_equal(packet_read(pair->theirs[PACKET_IN], packet, sizeof(packet)), sizeof(packet));
                assert_int_equal(packet[0], i);
        }
        fcntl(pair->theirs[PACKET_IN], F_SETFL, O_NONBLOCK);
        assert_int_equal(packet_read(pair->theirs[PACKET_IN], packet, sizeof(packet)), -EAGAIN);
}

static void test_part_and_end(void **state)
{
        struct pair *pair = *state;
        char packet[SIZE] = {0};

        assert_int_equal(packet_write(pair->theirs[PACKET_OUT], packet, SIZE / 2), 0);
        pair->theirs[PACKET_OUT] = (close(pair->theirs[PACKET_OUT]), -1);
        assert_int_equal(packet_read(pair->ours[PACKET_IN], packet, SIZE), SIZE / 2);
        assert_int_equal(packet_read(pair->ours[PACKET_IN], packet, SIZE), 0);
        pair->theirs[PACKET_IN] = (close(pair->theirs[PACKET_IN]), -1);
        assert_int_equal(packet_write(pair->ours[PACKET_OUT], packet, SIZE), -EPIPE);
        assert_int_equal(packet_read(-1, packet, SIZE), -EBADF);
}

/* Where there are too few descriptors for both pipes, none is left open. */
static void test_no_descriptors(void **state)
{
        int ours[PACKET_ENDS] = {77, 77}, theirs[PACKET_ENDS] = {77, 77}, next = dup(0);
        struct rlimit old, few;

        (void)state;
        close(next);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
        few = (struct rlimit){(rlim_t)next + 3, old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        assert_int_equal(packet_pipes(ours, theirs, QUEUE), -EMFILE);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
        for (int i = 0; i < PACKET_ENDS; i++)
                assert_true(ours[i] == 77 && theirs[i] == 77);
        assert_int_equal(dup(0), next);
        close(next);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_pipes),
                TEST(test_there_and_back),
                TEST(test_full),
                TEST(test_part_and_end),
                TEST(test_no_descriptors),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
