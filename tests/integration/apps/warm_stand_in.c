/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for the preloaded library of an application zygote, for tests of the Python runner alone. Requests come
 * from the test: one SOCK_SEQPACKET message each on descriptor 6, with the environment block and the three
 * standard streams. The first STAND_IN_WARM_UPS of them are for the zygote itself, each of the others for a child that
 * waits for it, one at a time. After each the test is sent a `struct answer`. At the end of the socket the zygote is
 * told -ECANCELED.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FD = 6, STREAMS = 3, BLOCK_MAX = 65536, END = 254 };

struct answer {
        int status; /* as of waitpid(2) */
        int faults; /* minor page faults: of the child in all, */
        int own;    /* and of these from the request until _exit(2) */
        int nanoseconds;
        int cpu; /* µs of processor time of the child in all */
};

struct taken {
        struct timespec at;
        struct rusage usage;
        struct answer answer;
};

static struct taken *taken; /* shared with the child */
static int warm_ups = -1;   /* -1: no zygote */
static int saved[STREAMS] = {-1, -1, -1};
static char block[BLOCK_MAX];

__attribute__((constructor)) static void begin(void)
{
        const char *text = getenv("STAND_IN_WARM_UPS");

        if (!text)
                return;
        warm_ups = atoi(text);
        taken = mmap(NULL, sizeof(*taken), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        unsetenv("STAND_IN_WARM_UPS");
        unsetenv("LD_PRELOAD");
}

int sandboxd_warm_active(void)
{
        return warm_ups >= 0;
}

/* Paths go to the file that STAND_IN_WATCHED names. */
void sandboxd_warm_watch(const char *path)
{
        FILE *file = fopen(getenv("STAND_IN_WATCHED") ? getenv("STAND_IN_WATCHED") : "/dev/null", "a");

        if (file) {
                fprintf(file, "%s\n", path);
                fclose(file);
        }
}

/* Receives a request: the size of the block, or 0 at the end; the streams are placed. */
static ssize_t receive(void)
{
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(STREAMS * sizeof(int))];
        } control;
        struct iovec data = {.iov_base = block, .iov_len = sizeof(block)};
        struct msghdr message = {
                .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(FD, &message, 0);
        int fds[STREAMS];

        if (n <= 0)
                return 0;
        memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fds));
        for (int i = 0; i < STREAMS; i++) {
                dup2(fds[i], i);
                close(fds[i]);
        }
        return n;
}

static void note_taken(void)
{
        clock_gettime(CLOCK_MONOTONIC, &taken->at);
        getrusage(RUSAGE_SELF, &taken->usage);
}

void _exit(int status)
{
        if (taken && taken->at.tv_sec) {
                struct timespec now;
                struct rusage usage;

                clock_gettime(CLOCK_MONOTONIC, &now);
                getrusage(RUSAGE_SELF, &usage);
                taken->answer.nanoseconds =
                        (int)((now.tv_sec - taken->at.tv_sec) * 1000000000 + now.tv_nsec - taken->at.tv_nsec);
                taken->answer.own = (int)(usage.ru_minflt - taken->usage.ru_minflt);
        }
        for (;;)
                syscall(SYS_exit_group, status);
}

/* The end of a request to warm up: the streams are what they were, and the test is told. */
static void restore(void)
{
        for (int i = 0; i < STREAMS; i++)
                dup2(saved[i], i);
        if (send(FD, &taken->answer, sizeof(taken->answer), MSG_NOSIGNAL) < 0)
                perror("send");
}

static bool answer_of(pid_t pid)
{
        struct rusage usage;

        if (wait4(pid, &taken->answer.status, 0, &usage) < 0)
                return false;
        taken->answer.faults = (int)usage.ru_minflt;
        taken->answer.cpu = (int)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
        if (WIFEXITED(taken->answer.status) && WEXITSTATUS(taken->answer.status) == END)
                return false;
        return send(FD, &taken->answer, sizeof(taken->answer), MSG_NOSIGNAL) > 0;
}

int sandboxd_warm_take(const char **ret_block, size_t *ret_size)
{
        static bool warming;
        pid_t pid;

        if (warming)
                restore();
        warming = warm_ups-- > 0;
        *ret_block = block;
        if (warming) {
                for (int i = 0; i < STREAMS && saved[i] < 0; i++)
                        saved[i] = dup(i);
                *ret_size = (size_t)receive();
                return *ret_size ? 1 : -ECANCELED;
        }
        do {
                memset(taken, 0, sizeof(*taken));
                pid = fork();
                if (pid == 0) {
                        *ret_size = (size_t)receive();
                        if (!*ret_size)
                                _exit(END);
                        close(FD);
                        note_taken();
                        return 0;
                }
        } while (pid > 0 && answer_of(pid));
        return -ECANCELED;
}
