/* SPDX-License-Identifier: Apache-2.0 */
/* links: fcgi-bridge/launch.c common/descriptors.c common/wire.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/descriptors.h"
#include "fcgi-bridge/launch.h"

/* Returns the broker's end. */
static int start(struct launch *launch)
{
        int ends[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
        *launch = (struct launch){ends[0], -1, -1, -1};
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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_receive),
                cmocka_unit_test(test_receive_malformed),
                cmocka_unit_test(test_answer),
                cmocka_unit_test(test_answer_too_late),
                cmocka_unit_test(test_answer_full),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
