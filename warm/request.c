/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/request.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "child/memfd.h"
#include "child/program.h"
#include "common/cleanup.h"
#include "common/step.h"
#include "fcgi-bridge/error-page.h"
#include "warm/fastcgi.h"

enum { BLOCK_MAX = WIRE_ENVIRONMENT_MAX + 64 * 1024 }; /* with Environment= and what is ours */

static struct {
        struct environment environment;
        char block[WIRE_ENVIRONMENT_MAX + 1]; /* which the environment points into */
        char packed[BLOCK_MAX];
} memory;

void request_prepare(void)
{
        memory.environment.own[ENVIRONMENT_OWN - 1] = '\0';
        memory.environment.variables[0] = NULL;
        memory.block[0] = memory.packed[0] = '\0';
}

/* What the bridge answers where a cold request fails so. It goes to the connection, or to standard output. */
static _Noreturn void refuse(const struct child *child, unsigned status, const char *what, int error)
{
        const struct warm_request *request = &child->request;
        char text[ERROR_PAGE_MAX + 1];

        text[error_page(text, status, request->request_id)] = '\0';
        dprintf(STDERR_FILENO, "sandboxd: %s: %s: %s\n", what, strerrordesc_np(error),
                request->script[0] ? request->script : "no script");
        if (request->kind == WIRE_CONNECTION)
                (void)fastcgi_send_answer(child_fd(child, WIRE_FD_APPLICATION), text);
        else if (write(child_fd(child, WIRE_FD_STDOUT), text, strlen(text)) < 0)
                _exit(EXIT_FAILURE + 1); /* nobody listens */
        _exit(EXIT_FAILURE);
}

int request_environment(const struct settings *settings, const struct warm_request *request, char *block, size_t size,
        struct environment *ret_environment)
{
        const struct environment_policy policy = {
                .pass = settings->pass,
                .n_pass = settings->n_pass,
                .set = settings->set,
                .n_set = settings->n_set,
        };
        const struct environment_facts facts = {
                .user = request->user,
                .address = request->address,
                .host = request->host,
                .script = settings->scripts ? request->script : "",
                .request_id = request->request_id,
        };

        return environment_build(ret_environment, &policy, block, size, &facts);
}

/* The bridge wrote it before it asked for the launch: it is there as a whole, and nothing else is. */
static int read_connection(int fd, char *block, size_t size)
{
        for (size_t done = 0; done < size;) {
                ssize_t n = recv(fd, block + done, size - done, MSG_DONTWAIT);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 && errno != EAGAIN ? -errno : -EBADMSG;
                done += (size_t)n;
        }
        return 0;
}

static const struct environment *read_environment(const struct settings *settings, const struct child *child)
{
        const struct warm_request *request = &child->request;
        size_t size = request->environment_size;
        int r;

        if (request->kind == WIRE_CONNECTION)
                r = read_connection(child_fd(child, WIRE_FD_APPLICATION), memory.block, size);
        else
                r = memfd_read(child_fd(child, WIRE_FD_ENVIRONMENT), memory.block, sizeof(memory.block), &size);
        if (r == 0)
                r = request_environment(settings, request, memory.block, size, &memory.environment);
        if (r < 0)
                refuse(child, 500, "the environment of the request", -r);
        return &memory.environment;
}

static unsigned script_status(int error)
{
        return wire_status(step_outcome(STEP_SCRIPT, error));
}

/* A CGI program begins in its script's folder, unless WorkingDirectory= says another; so does this. */
static void judge_script(const struct settings *settings, const struct child *child)
{
        const char *script = child->request.script;
        int fd, r;

        if (!settings->scripts)
                return;
        fd = program_check_script(settings->scripts, script);
        if (fd < 0)
                refuse(child, script_status(-fd), "the script", -fd);
        close_fd(fd);
        if (!settings->at_top)
                return;
        r = program_enter_folder(script);
        if (r < 0)
                refuse(child, script_status(-r), "the script's folder", -r);
}

int request_connection(const struct settings *settings, struct child *child)
{
        int application = child_fd(child, WIRE_FD_APPLICATION), peer = child_fd(child, WIRE_FD_PEER), r;
        bool no_body = child->request.flags & WIRE_NO_BODY;
        const struct environment *environment;

        if (child->request.kind != WIRE_CONNECTION)
                refuse(child, 500, "this application takes FastCGI requests only", EPROTOTYPE);
        environment = read_environment(settings, child);
        judge_script(settings, child);
        r = fastcgi_send_request(peer, environment->variables, no_body);
        if (r == 0 && !no_body)
                r = fastcgi_send_go(application);
        if (r < 0)
                refuse(child, 500, "the parameters of the request", -r);
        close_fd(peer);
        return application;
}

int request_pack(const struct environment *environment, const char **ret_block, size_t *ret_size)
{
        size_t used = 0;

        for (size_t i = 0; i < environment->n_variables; i++) {
                size_t length = strlen(environment->variables[i]) + 1;

                if (sizeof(memory.packed) - used < length)
                        return -E2BIG;
                memcpy(memory.packed + used, environment->variables[i], length);
                used += length;
        }
        *ret_block = memory.packed;
        *ret_size = used;
        return 0;
}

void request_streams(const struct settings *settings, struct child *child, const char **ret_block, size_t *ret_size)
{
        int r;

        if (child->request.kind != WIRE_STREAMS)
                refuse(child, 500, "this application takes CGI requests only", EPROTOTYPE);
        r = request_pack(read_environment(settings, child), ret_block, ret_size);
        if (r < 0)
                refuse(child, 500, "the environment of the request", -r);
        judge_script(settings, child);
        if (dup3(child_fd(child, WIRE_FD_STDIN), STDIN_FILENO, 0) < 0 ||
                dup3(child_fd(child, WIRE_FD_STDOUT), STDOUT_FILENO, 0) < 0)
                refuse(child, 500, "the standard streams", errno);
        for (int number = WIRE_FD_ENVIRONMENT; number < WIRE_FDS; number++)
                close_fd(child_fd(child, (enum wire_fd)number));
}
