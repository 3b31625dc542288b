/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/jail.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "child/memfd.h"
#include "common/cleanup.h"

/*
 * Standard input, output and error, the report pipe, and in the end nothing else. Descriptors that arrived in
 * the message have numbers above those the zygote holds, so placing one cannot overwrite another that is
 * still needed.
 */
static int step_descriptors(const struct jail *jail, struct jail_request *request)
{
        static const int order[] = {SPAWN_FD_STDIN, SPAWN_FD_STDOUT, SPAWN_FD_STDERR};

        for (int i = 0; i < (int)ELEMENTS(order); i++)
                if (dup2(request->fds[order[i]], i) < 0)
                        return -errno;
        if (dup3(request->fds[SPAWN_FD_REPORT], JAIL_FD_REPORT, O_CLOEXEC) < 0)
                return -errno;
        _Static_assert(
                (int)JAIL_FD_REPORT == (int)ZYGOTE_FD_CONTROL, "the spawn socket is overwritten, and thereby closed");
        if (jail->control != JAIL_FD_REPORT)
                return -EBADF;
        for (int i = 0; i < SPAWN_FDS; i++)
                if (i != SPAWN_FD_ENVIRONMENT)
                        request->fds[i] = close_fd(request->fds[i]);
        return 0;
}

/* A fresh /tmp: the broker made the tmpfs, so that the zygote's filter can deny every way of making a mount.
 */
