/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/launch.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/descriptors.h"

/* Linux 6.3; older headers lack it. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

int launch_make_id(struct launch_random *random, char id[WIRE_REQUEST_ID_SIZE])
{
        static const char digits[] = "0123456789abcdef";
        const size_t size = (WIRE_REQUEST_ID_SIZE - 1) / 2;

        if (random->left < size) {
                /* getrandom(2): up to 256 bytes come whole. */
                if (getrandom(random->bytes, sizeof(random->bytes), 0) != sizeof(random->bytes))
                        return -EIO;
                random->left = sizeof(random->bytes);
        }
        random->left -= size;
        for (size_t i = 0; i < size; i++) {
                id[2 * i] = digits[random->bytes[random->left + i] >> 4];
                id[2 * i + 1] = digits[random->bytes[random->left + i] & 0xf];
        }
        id[2 * size] = '\0';
        return 0;
}

/* A memfd that nobody can execute, where the kernel knows how to say so: memfd_create(2). */
static int create_memfd(void)
{
        int fd = memfd_create("environment", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

        if (fd < 0 && errno == EINVAL)
                fd = memfd_create("environment", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        return fd < 0 ? -errno : fd;
}

/* The environment as the child will read it: sealed, so that what was sent is what will be seen. */
static int make_environment(const char *environment, size_t length, int *ret_fd)
{
        _cleanup_close_ int fd = create_memfd();
        ssize_t written;

        if (fd < 0)
                return fd;
        if (length > 0) {
                written = write(fd, environment, length);
                if (written < 0)
                        return -errno;
                if ((size_t)written != length)
                        return -ENOSPC;
        }
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

/*
 * A pipe. Its mode lets the application open /dev/stdout and the like, which it does as another user. Only our end is
 * ever non-blocking: programs do not expect EAGAIN from their standard streams, and each end is an open file
 * description of its own.
 */
static int make_pipe(int *ret_read, int *ret_write)
{
        _cleanup_close_ int read_end = -1, write_end = -1;
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        read_end = fds[0];
        write_end = fds[1];
        if (fchmod(read_end, 0666) < 0)
                return -errno;
        *ret_read = take_fd(&read_end);
        *ret_write = take_fd(&write_end);
        return 0;
}

/* A pipe from the application to us. */
static int make_output(int *ret_ours, int *ret_theirs)
{
        int r = make_pipe(ret_ours, ret_theirs);

        if (r == 0 && fcntl(*ret_ours, F_SETFL, O_NONBLOCK) < 0)
                r = -errno;
        return r;
}

static int connect_broker(const struct sockaddr_un *address, int *ret_fd)
{
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

/* In each of these what was made is in `launch` and `fds`, and closed with them, on failure too. */
static int make_streams(struct launch *launch, int *fds, const char *environment, size_t length)
{
        int r;

        launch->kind = WIRE_STREAMS;
        r = make_environment(environment, length, &fds[WIRE_FD_ENVIRONMENT]);
        if (r < 0)
                return r;
        /* Most requests have no body: the end that we write to is made non-blocking when it is written to. */
        r = make_pipe(&fds[WIRE_FD_STDIN], &launch->stdin_fd);
        if (r < 0)
                return r;
        return make_output(&launch->stdout_fd, &fds[WIRE_FD_STDOUT]);
}

/*
 * The connection with the environment in it, all of it: then whoever reads it never has to wait. Returns 1 if it does
 * not take so much.
 */
static int make_connection(struct launch *launch, int *fds, const char *environment, size_t length)
{
        int ends[2];
        ssize_t sent = 0;

        if (length > WIRE_CONNECTION_ENVIRONMENT_MAX)
                return 1;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        launch->kind = WIRE_CONNECTION;
        launch->application_fd = ends[0];
        fds[WIRE_FD_APPLICATION] = ends[1];
        /* Of the copy that the child writes the parameters to, too: it must not wait for itself. */
        if (fcntl(ends[0], F_SETFL, O_RDWR | O_NONBLOCK) < 0)
                return -errno;
        if (length > 0)
                sent = send(ends[0], environment, length, MSG_NOSIGNAL);
        return sent < 0 || (size_t)sent < length;
}

/* Of the kind that is wanted, or streams. */
static int make_kind(
        struct launch *launch, int *fds, const struct wire_request *request, const char *environment, size_t length)
{
        int r = 1;

        if (request->kind == WIRE_CONNECTION)
                r = make_connection(launch, fds, environment, length);
        if (r <= 0)
                return r;
        launch->application_fd = close_fd(launch->application_fd);
        fds[WIRE_FD_APPLICATION] = close_fd(fds[WIRE_FD_APPLICATION]);
        return make_streams(launch, fds, environment, length);
}

static int send_request(const struct launch *launch, struct wire_request *request, const int *fds, size_t length)
{
        bool connected = launch->kind == WIRE_CONNECTION;

        request->kind = launch->kind;
        request->flags = connected ? request->flags : 0;
        request->environment_size = connected ? (uint32_t)length : 0;
        return descriptors_send(
                launch->broker, request, sizeof(*request), fds, connected ? (size_t)WIRE_CONNECTION_FDS : WIRE_FDS);
}

/* The application's ends are not ours to keep: an end of file would never be seen. */
static void close_theirs(const struct launch *launch, const int *fds)
{
        close_fd(fds[WIRE_FD_STDERR]);
        close_fd(fds[WIRE_FD_ENVIRONMENT]);
        if (launch->kind == WIRE_STREAMS) {
                close_fd(fds[WIRE_FD_STDIN]);
                close_fd(fds[WIRE_FD_STDOUT]);
        }
}

int launch_start(const struct sockaddr_un *address, struct wire_request *request, const char *environment,
        size_t length, int front_fd, struct launch *ret_launch)
{
        struct launch launch = LAUNCH_CLOSED;
        int fds[WIRE_FDS] = {front_fd, -1, -1, -1, -1};
        int r;

        r = make_output(&launch.stderr_fd, &fds[WIRE_FD_STDERR]);
        if (r == 0)
                r = make_kind(&launch, fds, request, environment, length);
        /* As late as can be: the broker wakes up, and is to find the request as well. */
        if (r == 0)
                r = connect_broker(address, &launch.broker);
        if (r == 0) {
                if (launch.kind == WIRE_CONNECTION)
                        fds[WIRE_FD_PEER] = launch.application_fd;
                r = send_request(&launch, request, fds, length);
        }
        close_theirs(&launch, fds);
        if (r < 0) {
                launch_close(&launch);
                return r;
        }
        *ret_launch = launch;
        return 0;
}

int launch_receive(const struct launch *launch, struct wire_question *ret_question, struct wire_result *ret_result)
{
        union {
                struct wire_question question;
                struct wire_result result;
        } packet;
        size_t n_fds;
        ssize_t length;

        length = descriptors_receive(launch->broker, &packet, sizeof(packet), NULL, 0, &n_fds, MSG_DONTWAIT);
        if (length == -EAGAIN)
                return LAUNCH_NOTHING;
        if (length == -EBADMSG)
                return -EBADMSG;
        if (length <= 0)
                return -ECONNRESET;
        /* They differ in length and in magic. */
        if (wire_check_question(&packet.question, (size_t)length, n_fds) == 0) {
                *ret_question = packet.question;
                return LAUNCH_QUESTION;
        }
        if (wire_check_result(&packet.result, (size_t)length, n_fds) == 0) {
                *ret_result = packet.result;
                return LAUNCH_RESULT;
        }
        return -EBADMSG;
}

int launch_answer(const struct launch *launch, const struct wire_variables *variables)
{
        /* The broker has read the request before it asks, so that the queue is empty: it is full for no honest one. */
        int r = descriptors_send(launch->broker, variables, sizeof(*variables), NULL, 0);

        return r == -EPIPE ? 0 : r;
}

void launch_say_done(const struct launch *launch)
{
        const struct wire_done done = {.magic = WIRE_DONE_MAGIC, .version = WIRE_VERSION};

        (void)descriptors_send(launch->broker, &done, sizeof(done), NULL, 0);
}

void launch_close(struct launch *launch)
{
        launch->broker = close_fd(launch->broker);
        launch->stderr_fd = close_fd(launch->stderr_fd);
        launch->stdin_fd = close_fd(launch->stdin_fd);
        launch->stdout_fd = close_fd(launch->stdout_fd);
        launch->application_fd = close_fd(launch->application_fd);
}
