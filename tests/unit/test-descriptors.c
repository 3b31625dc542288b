/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/descriptors.c */

/*
 * Packets with descriptors over a real socket pair. Whatever a peer sends, the number of our open descriptors
 * afterwards is the one before, and those that were handed over.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/descriptors.h"

enum {
        SENT_MAX = 253, /* SCM_MAX_FD of the kernel */
        LINGER_SECONDS = 20,
};

struct pair {
        int ours, theirs;
        int fds[SENT_MAX]; /* all the same open file */
        unsigned n_open;
};

static unsigned count_open(void)
{
        DIR *directory = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(directory);
        while (readdir(directory))
                n++;
        closedir(directory);
        return n;
}

static int set_up(void **state)
{
        static struct pair pair;
        int fds[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);

        assert_true(null >= 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
        pair.ours = fds[0];
        pair.theirs = fds[1];
        for (size_t i = 0; i < SENT_MAX; i++)
                pair.fds[i] = null;
        pair.n_open = count_open();
        *state = &pair;
        return 0;
}

static int tear_down(void **state)
{
        struct pair *pair = *state;

        close_fd(pair->ours);
        close_fd(pair->theirs);
        close_fd(pair->fds[0]);
        return 0;
}

/* What a hostile peer does: any number of descriptors, in one control message or two. */
static void send_raw(struct pair *pair, size_t size, size_t first, size_t second)
{
        static char data[4096];
        static _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * SENT_MAX) * 2];
        struct iovec iov = {.iov_base = data, .iov_len = size};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
        struct cmsghdr *header = (struct cmsghdr *)(void *)control;

        memset(control, 0, sizeof(control));
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * first);
        memcpy(CMSG_DATA(header), pair->fds, sizeof(int) * first);
        message.msg_controllen = CMSG_SPACE(sizeof(int) * first);
        if (second > 0) {
                header = (struct cmsghdr *)(void *)(control + CMSG_SPACE(sizeof(int) * first));
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(sizeof(int) * second);
                memcpy(CMSG_DATA(header), pair->fds, sizeof(int) * second);
                message.msg_controllen += CMSG_SPACE(sizeof(int) * second);
        }
        assert_int_equal(sendmsg(pair->theirs, &message, MSG_NOSIGNAL), size);
}

/* The next packet is dropped: -EBADMSG, nothing given out, nothing left open. */
static void assert_dropped(struct pair *pair, size_t size, size_t max_fds)
{
        char data[4096];
        int fds[DESCRIPTORS_MAX];
        size_t n_fds = 77;

        for (size_t i = 0; i < DESCRIPTORS_MAX; i++)
                fds[i] = -77;
        assert_int_equal(descriptors_receive(pair->ours, data, size, fds, max_fds, &n_fds, 0), -EBADMSG);
        assert_int_equal(n_fds, 77);
        for (size_t i = 0; i < DESCRIPTORS_MAX; i++)
                assert_int_equal(fds[i], -77);
        assert_int_equal(count_open(), pair->n_open);
}

static void test_round_trip(void **state)
{
        struct pair *pair = *state;

        for (size_t n = 0; n <= DESCRIPTORS_MAX; n++) {
                char data[8];
                int fds[DESCRIPTORS_MAX];
                size_t n_fds = 77;
                struct stat sent, received;

                assert_int_equal(descriptors_send(pair->theirs, "packet", 6, pair->fds, n), 0);
                assert_int_equal(descriptors_receive(pair->ours, data, sizeof(data), fds, n, &n_fds, 0), 6);
                assert_memory_equal(data, "packet", 6);
                assert_int_equal(n_fds, n);
                assert_int_equal(count_open(), pair->n_open + n);
                for (size_t i = 0; i < n; i++) {
                        assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
                        assert_int_equal(fstat(pair->fds[0], &sent), 0);
                        assert_int_equal(fstat(fds[i], &received), 0);
                        assert_true(sent.st_rdev == received.st_rdev);
                }
                descriptors_close(fds, n_fds);
                for (size_t i = 0; i < n; i++)
                        assert_int_equal(fds[i], -1);
                assert_int_equal(count_open(), pair->n_open);
        }
}

