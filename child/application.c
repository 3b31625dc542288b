/* SPDX-License-Identifier: Apache-2.0 */
#include "child/application.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "child/memfd.h"
#include "child/report.h"
#include "child/warm-variables.h"
#include "common/cleanup.h"
#include "common/keyed.h"

/* After the uid change, which clears it: prctl(2), PR_SET_PDEATHSIG. The broker may have died before; ask. */
static int step_death_signal(void)
{
        struct pollfd report = {.fd = JAIL_FD_REPORT};

        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return -errno;
        if (poll(&report, 1, 0) < 0)
                return -errno;
        return report.revents & POLLERR ? -EOWNERDEAD : 0;
}

/* An application zygote, which may do nothing but fork and confine; nobody's request yet. */
static bool is_warm(const struct jail_request *request)
{
        return request->spawn->flags & SPAWN_WARM;
}

/* Without it, a child of an application zygote could patch the zygote. */
static int step_landlock(const struct jail *jail, const struct jail_request *request)
{
        if (jail->landlock < 0)
                return is_warm(request) ? -EOPNOTSUPP : 0;
        return keyed_call(jail->key, SYS_landlock_restrict_self, jail->landlock, 0, 0, 0, 0) < 0 ? -errno : 0;
}

/* Whether the request names a script: the service has some, and this is for a request. */
static bool has_script(const struct jail *jail, const struct jail_request *request)
{
        return index_text(jail->index, jail->service->script_directory) && request->fds.command < 0 &&
               !is_warm(request);
}

static int step_script(const struct jail *jail, const struct jail_request *request)
{
        int fd;

        if (!has_script(jail, request))
                return 0;
        fd = program_check_script(index_text(jail->index, jail->service->script_directory), request->spawn->script);
        if (fd < 0)
                return fd;
        close_fd(fd);
        return 0;
}

static int step_program(const struct jail *jail, const struct jail_request *request, struct application *application)
{
        char **argv = application->arguments;
        int r = request->fds.command < 0 ? program_arguments(jail->index, jail->service, argv)
                                         : program_command(request->fds.command, argv);

        if (r < 0)
                return r;
        if (!argv[0])
                argv[0] = (char *)(uintptr_t)request->spawn->script;
        return program_open(argv[0], &application->program);
}

/* WorkingDirectory=, or the script's folder; where there is no script yet, that of all scripts. */
static int step_directory(const struct jail *jail, const struct jail_request *request)
{
        const char *directory = index_text(jail->index, jail->service->working_directory);

        if (!directory && has_script(jail, request))
                return program_enter_folder(request->spawn->script);
        if (!directory && is_warm(request))
                directory = index_text(jail->index, jail->service->script_directory);
        return chdir(directory ? directory : "/") < 0 ? -errno : 0;
}

/* The strings of a span into an array of ENVIRONMENT_MAX. */
static int strings(const struct index *index, struct index_span span, const char **ret_strings, size_t *ret_n)
{
        if (span.count > ENVIRONMENT_MAX)
                return -E2BIG;
        for (size_t i = 0; i < span.count; i++)
                ret_strings[i] = index_item(index, span, i);
        *ret_n = span.count;
        return 0;
}

/* Only here, as the identity and with nothing left to lose, is anything read that a client wrote. */
static int build_environment(const struct jail *jail, const struct jail_request *request,
        const struct environment_policy *policy, struct application *application)
{
        struct environment *environment = &application->environment;
        const struct environment_facts nobody = {"", "", "", "", ""};
        const struct environment_facts facts = {
                .user = request->spawn->user,
                .address = request->spawn->address,
                .host = request->spawn->host,
                .script = jail->service->script_directory ? request->spawn->script : "",
                .request_id = request->spawn->request_id,
        };
        size_t size = 0;
        int r;

        if (is_warm(request)) {
                r = environment_build(environment, policy, application->block, 0, &nobody);
                return r < 0 ? r
                             : warm_variables_add(environment, jail->index, jail->service, application->block,
                                       sizeof(application->block));
        }
        r = memfd_read(
                request->fds.always[SPAWN_FD_ENVIRONMENT], application->block, sizeof(application->block), &size);
        return r < 0 ? r : environment_build(environment, policy, application->block, size, &facts);
}

