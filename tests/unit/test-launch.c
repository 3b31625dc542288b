/* SPDX-License-Identifier: Apache-2.0 */
/* links: fcgi-bridge/launch.c common/descriptors.c common/wire.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/descriptors.h"
#include "fcgi-bridge/launch.h"

/* Returns the broker's end. */
static int start(struct launch *launch)
{
        int ends[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
        *launch = LAUNCH_CLOSED;
        launch->broker = ends[0];
        return ends[1];
}

static void fill_question(struct wire_question *question)
{
        wire_init_question(question);
        question->n_names = 1;
        strcpy(question->names[0], "A");
}

static void test_receive(void **state)
{
        struct wire_question sent_question, question;
        struct wire_result sent_result, result;
        struct launch launch;
        int broker = start(&launch);

        (void)state;
        fill_question(&sent_question);
        wire_init_result(&sent_result, WIRE_NO_RULE, 7);
        assert_int_equal(launch_receive(&launch, &question, &result), LAUNCH_NOTHING);
        assert_int_equal(descriptors_send(broker, &sent_question, sizeof(sent_question), NULL, 0), 0);
        assert_int_equal(descriptors_send(broker, &sent_result, sizeof(sent_result), NULL, 0), 0);
        assert_int_equal(launch_receive(&launch, &question, &result), LAUNCH_QUESTION);
        assert_memory_equal(&question, &sent_question, sizeof(question));
        assert_int_equal(launch_receive(&launch, &question, &result), LAUNCH_RESULT);
        assert_memory_equal(&result, &sent_result, sizeof(result));
        assert_int_equal(launch_receive(&launch, &question, &result), LAUNCH_NOTHING);
        close(broker);
        assert_int_equal(launch_receive(&launch, &question, &result), -ECONNRESET);
        launch_close(&launch);
}

/* What comes is neither, and what the caller has is left as it was. */
static void expect_malformed(const void *packet, size_t size, const int *fds, size_t n_fds)
{
        struct wire_question question, untouched_question;
        struct wire_result result, untouched_result;
        struct launch launch;
        int broker = start(&launch);

        memset(&question, 0x55, sizeof(question));
        memset(&result, 0x55, sizeof(result));
        untouched_question = question;
        untouched_result = result;
        assert_int_equal(descriptors_send(broker, packet, size, fds, n_fds), 0);
        assert_int_equal(launch_receive(&launch, &question, &result), -EBADMSG);
        assert_memory_equal(&question, &untouched_question, sizeof(question));
        assert_memory_equal(&result, &untouched_result, sizeof(result));
        launch_close(&launch);
        close(broker);
}

static void test_receive_malformed(void **state)
{
        union {
                struct wire_question question;
                struct wire_result result;
                char bytes[4096];
        } packet = {0};
        int ends[2];

        (void)state;
        assert_int_equal(pipe(ends), 0);
        fill_question(&packet.question);
        expect_malformed(&packet, 1, NULL, 0);
        expect_malformed(&packet, sizeof(packet.question) - 1, NULL, 0);
        expect_malformed(&packet, sizeof(packet.question) + 1, NULL, 0);
        expect_malformed(&packet, sizeof(packet), NULL, 0);
        expect_malformed(&packet, sizeof(packet.result), NULL, 0);
        expect_malformed(&packet, sizeof(packet.question), ends, 1);
        packet.question.n_names = 2;
        expect_malformed(&packet, sizeof(packet.question), NULL, 0);
        wire_init_result(&packet.result, WIRE_EXITED, 0);
        expect_malformed(&packet, sizeof(packet.question), NULL, 0);
        expect_malformed(&packet, sizeof(packet.result), ends, 2);
        packet.result.outcome = WIRE_OUTCOMES;
        expect_malformed(&packet, sizeof(packet.result), NULL, 0);
        close(ends[0]);
        close(ends[1]);
}

static void test_answer(void **state)
{
        struct wire_variables sent, variables;
        struct launch launch;
        int broker = start(&launch);
        size_t n_fds;

        (void)state;
        wire_init_variables(&sent);
        sent.n_values = 1;
        strcpy(sent.values[0], "alice");
        assert_int_equal(launch_answer(&launch, &sent), 0);
        assert_int_equal(descriptors_receive(broker, &variables, sizeof(variables), NULL, 0, &n_fds, 0), sizeof(sent));
        assert_memory_equal(&variables, &sent, sizeof(sent));
        close(broker);
        launch_close(&launch);
}

/* What the broker said before it closed is not lost by an answer that comes too late. */
static void test_answer_too_late(void **state)
{
        struct wire_result sent, result;
        struct wire_variables variables;
        struct wire_question question;
        struct launch launch;
        int broker = start(&launch);

        (void)state;
        wire_init_result(&sent, WIRE_INVALID, 0);
        wire_init_variables(&variables);
        assert_int_equal(descriptors_send(broker, &sent, sizeof(sent), NULL, 0), 0);
        close(broker);
        assert_int_equal(launch_answer(&launch, &variables), 0);
        assert_int_equal(launch_receive(&launch, &question, &result), LAUNCH_RESULT);
        assert_memory_equal(&result, &sent, sizeof(sent));
        assert_int_equal(launch_receive(&launch, &question, &result), -ECONNRESET);
        launch_close(&launch);
}

/* A broker that reads nothing does not make the bridge wait. */
static void test_answer_full(void **state)
{
        struct wire_variables variables;
        struct launch launch;
        int broker = start(&launch), r = 0;

        (void)state;
        wire_init_variables(&variables);
        for (int i = 0; i < 100000 && r == 0; i++)
                r = launch_answer(&launch, &variables);
        assert_int_equal(r, -EAGAIN);
        close(broker);
        launch_close(&launch);
}

/* A launch socket, and what a broker receives on it. */
struct door {
        struct sockaddr_un address;
        int listener;
};

static struct door open_door(void)
{
        struct door door = {.address.sun_family = AF_UNIX};

        /* Abstract, so that nothing is left: bytes behind the first NUL, and this process's number. */
        snprintf(door.address.sun_path + 1, sizeof(door.address.sun_path) - 1, "test-launch.%d", (int)getpid());
        door.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(door.listener, (struct sockaddr *)&door.address, sizeof(door.address)), 0);
        assert_int_equal(listen(door.listener, 1), 0);
        return door;
}