static void test_send_too_many(void **state)
{
        struct pair *pair = *state;
        char data[8];
        int fds[1];
        size_t n_fds;

        assert_int_equal(descriptors_send(pair->theirs, "packet", 6, pair->fds, DESCRIPTORS_MAX + 1), -EINVAL);
        assert_int_equal(descriptors_receive(pair->ours, data, sizeof(data), fds, 1, &n_fds, MSG_DONTWAIT), -EAGAIN);
}

static void test_more_than_wanted(void **state)
{
        for (size_t n = 1; n <= DESCRIPTORS_MAX; n++) {
                assert_int_equal(
                        descriptors_send(((struct pair *)*state)->theirs, "p", 1, ((struct pair *)*state)->fds, n), 0);
                assert_dropped(*state, 8, n - 1);
        }
}

static void test_more_than_ever(void **state)
{
        for (size_t n = DESCRIPTORS_MAX + 1; n <= SENT_MAX; n++) {
                send_raw(*state, 8, n, 0);
                assert_dropped(*state, 8, DESCRIPTORS_MAX);
        }
}

static void test_two_messages(void **state)
{
        for (size_t n = 1; n < 32; n++) {
                send_raw(*state, 8, n, DESCRIPTORS_MAX);
                assert_dropped(*state, 8, DESCRIPTORS_MAX);
        }
}

static void test_truncated(void **state)
{
        for (size_t n = 1; n <= DESCRIPTORS_MAX + 4; n++) {
                send_raw(*state, 9, n, 0);
                assert_dropped(*state, 8, DESCRIPTORS_MAX);
                send_raw(*state, 4096, n, 0);
                assert_dropped(*state, 8, DESCRIPTORS_MAX);
        }
        assert_int_equal(descriptors_send(((struct pair *)*state)->theirs, "123456789", 9, NULL, 0), 0);
        assert_dropped(*state, 8, DESCRIPTORS_MAX);
}