static int step_environment(
        const struct jail *jail, const struct jail_request *request, struct application *application)
{
        static const char *pass[ENVIRONMENT_MAX], *set[ENVIRONMENT_MAX];
        struct environment_policy policy = {.pass = pass, .set = set};
        int r = strings(jail->index, jail->service->pass_environment, pass, &policy.n_pass);

        if (r == 0)
                r = strings(jail->index, jail->service->environment, set, &policy.n_set);
        return r < 0 ? r : build_environment(jail, request, &policy, application);
}

int application_prepare(
        const struct jail *jail, struct jail_request *request, struct application *ret_application, enum step *ret_step)
{
        int r;

        JAIL_STEP(STEP_DEATH_SIGNAL, step_death_signal());
        JAIL_STEP(STEP_LANDLOCK, step_landlock(jail, request));
        JAIL_STEP(STEP_SCRIPT, step_script(jail, request));
        JAIL_STEP(STEP_PROGRAM, step_program(jail, request, ret_application));
        JAIL_STEP(STEP_ENVIRONMENT, step_environment(jail, request, ret_application));
        JAIL_STEP(STEP_DIRECTORY, step_directory(jail, request));
        return 0;
}

/*
 * setexeccon(3) without libselinux, which looks in /proc, and the root has none. thread-self is looked up
 * under the zygote's detached procfs, in which the writer can reach only itself. Where contexts are applied there is
 * no application without one: the policy's default transition is nobody's choice.
 */
static int step_context(const struct jail *jail, const char *context)
{
        _cleanup_close_ int fd = -1;
        size_t length = strlen(context);
        ssize_t n;

        if (!index_applies_contexts(jail->index))
                return 0;
        if (length == 0)
                return -ENODATA;
        fd = openat(jail->proc, "thread-self/attr/exec", O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        n = write(fd, context, length);
        return n == (ssize_t)length ? 0 : n < 0 ? -errno : -EIO;
}

/* Puts `fd`, which is above all these numbers, at `number`, or closes the number if there is none. */
static int place(int fd, int number, int flags)
{
        if (fd < 0)
                return close_range((unsigned)number, (unsigned)number, 0) < 0 ? -errno : 0;
        return dup3(fd, number, flags) < 0 ? -errno : 0;
}

/*
 * The standard streams, the report pipe, the program, the entry program, an application zygote's, and nothing else.
 * What the kernel executes here closes itself; what the entry program still needs is left to it, and it closes that in
 * turn; an application zygote's stay, and the stand-in closes them.
 */
static int step_last_descriptors(
        const struct jail *jail, const struct jail_request *request, const struct program *program)
{
        int fds[] = {program->is_elf ? program->fd : -1, jail->entry, request->fds.warm[0], request->fds.warm[1],
                jail->proc, jail->landlock};
        const int n = is_warm(request) ? (int)ELEMENTS(fds) : WARM_FD_CONTROL - APPLICATION_FD_PROGRAM;

        _Static_assert(APPLICATION_FD_PROGRAM + (int)ELEMENTS(fds) == WARM_FDS_END, "they stand in a row");
        for (int i = 0; i < n; i++) {
                if (fds[i] < 0)
                        continue;
                fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, WARM_FDS_END);
                if (fds[i] < 0)
                        return -errno;
        }
        for (int i = 0; i < n; i++) {
                int number = APPLICATION_FD_PROGRAM + i, flags = O_CLOEXEC, r;

                if (number >= WARM_FD_CONTROL || (number == APPLICATION_FD_PROGRAM && jail->entry >= 0))
                        flags = 0;
                r = place(fds[i], number, flags);
                if (r < 0)
                        return r;
        }
        if (close_range((unsigned)(APPLICATION_FD_PROGRAM + n), ~0U, 0) < 0)
                return -errno;
        return jail->entry >= 0 && fcntl(JAIL_FD_REPORT, F_SETFD, 0) < 0 ? -errno : 0;
}