/* A request and its descriptors; `ret_broker` is the broker's end. */
static size_t accept_launch(struct door *door, struct wire_request *ret_request, int *fds, int *ret_broker)
{
        size_t n_fds = 0;

        *ret_broker = accept(door->listener, NULL, NULL);
        assert_true(*ret_broker >= 0);
        assert_int_equal(descriptors_receive(*ret_broker, ret_request, sizeof(*ret_request), fds, WIRE_FDS, &n_fds, 0),
                sizeof(*ret_request));
        assert_int_equal(wire_check_request(ret_request, sizeof(*ret_request), n_fds), 0);
        close(door->listener);
        return n_fds;
}

static void fill_request(struct wire_request *request, enum wire_kind kind, uint32_t flags)
{
        wire_init_request(request);
        request->kind = kind;
        request->flags = flags;
        memset(request->request_id, 'a', sizeof(request->request_id) - 1);
}

static bool is_blocking(int fd)
{
        return !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static void expect_pipe(int read_end, int write_end)
{
        struct stat st;
        char byte = 0;

        assert_int_equal(fstat(write_end, &st), 0);
        assert_true(S_ISFIFO(st.st_mode));
        assert_int_equal(st.st_mode & 0777, 0666);
        assert_int_equal(write(write_end, "x", 1), 1);
        assert_int_equal(read(read_end, &byte, 1), 1);
        assert_int_equal(byte, 'x');
}

static void test_connection(void **state)
{
        static const char environment[] = "A=1\0B=2";
        struct door door = open_door();
        struct wire_request request, received;
        struct launch launch;
        int fds[WIRE_FDS], broker, front = dup(0);
        char text[64];

        (void)state;
        fill_request(&request, WIRE_CONNECTION, WIRE_NO_BODY);
        assert_int_equal(launch_start(&door.address, &request, environment, sizeof(environment), front, &launch), 0);
        assert_int_equal(accept_launch(&door, &received, fds, &broker), WIRE_CONNECTION_FDS);
        assert_int_equal(launch.kind, WIRE_CONNECTION);
        assert_int_equal(received.flags, WIRE_NO_BODY);
        assert_int_equal(received.environment_size, sizeof(environment));
        expect_pipe(launch.stderr_fd, fds[WIRE_FD_STDERR]);
        assert_true(is_blocking(fds[WIRE_FD_STDERR]) && is_blocking(fds[WIRE_FD_APPLICATION]));
        assert_true(!is_blocking(launch.stderr_fd) && !is_blocking(launch.application_fd));

        /* What the bridge writes, and then the child by its copy, comes in this order. */
        assert_int_equal(write(fds[WIRE_FD_PEER], "params", 6), 6);
        assert_int_equal(read(fds[WIRE_FD_APPLICATION], text, sizeof(text)), sizeof(environment) + 6);
        assert_memory_equal(text, environment, sizeof(environment));
        assert_memory_equal(text + sizeof(environment), "params", 6);
        assert_int_equal(write(fds[WIRE_FD_APPLICATION], "go", 2), 2);
        assert_int_equal(read(launch.application_fd, text, sizeof(text)), 2);

        launch_say_done(&launch);
        launch_close(&launch);
        assert_int_equal(read(broker, text, sizeof(text)), sizeof(struct wire_done));
        assert_int_equal(wire_check_done((const struct wire_done *)text, sizeof(struct wire_done), 0), 0);
        assert_int_equal(read(broker, text, sizeof(text)), 0);
        descriptors_close(fds, WIRE_CONNECTION_FDS);
        close(broker);
        close(front);
}

static void expect_streams(enum wire_kind kind, const char *environment, size_t length)
{
        struct door door = open_door();
        struct wire_request request, received;
        struct launch launch;
        struct stat st;
        int fds[WIRE_FDS], broker, front = dup(0);

        fill_request(&request, kind, kind == WIRE_CONNECTION ? WIRE_NO_BODY : 0);
        assert_int_equal(launch_start(&door.address, &request, environment, length, front, &launch), 0);
        assert_int_equal(accept_launch(&door, &received, fds, &broker), WIRE_FDS);
        assert_int_equal(launch.kind, WIRE_STREAMS);
        assert_int_equal(launch.application_fd, -1);
        assert_int_equal(received.flags, 0);
        assert_true(descriptors_is_sealed(fds[WIRE_FD_ENVIRONMENT], WIRE_ENVIRONMENT_MAX));
        assert_int_equal(fstat(fds[WIRE_FD_ENVIRONMENT], &st), 0);
        assert_int_equal(st.st_size, length);
        expect_pipe(fds[WIRE_FD_STDIN], launch.stdin_fd);
        expect_pipe(launch.stdout_fd, fds[WIRE_FD_STDOUT]);
        expect_pipe(launch.stderr_fd, fds[WIRE_FD_STDERR]);
        for (int i = WIRE_FD_STDERR; i < WIRE_FDS; i++)
                assert_true(i == WIRE_FD_ENVIRONMENT || is_blocking(fds[i]));
        assert_true(!is_blocking(launch.stdout_fd) && !is_blocking(launch.stderr_fd));
        launch_close(&launch);
        descriptors_close(fds, WIRE_FDS);
        close(broker);
        close(front);
}

static void test_streams(void **state)
{
        static char large[WIRE_CONNECTION_ENVIRONMENT_MAX + 1];

        (void)state;
        memset(large, 'x', sizeof(large) - 1);
        expect_streams(WIRE_STREAMS, "A=1", 4);
        expect_streams(WIRE_STREAMS, NULL, 0);
        /* More than a connection is sure to take. */
        expect_streams(WIRE_CONNECTION, large, sizeof(large));
}

static void test_no_broker(void **state)
{
        struct door door = open_door();
        struct wire_request request;
        struct launch launch;

        (void)state;
        close(door.listener);
        fill_request(&request, WIRE_CONNECTION, 0);
        assert_int_equal(launch_start(&door.address, &request, "", 0, 0, &launch), -ECONNREFUSED);
}

/* Of the right form, and each another, also where random bits are fetched anew. */
static void test_ids(void **state)
{
        static char ids[100][WIRE_REQUEST_ID_SIZE];
        struct launch_random random = {.left = 0};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(ids); i++) {
                assert_int_equal(launch_make_id(&random, ids[i]), 0);
                assert_int_equal(strlen(ids[i]), WIRE_REQUEST_ID_SIZE - 1);
                assert_int_equal(strspn(ids[i], "0123456789abcdef"), WIRE_REQUEST_ID_SIZE - 1);
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(ids[i], ids[k]);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_receive),
                cmocka_unit_test(test_receive_malformed),
                cmocka_unit_test(test_answer),
                cmocka_unit_test(test_answer_too_late),
                cmocka_unit_test(test_answer_full),
                cmocka_unit_test(test_connection),
                cmocka_unit_test(test_streams),
                cmocka_unit_test(test_no_broker),
                cmocka_unit_test(test_ids),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
