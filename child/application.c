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
#include "common/cleanup.h"

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

static int step_landlock(const struct jail *jail)
{
        if (jail->landlock < 0)
                return 0;
        return syscall(SYS_landlock_restrict_self, jail->landlock, 0) < 0 ? -errno : 0;
}

/* The script that the request names, where the service has scripts. `folder` has room for any script's path.
 */
static int step_script(const struct jail *jail, const struct jail_request *request, char *folder, size_t size)
{
        const char *directory = index_text(jail->index, jail->service->script_directory);
        const char *slash = strrchr(request->spawn->script, '/');
        int fd;

        if (!directory || request->command >= 0)
                return 0;
        fd = program_check_script(directory, request->spawn->script);
        if (fd < 0)
                return fd;
        close_fd(fd);
        snprintf(folder, size, "%.*s", (int)(slash - request->spawn->script), request->spawn->script);
        return 0;
}

static int step_program(const struct jail *jail, const struct jail_request *request, struct application *application)
{
        static char *argv[PROGRAM_ARGUMENTS_MAX + 1];
        int r = request->command < 0 ? program_arguments(jail->index, jail->service, argv)
                                     : program_command(request->command, argv);

        if (r < 0)
                return r;
        if (!argv[0])
                argv[0] = (char *)(uintptr_t)request->spawn->script;
        application->argv = argv;
        return program_open(argv[0], &application->program);
}

static int step_directory(const struct jail *jail, const char *folder)
{
        const char *directory = index_text(jail->index, jail->service->working_directory);

        if (!directory)
                directory = *folder ? folder : "/";
        return chdir(directory) < 0 ? -errno : 0;
}

/* Only here, as the identity and with nothing left to lose, is anything read that a client wrote. */
static int step_environment(const struct jail *jail, struct jail_request *request, struct application *application)
{
        static char block[WIRE_ENVIRONMENT_MAX + 1];
        const struct environment_facts facts = {
                .user = request->spawn->user,
                .address = request->spawn->address,
                .host = request->spawn->host,
                .script = jail->service->script_directory ? request->spawn->script : "",
                .request_id = request->spawn->request_id,
        };
        size_t size = 0;
        int r = memfd_read(request->fds[SPAWN_FD_ENVIRONMENT], block, sizeof(block), &size);

        if (r < 0)
                return r;
        return environment_build(&application->environment, jail->index, jail->service, block, size, &facts);
}

int application_prepare(
        const struct jail *jail, struct jail_request *request, struct application *ret_application, enum step *ret_step)
{
        static char folder[WIRE_SCRIPT_SIZE];
        int r;

        JAIL_STEP(STEP_DEATH_SIGNAL, step_death_signal());
        JAIL_STEP(STEP_LANDLOCK, step_landlock(jail));
        JAIL_STEP(STEP_SCRIPT, step_script(jail, request, folder, sizeof(folder)));
        JAIL_STEP(STEP_PROGRAM, step_program(jail, request, ret_application));
        JAIL_STEP(STEP_ENVIRONMENT, step_environment(jail, request, ret_application));
        JAIL_STEP(STEP_DIRECTORY, step_directory(jail, folder));
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

        if (jail->proc < 0)
                return 0;
        if (length == 0)
                return -ENODATA;
        fd = openat(jail->proc, "thread-self/attr/exec", O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        n = write(fd, context, length);
        return n == (ssize_t)length ? 0 : n < 0 ? -errno : -EIO;
}

/* Puts `fd` at `number`, or closes the number if there is none. All of ours are above APPLICATION_FD_ENTRY by now. */
static int place(int fd, int number, int flags)
{
        if (fd < 0)
                return close_range((unsigned)number, (unsigned)number, 0) < 0 ? -errno : 0;
        return dup3(fd, number, flags) < 0 ? -errno : 0;
}

/*
 * The standard streams, the report pipe, the program, the entry program, and nothing else. What the kernel executes
 * here closes itself; what the entry program still needs is left to it, and it closes that in turn.
 */
static int step_last_descriptors(const struct jail *jail, const struct program *program)
{
        int fd_program = program->is_elf ? fcntl(program->fd, F_DUPFD_CLOEXEC, APPLICATION_FD_ENTRY + 1) : -1;
        int fd_entry = jail->entry >= 0 ? fcntl(jail->entry, F_DUPFD_CLOEXEC, APPLICATION_FD_ENTRY + 1) : -1;
        int r;

        if ((program->is_elf && fd_program < 0) || (jail->entry >= 0 && fd_entry < 0))
                return -errno;
        r = place(fd_program, APPLICATION_FD_PROGRAM, fd_entry < 0 ? O_CLOEXEC : 0);
        if (r == 0)
                r = place(fd_entry, APPLICATION_FD_ENTRY, O_CLOEXEC);
        if (r == 0 && close_range(APPLICATION_FD_ENTRY + 1, ~0U, 0) < 0)
                r = -errno;
        if (r == 0 && fd_entry >= 0 && fcntl(JAIL_FD_REPORT, F_SETFD, 0) < 0)
                r = -errno;
        return r;
}

static int step_last_filter(const struct jail *jail)
{
        struct sock_fprog filter = {
                .len = (unsigned short)jail->service->filter_last.count,
                .filter = (struct sock_filter *)(uintptr_t)index_array(jail->index, jail->service->filter_last),
        };

        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0 ? -errno : 0;
}

/* What the entry program compares: see application_stream_kind(). Before the last filter, which may refuse fstat. */
static int describe_descriptors(const struct jail *jail, const struct program *program, char *kinds)
{
        if (jail->entry < 0)
                return 0;
        for (int fd = 0; fd < APPLICATION_STREAMS; fd++) {
                struct stat st;

                if (fstat(fd, &st) < 0)
                        return -errno;
                kinds[fd] = application_stream_kind(&st);
        }
        kinds[APPLICATION_STREAMS] = program->is_elf ? APPLICATION_ELF : APPLICATION_SCRIPT;
        return 0;
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
                return program_exec(&program, application->argv, environment);
        }
        argv[0] = kinds;
        for (size_t i = 0; application->argv[i]; i++)
                argv[i + 1] = application->argv[i];
        return program_exec(&entry, argv, environment);
}

int application_execute(const struct jail *jail, const struct spawn_request *spawn,
        const struct application *application, enum step *ret_step)
{
        static char kinds[APPLICATION_STREAMS + 2];
        int r;

        JAIL_STEP(STEP_CONTEXT, step_context(jail, spawn->context));
        JAIL_STEP(STEP_DESCRIPTORS, step_last_descriptors(jail, &application->program));
        JAIL_STEP(STEP_DESCRIPTORS, describe_descriptors(jail, &application->program, kinds));
        JAIL_STEP(STEP_LAST_FILTER, step_last_filter(jail));
        JAIL_STEP(STEP_EXEC, step_exec(jail, application, kinds));
        return 0;
}