/* Unless the zygote had it already. */
static int step_last_filter(const struct jail *jail)
{
        struct sock_fprog filter = {
                .len = (unsigned short)jail->service->filter_last.count,
                .filter = (struct sock_filter *)(uintptr_t)index_array(jail->index, jail->service->filter_last),
        };

        if (jail->service->flags & INDEX_KEYED)
                return 0;
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0 ? -errno : 0;
}

static int describe(int fd, char *ret_kind)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        *ret_kind = application_stream_kind(&st);
        return 0;
}

/* What the entry program compares: see application_stream_kind(). Before the last filter, which may refuse fstat. */
static int describe_descriptors(
        const struct jail *jail, const struct jail_request *request, const struct program *program, char *kinds)
{
        const int end = jail->landlock < 0 ? WARM_FD_LANDLOCK : WARM_FDS_END; /* the last; kernels may be without */
        int r = 0;

        if (jail->entry < 0)
                return 0;
        for (int fd = 0; r == 0 && fd < APPLICATION_STREAMS; fd++)
                r = describe(fd, kinds++);
        *kinds++ = program->is_elf ? APPLICATION_ELF : APPLICATION_SCRIPT;
        for (int fd = WARM_FD_CONTROL; r == 0 && is_warm(request) && fd < end; fd++)
                r = describe(fd, kinds++);
        return r;
}

/*
 * Under a context of its own, an application is entered by the entry program: see child/entry.c. Its first argument is
 * for itself.
 */
static int step_exec(const struct jail *jail, const struct application *application, char *kinds)
{
        static char *argv[PROGRAM_ARGUMENTS_MAX + 2];
        const struct program entry = {.fd = APPLICATION_FD_ENTRY, .is_elf = true};
        struct program program = application->program;
        char *const *environment = (char *const *)application->environment.variables;

        if (jail->entry < 0) {
                program.fd = APPLICATION_FD_PROGRAM;
                return program_exec(&program, application->arguments, environment);
        }
        argv[0] = kinds;
        for (size_t i = 0; application->arguments[i]; i++)
                argv[i + 1] = application->arguments[i];
        return program_exec(&entry, argv, environment);
}

/* Safe in a process that shares init's memory. Returns only on failure. */
static int execute(const struct jail *jail, const struct jail_request *request, const struct application *application,
        enum step *ret_step)
{
        static char kinds[APPLICATION_KINDS_SIZE];
        sigset_t none;
        int r;

        sigemptyset(&none);
        JAIL_STEP(STEP_SESSION, sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0);
        JAIL_STEP(STEP_CONTEXT, step_context(jail, request->spawn->context));
        JAIL_STEP(STEP_DESCRIPTORS, step_last_descriptors(jail, request, &application->program));
        JAIL_STEP(STEP_DESCRIPTORS, describe_descriptors(jail, request, &application->program, kinds));
        JAIL_STEP(STEP_LAST_FILTER, step_last_filter(jail));
        JAIL_STEP(STEP_EXEC, step_exec(jail, application, kinds));
        return 0;
}

void application_start(
        const struct jail *jail, const struct jail_request *request, const struct application *application)
{
        enum step step;
        int r = execute(jail, request, application, &step);

        report_failure(JAIL_FD_REPORT, step, -r);
}

void application_run(const struct jail *jail, struct jail_request *request)
{
        static struct application application;
        enum step step;
        int r = application_prepare(jail, request, &application, &step);

        if (r < 0)
                report_failure(JAIL_FD_REPORT, step, -r);
        application_start(jail, request, &application);
        _exit(JAIL_EXIT);
}