static int step_temporary(struct jail_request *request)
{
        if (request->temporary < 0)
                return 0;
        if (move_mount(request->temporary, "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return -errno;
        request->temporary = close_fd(request->temporary);
        return 0;
}

static int step_session(void)
{
        return setsid() < 0 ? -errno : 0;
}

static int step_limits(const struct index_service *service)
{
        for (int i = 0; i < INDEX_LIMITS; i++) {
                struct rlimit limit = {.rlim_cur = service->limits[i], .rlim_max = service->limits[i]};

                if (service->limits_set & (UINT64_C(1) << i) && setrlimit((__rlimit_resource_t)i, &limit) < 0)
                        return -errno;
        }
        if (service->nice != 0 && setpriority(PRIO_PROCESS, 0, service->nice) < 0)
                return -errno;
        umask(service->umask);
        return 0;
}

/* groups → gid → uid: after the uid there is no right left to set the others. */
static int step_identity(const struct spawn_request *spawn, enum step *step)
{
        *step = STEP_GROUPS;
        if (setgroups(spawn->n_groups, spawn->groups) < 0)
                return -errno;
        *step = STEP_GID;
        if (setresgid(spawn->gid, spawn->gid, spawn->gid) < 0)
                return -errno;
        *step = STEP_UID;
        return setresuid(spawn->uid, spawn->uid, spawn->uid) < 0 ? -errno : 0;
}

/* The bounding set is empty since the zygote's set-up. */
static int step_capabilities(void)
{
        cap_t none = cap_init();
        int r;

        if (!none)
                return -ENOMEM;
        r = cap_set_proc(none) < 0 ? -errno : 0;
        cap_free(none);
        return r;
}

static bool same_groups(const struct spawn_request *spawn)
{
        gid_t groups[INDEX_GROUPS_MAX + 1];
        int n = getgroups(ELEMENTS(groups), groups);

        if (n < 0 || (uint32_t)n != spawn->n_groups)
                return false;
        for (uint32_t i = 0; i < spawn->n_groups; i++) {
                int found = 0;

                for (int k = 0; k < n; k++)
                        found |= groups[k] == spawn->groups[i];
                if (!found)
                        return false;
        }
        return true;
}

static bool capabilities_gone(void)
{
        cap_t now = cap_get_proc(), none = cap_init();
        bool gone = now && none && cap_compare(now, none) == 0;

        cap_free(now);
        cap_free(none);
        for (cap_value_t value = 0; gone && value < cap_max_bits(); value++)
                gone = cap_get_bound(value) == 0 && cap_get_ambient(value) == 0;
        return gone;
}

/*
 * Asks the kernel what we are now, and tries to become another identity that the filter lets through: a
 * filter's EPERM would prove nothing about the capability.
 */
static int step_verify(const struct index *index, const struct spawn_request *spawn)
{
        uid_t other = spawn->uid == index->header->min_uid ? spawn->uid + 1 : index->header->min_uid;
        uid_t uids[3];
        gid_t gids[3];

        if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 || getresgid(&gids[0], &gids[1], &gids[2]) < 0)
                return -errno;
        for (int i = 0; i < 3; i++)
                if (uids[i] != spawn->uid || gids[i] != spawn->gid)
                        return -ENOTRECOVERABLE;
        if (!same_groups(spawn) || !capabilities_gone() || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
                return -ENOTRECOVERABLE;
        if (setresuid(other, other, other) == 0 || errno != EPERM)
                return -ENOTRECOVERABLE;
        return 0;
}

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

static int step_program(const struct jail *jail, const struct jail_request *request, struct jailed *jailed)
{
        static char *argv[PROGRAM_ARGUMENTS_MAX + 1];
        int r = request->command < 0 ? program_arguments(jail->index, jail->service, argv)
                                     : program_command(request->command, argv);

        if (r < 0)
                return r;
        if (!argv[0])
                argv[0] = (char *)(uintptr_t)request->spawn->script;
        jailed->argv = argv;
        return program_open(argv[0], &jailed->program);
}

static int step_directory(const struct jail *jail, const char *folder)
{
        const char *directory = index_text(jail->index, jail->service->working_directory);

        if (!directory)
                directory = *folder ? folder : "/";
        return chdir(directory) < 0 ? -errno : 0;
}

/* Only here, as the identity and with nothing left to lose, is anything read that a client wrote. */
static int step_environment(const struct jail *jail, struct jail_request *request, struct jailed *jailed)
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
        return environment_build(&jailed->environment, jail->index, jail->service, block, size, &facts);
}

/* What is still open besides 0 to 3 and the program's descriptor, which closes itself at exec. */
static int close_the_rest(int keep)
{
        if (keep > JAIL_FD_REPORT + 1 && close_range(JAIL_FD_REPORT + 1, (unsigned)keep - 1, 0) < 0)
                return -errno;
        return close_range((unsigned)keep + 1, ~0U, 0) < 0 ? -errno : 0;
}

#define STEP(name, call)                                                                                               \
        do {                                                                                                           \
                *ret_step = (name);                                                                                    \
                r = (call);                                                                                            \
                if (r < 0)                                                                                             \
                        return r;                                                                                      \
        } while (0)

int jail_enter(const struct jail *jail, struct jail_request *request, struct jailed *ret_jailed, enum step *ret_step)
{
        static char folder[WIRE_SCRIPT_SIZE];
        int r;

        STEP(STEP_DESCRIPTORS, step_descriptors(jail, request));
        STEP(STEP_TEMPORARY, step_temporary(request));
        STEP(STEP_SESSION, step_session());
        STEP(STEP_LIMITS, step_limits(jail->service));
        STEP(STEP_UID, step_identity(request->spawn, ret_step));
        STEP(STEP_CAPABILITIES, step_capabilities());
        STEP(STEP_VERIFY, step_verify(jail->index, request->spawn));
        STEP(STEP_DEATH_SIGNAL, step_death_signal());
        STEP(STEP_LANDLOCK, step_landlock(jail));
        STEP(STEP_SCRIPT, step_script(jail, request, folder, sizeof(folder)));
        STEP(STEP_PROGRAM, step_program(jail, request, ret_jailed));
        STEP(STEP_ENVIRONMENT, step_environment(jail, request, ret_jailed));
        STEP(STEP_DIRECTORY, step_directory(jail, folder));
        return 0;
}

/*
 * setexeccon(3) without libselinux, which looks in /proc, and the root has none. thread-self is looked up
 * under the zygote's detached procfs, in which the writer can reach only itself.
 */
static int step_context(const struct jail *jail, const char *context)
{
        _cleanup_close_ int fd = -1;
        size_t length = strlen(context);

        if (jail->proc < 0 || length == 0)
                return 0;
        fd = openat(jail->proc, "thread-self/attr/exec", O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return write(fd, context, length) == (ssize_t)length ? 0 : -errno;
}

static int step_last_filter(const struct jail *jail)
{
        struct sock_fprog filter = {
                .len = (unsigned short)jail->service->filter_last.count,
                .filter = (struct sock_filter *)(uintptr_t)index_array(jail->index, jail->service->filter_last),
        };

        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0 ? -errno : 0;
}

int jail_execute(
        const struct jail *jail, const struct spawn_request *spawn, const struct jailed *jailed, enum step *ret_step)
{
        int r;

        STEP(STEP_CONTEXT, step_context(jail, spawn->context));
        STEP(STEP_DESCRIPTORS, close_the_rest(jailed->program.fd));
        STEP(STEP_LAST_FILTER, step_last_filter(jail));
        STEP(STEP_EXEC, program_exec(&jailed->program, jailed->argv, (char *const *)jailed->environment.variables));
        return 0;
}
