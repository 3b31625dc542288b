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

int launch_make_id(char id[WIRE_REQUEST_ID_SIZE])
{
        unsigned char random[(WIRE_REQUEST_ID_SIZE - 1) / 2];

        if (getrandom(random, sizeof(random), 0) != sizeof(random))
                return -EIO;
        for (size_t i = 0; i < sizeof(random); i++)
                snprintf(id + 2 * i, 3, "%02x", random[i]);
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
 * A pipe of which we keep one end. Its mode lets the application open /dev/stdout and the like, which it does
 * as another user. Only our end is non-blocking: programs do not expect EAGAIN from their standard streams,
 * and each end is an open file description of its own.
 */
static int make_pipe(bool we_write, int *ret_ours, int *ret_theirs)
{
        _cleanup_close_ int ours = -1, theirs = -1;
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        ours = we_write ? fds[1] : fds[0];
        theirs = we_write ? fds[0] : fds[1];
        if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0 || fchmod(theirs, 0666) < 0)
                return -errno;
        *ret_ours = take_fd(&ours);
        *ret_theirs = take_fd(&theirs);
        return 0;
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

/* Makes the pipes: our ends into `launch`, the application's into `fds`. */
static int make_streams(struct launch *launch, int *fds)
{
        int r;

        r = make_pipe(true, &launch->stdin_fd, &fds[WIRE_FD_STDIN]);
        if (r < 0)
                return r;
        r = make_pipe(false, &launch->stdout_fd, &fds[WIRE_FD_STDOUT]);
        if (r < 0)
                return r;
        return make_pipe(false, &launch->stderr_fd, &fds[WIRE_FD_STDERR]);
}

int launch_start(const struct sockaddr_un *address, const struct wire_request *request, const char *environment,
        size_t length, int front_fd, struct launch *ret_launch)
{
        struct launch launch = {-1, -1, -1, -1};
        int fds[WIRE_FDS] = {-1, -1, -1, -1, -1};
        int r;

        /* First what says whether there is a broker at all. */
        r = connect_broker(address, &launch.broker);
        if (r == 0)
                r = make_environment(environment, length, &fds[WIRE_FD_ENVIRONMENT]);
        if (r == 0)
                r = make_streams(&launch, fds);
        if (r == 0) {
                fds[WIRE_FD_FRONT] = front_fd;
                r = descriptors_send(launch.broker, request, sizeof(*request), fds, WIRE_FDS);
                fds[WIRE_FD_FRONT] = -1;
        }
        /* The application's ends are not ours to keep: an end of file would never be seen. */
        descriptors_close(fds, WIRE_FDS);
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

void launch_close(struct launch *launch)
{
        launch->broker = close_fd(launch->broker);
        launch->stdin_fd = close_fd(launch->stdin_fd);
        launch->stdout_fd = close_fd(launch->stdout_fd);
        launch->stderr_fd = close_fd(launch->stderr_fd);
}
