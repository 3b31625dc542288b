/* SPDX-License-Identifier: Apache-2.0 */
/* links: sandboxctl/relay.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sandboxctl/relay.h"

/*
 * The relay runs in a process of its own, as sandboxctl does, with a command that is a function. What stands at its
 * standard streams is the test's: the far ends of three pipes.
 */
struct setup {
        pid_t pid;
        int far[RELAY_FLOWS];
        int input; /* the near end of standard input: what the relay has not taken */
};

enum { LARGE = 1 << 20, STATUS = 7, BOUND = 60 };

static void write_all(int fd, size_t size)
{
        char block[1000];

        memset(block, 'x', sizeof(block));
        while (size > 0) {
                ssize_t n = write(fd, block, size < sizeof(block) ? size : sizeof(block));

                if (n <= 0)
                        _exit(EXIT_FAILURE);
                size -= (size_t)n;
        }
}

static size_t read_all(int fd)
{
        char block[1000];
        size_t size = 0;
        ssize_t n;

        while ((n = read(fd, block, sizeof(block))) > 0)
                size += (size_t)n;
        return n < 0 ? SIZE_MAX : size;
}

/* So many bytes, and not their end: the relay keeps its streams until it ends itself. */
static void read_exactly(int fd, size_t size)
{
        char block[1000];

        while (size > 0) {
                ssize_t n = read(fd, block, size < sizeof(block) ? size : sizeof(block));

                assert_true(n > 0);
                size -= (size_t)n;
        }
}

static pid_t start_command(struct relay *relay, void (*command)(void))
{
        pid_t pid = fork();

        if (pid != 0)
                return pid;
        signal(SIGPIPE, SIG_DFL);
        for (int fd = 0; fd < RELAY_FLOWS; fd++)
                if (dup2(relay->theirs[fd], fd) < 0)
                        _exit(EXIT_FAILURE);
        relay_close(relay);
        command();
        _exit(STATUS);
}

/* Its exit status says how the command ended: its own, or 128 and a signal. */
_Noreturn static void run_relay(const int *streams, void (*command)(void))
{
        struct relay relay = RELAY_CLOSED;
        int status, pidfd;
        pid_t pid;

        alarm(BOUND); /* a relay that hangs is a failure */
        if (relay_open(&relay, streams) < 0)
                _exit(EXIT_FAILURE);
        pid = start_command(&relay, command);
        relay_handed_over(&relay);
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (pid < 0 || pidfd < 0 || relay_run(&relay, pidfd) < 0 || waitpid(pid, &status, 0) != pid)
                _exit(EXIT_FAILURE);
        relay_close(&relay);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static struct setup start(void (*command)(void))
{
        struct setup setup;
        int near[RELAY_FLOWS];

        for (int i = 0; i < RELAY_FLOWS; i++) {
                int ends[2];

                assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
                near[i] = ends[i == 0 ? 0 : 1];
                setup.far[i] = ends[i == 0 ? 1 : 0];
        }
        setup.pid = fork();
        assert_true(setup.pid >= 0);
        if (setup.pid == 0) {
                for (int i = 0; i < RELAY_FLOWS; i++)
                        close(setup.far[i]);
                run_relay(near, command);
        }
        setup.input = near[0];
        close(near[1]);
        close(near[2]);
        return setup;
}

static void hang_up(struct setup *setup, int stream)
{
        setup->far[stream] = close_fd(setup->far[stream]);
}

static void assert_end(struct setup *setup, int expected)
{
        int status;

        for (int i = 0; i < RELAY_FLOWS; i++)
                hang_up(setup, i);
        close(setup->input);
        assert_int_equal(waitpid(setup->pid, &status, 0), setup->pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), expected);
}

static void count_input(void)
{
        if (read_all(STDIN_FILENO) == LARGE)
                write_all(STDOUT_FILENO, 3);
}

static void test_the_end_of_input_arrives_after_all_of_it(void **state)
{
        struct setup setup = start(count_input);

        (void)state;
        write_all(setup.far[0], LARGE);
        hang_up(&setup, 0);
        assert_int_equal(read_all(setup.far[1]), 3);
        assert_end(&setup, STATUS);
}

static void write_both(void)
{
        write_all(STDERR_FILENO, LARGE);
        write_all(STDOUT_FILENO, LARGE);
}

static void test_all_output_arrives_though_input_is_open(void **state)
{
        struct setup setup = start(write_both);

        (void)state;
        read_exactly(setup.far[2], LARGE);
        assert_int_equal(read_all(setup.far[1]), LARGE);
        assert_end(&setup, STATUS);
}

/* Two processes: one writes what nobody reads yet. */
static void write_apart(void)
{
        if (fork() == 0) {
                write_all(STDOUT_FILENO, LARGE);
                _exit(EXIT_SUCCESS);
        }
        write_all(STDERR_FILENO, LARGE);
}

static void test_a_flow_that_stands_does_not_hold_up_another(void **state)
{
        struct setup setup = start(write_apart);

        (void)state;
        read_exactly(setup.far[2], LARGE);
        assert_int_equal(read_all(setup.far[1]), LARGE);
        assert_end(&setup, STATUS);
}

static void ignore_input(void)
{
        write_all(STDOUT_FILENO, 10);
}

static void test_a_command_that_reads_nothing_ends(void **state)
{
        struct setup setup = start(ignore_input);

        (void)state;
        assert_int_equal(fcntl(setup.far[0], F_SETFL, O_NONBLOCK), 0);
        (void)!write(setup.far[0], "unread", 6);
        assert_int_equal(read_all(setup.far[1]), 10);
        assert_end(&setup, STATUS);
}

static void write_forever(void)
{
        for (;;)
                write_all(STDOUT_FILENO, LARGE);
}

static void test_without_a_reader_the_command_gets_the_signal(void **state)
{
        struct setup setup = start(write_forever);

        (void)state;
        hang_up(&setup, 1);
        assert_end(&setup, 128 + SIGPIPE);
}

static void close_input(void)
{
        close(STDIN_FILENO);
        write_forever();
}

static void test_what_comes_after_the_command_has_closed_its_input_stays(void **state)
{
        struct setup setup = start(close_input);
        int input = dup(setup.input);
        char left[8] = "";

        (void)state;
        assert_int_equal(read(setup.far[1], left, 1), 1);
        assert_int_equal(write(setup.far[0], "left", 4), 4);
        assert_end(&setup, 128 + SIGPIPE);
        assert_int_equal(read(input, left, sizeof(left)), 4);
        assert_memory_equal(left, "left", 4);
        close(input);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_end_of_input_arrives_after_all_of_it),
                cmocka_unit_test(test_all_output_arrives_though_input_is_open),
                cmocka_unit_test(test_a_flow_that_stands_does_not_hold_up_another),
                cmocka_unit_test(test_a_command_that_reads_nothing_ends),
                cmocka_unit_test(test_without_a_reader_the_command_gets_the_signal),
                cmocka_unit_test(test_what_comes_after_the_command_has_closed_its_input_stays),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