/* unix(7): with SO_PASSCRED the kernel adds SCM_CREDENTIALS before the descriptors. */
static void test_other_message(void **state)
{
        struct pair *pair = *state;
        const int on = 1;

        assert_int_equal(setsockopt(pair->ours, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
        assert_int_equal(descriptors_send(pair->theirs, "p", 1, NULL, 0), 0);
        assert_dropped(pair, 8, DESCRIPTORS_MAX);
        for (size_t n = 1; n <= DESCRIPTORS_MAX; n++) {
                assert_int_equal(descriptors_send(pair->theirs, "p", 1, pair->fds, n), 0);
                assert_dropped(pair, 8, DESCRIPTORS_MAX);
        }
        send_raw(pair, 8, 40, 0);
        assert_dropped(pair, 8, DESCRIPTORS_MAX);
}

/* 0 means that the peer closed: a packet without bytes must not bring descriptors that no caller looks for. */
static void test_empty_packet(void **state)
{
        struct pair *pair = *state;

        send_raw(pair, 0, 3, 0);
        assert_dropped(pair, 8, DESCRIPTORS_MAX);
        send_raw(pair, 0, 20, 0);
        assert_dropped(pair, 8, DESCRIPTORS_MAX);
}

static void test_peer_closed(void **state)
{
        struct pair *pair = *state;
        char data[8];
        int fds[DESCRIPTORS_MAX];
        size_t n_fds = 77;

        assert_int_equal(descriptors_send(pair->theirs, "last", 4, pair->fds, 2), 0);
        pair->theirs = close_fd(pair->theirs);
        assert_int_equal(descriptors_receive(pair->ours, data, sizeof(data), fds, 2, &n_fds, 0), 4);
        assert_int_equal(n_fds, 2);
        descriptors_close(fds, n_fds);
        assert_int_equal(descriptors_receive(pair->ours, data, sizeof(data), fds, 2, &n_fds, 0), 0);
        assert_int_equal(n_fds, 0);
        assert_int_equal(descriptors_send(pair->ours, "x", 1, NULL, 0), -EPIPE);
        assert_int_equal(descriptors_send(pair->ours, "x", 1, pair->fds, 1), -EPIPE);
        assert_int_equal(count_open(), pair->n_open - 1);
}

static void test_never_blocks(void **state)
{
        struct pair *pair = *state;
        char data[8] = {0};
        int fds[1], r = 0;
        size_t n_fds;

        assert_int_equal(descriptors_receive(pair->ours, data, sizeof(data), fds, 1, &n_fds, MSG_DONTWAIT), -EAGAIN);
        for (int i = 0; i < 100000 && r == 0; i++)
                r = descriptors_send(pair->theirs, data, sizeof(data), NULL, 0);
        assert_int_equal(r, -EAGAIN);
}

static void test_wrong_socket(void **state)
{
        struct pair *pair = *state;
        char data[8];
        int fds[1];
        size_t n_fds;

        assert_int_equal(descriptors_send(pair->fds[0], "x", 1, NULL, 0), -ENOTSOCK);
        assert_int_equal(descriptors_send(-1, "x", 1, NULL, 0), -EBADF);
        assert_int_equal(descriptors_receive(-1, data, sizeof(data), fds, 1, &n_fds, 0), -EBADF);
        fds[0] = -1;
        assert_int_equal(descriptors_send(pair->theirs, "x", 1, fds, 1), -EBADF);
}

/* A TCP connection that close(2) would wait for: *ret_other takes nothing of what was sent. */
static int open_lingering(int *ret_other)
{
        const struct linger linger = {.l_onoff = 1, .l_linger = LINGER_SECONDS};
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof(address);
        static char data[65536];
        int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

        assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        *ret_other = accept(listener, NULL, NULL);
        assert_true(*ret_other >= 0);
        close_fd(listener);
        while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
                ;
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
        return fd;
}

/* Behind packets that say nothing, and with a peer that is there or gone, lies one that holds up whoever closes it. */
static void test_hang_up(void **state)
{
        struct pair *pair = *state;
        struct timespec before, after;
        int fds[2], other, lingering;

        for (int peer_stays = 0; peer_stays < 2; peer_stays++) {
                assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
                assert_int_equal(send(fds[1], "", 0, 0), 0);
                assert_int_equal(send(fds[1], "xyz", 3, 0), 3);
                assert_int_equal(send(fds[1], "", 0, 0), 0);
                lingering = open_lingering(&other);
                assert_int_equal(descriptors_send(fds[1], "", 0, &lingering, 1), 0);
                close_fd(lingering);
                if (!peer_stays)
                        fds[1] = close_fd(fds[1]);
                clock_gettime(CLOCK_MONOTONIC, &before);
                assert_int_equal(descriptors_hang_up(fds[0]), -1);
                clock_gettime(CLOCK_MONOTONIC, &after);
                assert_true(after.tv_sec - before.tv_sec < LINGER_SECONDS / 2);
                close_fd(fds[1]);
                close_fd(other);
                assert_int_equal(count_open(), pair->n_open);
        }
        assert_int_equal(descriptors_hang_up(-1), -1);
}

/* What was sent before is still received. */
static void test_hang_up_after_a_packet(void **state)
{
        struct pair *pair = *state;
        char data[8];
        size_t n_fds;

        assert_int_equal(descriptors_send(pair->ours, "last", 4, NULL, 0), 0);
        pair->ours = descriptors_hang_up(pair->ours);
        assert_int_equal(descriptors_receive(pair->theirs, data, sizeof(data), NULL, 0, &n_fds, 0), 4);
        assert_int_equal(descriptors_receive(pair->theirs, data, sizeof(data), NULL, 0, &n_fds, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_round_trip),
                TEST(test_send_too_many),
                TEST(test_more_than_wanted),
                TEST(test_more_than_ever),
                TEST(test_two_messages),
                TEST(test_truncated),
                TEST(test_other_message),
                TEST(test_empty_packet),
                TEST(test_peer_closed),
                TEST(test_never_blocks),
                TEST(test_wrong_socket),
                TEST(test_hang_up),
                TEST(test_hang_up_after_a_packet),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
