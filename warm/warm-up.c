/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/warm-up.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "child/program.h"
#include "common/cleanup.h"
#include "warm/answer.h"
#include "warm/event.h"
#include "warm/fastcgi.h"
#include "warm/request.h"

enum { BLOCK_MAX = 8192 };

#define UNFIT(settings, ...) event_end((settings)->control, WARM_UNFIT, __VA_ARGS__)

/*
 * What a web server would send, with all that RFC 3875 requires. `path` is up to the question mark: that of the script,
 * or where there are no scripts, of the application at "/".
 */
static size_t describe(char *block, size_t size, const char *request, size_t path, bool has_scripts)
{
        const char *query = request + path + (request[path] == '?');
        int n = snprintf(block, size,
                "REQUEST_METHOD=GET%cSCRIPT_NAME=%.*s%cPATH_INFO=%.*s%cREQUEST_URI=%s%cQUERY_STRING=%s%c"
                "SERVER_PROTOCOL=HTTP/1.1%cSERVER_PORT=80%cSERVER_SOFTWARE=sandboxd%cHTTP_HOST=localhost%c"
                "REDIRECT_STATUS=200%c",
                0, has_scripts ? (int)path : 0, request, 0, has_scripts ? 0 : (int)path, request, 0, request, 0, query,
                0, 0, 0, 0, 0, 0);

        return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

static const struct environment *prepare(const struct settings *settings, const char *line)
{
        static struct warm_request request = {.address = "127.0.0.1", .host = "localhost"};
        static struct environment environment;
        static char block[BLOCK_MAX];
        size_t path = strcspn(line, "?"), size = describe(block, sizeof(block), line, path, settings->scripts);
        int r;

        if (size == 0)
                UNFIT(settings, "WarmUpRequest=%s: too long", line);
        memset(request.request_id, '0', sizeof(request.request_id) - 1);
        if (settings->scripts) {
                r = snprintf(request.script, sizeof(request.script), "%s%.*s", settings->scripts, (int)path, line);
                if (r < 0 || (size_t)r >= sizeof(request.script))
                        UNFIT(settings, "WarmUpRequest=%s: too long", line);
                r = program_check_script(settings->scripts, request.script);
                if (r < 0)
                        UNFIT(settings, "WarmUpRequest=%s: the script: %s", line, strerrordesc_np(-r));
                close_fd(r);
        }
        r = request_environment(settings, &request, block, size, &environment);
        if (r < 0)
                UNFIT(settings, "WarmUpRequest=%s: the environment: %s", line, strerrordesc_np(-r));
        return &environment;
}

/* In the helper. */
static _Noreturn void help(const struct settings *settings, int fd, bool is_stream, const char *line, pid_t zygote)
{
        char reason[128] = "", detail[256];
        int r;

        /* Its only descriptors: what the application closes must be closed. */
        if (dup3(fd, STDIN_FILENO, 0) < 0 || dup3(settings->control, STDOUT_FILENO, 0) < 0 ||
                close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
                _exit(EXIT_FAILURE);
        r = answer_judge(STDIN_FILENO, is_stream, WARM_UP_SECONDS, reason, sizeof(reason));
        if (r == 0)
                _exit(EXIT_SUCCESS);
        snprintf(detail, sizeof(detail), "WarmUpRequest=%s: %s", line, r < 0 ? strerrordesc_np(-r) : reason);
        (void)event_send(STDOUT_FILENO, WARM_UNFIT, 0, 0, 0, detail);
        if (getppid() == zygote)
                kill(zygote, SIGKILL);
        _exit(EXIT_FAILURE);
}

/* Without an exit signal, and not by libc's fork(): the application's handlers have nothing to do with it. */
static void start(struct warm_up *warm_up, const struct settings *settings, int fd, bool is_stream, const char *line)
{
        pid_t zygote = getpid();
        long pid = syscall(SYS_clone, 0UL, 0UL, 0UL, 0UL, 0UL);

        if (pid < 0)
                UNFIT(settings, "WarmUpRequest=%s: clone: %m", line);
        if (pid == 0)
                help(settings, fd, is_stream, line, zygote);
        warm_up->helper = (pid_t)pid;
}

int warm_up_connect(struct warm_up *warm_up, const struct settings *settings, const char *request)
{
        const struct environment *environment = prepare(settings, request);
        int fds[2], r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                UNFIT(settings, "WarmUpRequest=%s: socketpair: %m", request);
        r = fastcgi_send_request(fds[1], environment->variables, true);
        if (r < 0)
                UNFIT(settings, "WarmUpRequest=%s: the parameters: %s", request, strerrordesc_np(-r));
        start(warm_up, settings, fds[1], false, request);
        warm_up->saved = -1;
        close_fd(fds[1]);
        return fds[0];
}

void warm_up_stream(struct warm_up *warm_up, const struct settings *settings, const char *request,
        const char **ret_block, size_t *ret_size)
{
        int fds[2], r = request_pack(prepare(settings, request), ret_block, ret_size);

        if (r < 0 || pipe2(fds, O_CLOEXEC) < 0)
                UNFIT(settings, "WarmUpRequest=%s: %s", request, strerrordesc_np(r < 0 ? -r : errno));
        start(warm_up, settings, fds[0], true, request);
        warm_up->saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, settings_free_fd(settings));
        if (warm_up->saved < 0 || dup3(fds[1], STDOUT_FILENO, 0) < 0 || dup3(settings->null, STDIN_FILENO, 0) < 0)
                UNFIT(settings, "WarmUpRequest=%s: descriptors: %m", request);
        close_fd(fds[0]);
        close_fd(fds[1]);
}

void warm_up_end(struct warm_up *warm_up, const struct settings *settings)
{
        int status = 0;
        pid_t r;

        if (warm_up->helper == 0)
                return;
        if (warm_up->saved >= 0) {
                if (dup3(warm_up->saved, STDOUT_FILENO, 0) < 0)
                        UNFIT(settings, "standard output cannot be put back: %m");
                warm_up->saved = close_fd(warm_up->saved);
        }
        do
                r = waitpid(warm_up->helper, &status, __WALL);
        while (r < 0 && errno == EINTR);
        warm_up->helper = 0;
        if (r < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS)
                UNFIT(settings, "the other side of its warm-up request is gone");
}
