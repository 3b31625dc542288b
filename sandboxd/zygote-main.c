/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sandboxd-zygote SERVICE UID GID ENTRY
 *
 * One for each service (or each identity of a service), executed afresh by the broker: it moves into the
 * service's namespaces and root, gives up all that it does not need to become somebody, and then forks a
 * confined child for each spawn request. It sees what the broker sends, never a byte of a client's.
 *
 * SERVICE is a number in the index at ZYGOTE_FD_INDEX; UID and GID are those of the zygote's own account; ENTRY is the
 * path of sandboxd-entry.
 * Diagnostics go to the broker, as (step, errno, detail) in a spawn reply.
 */

#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "child/init.h"
#include "common/cleanup.h"
#include "common/descriptors.h"
#include "common/landlock.h"
#include "sandboxd/root.h"

static int set_up_signals(void)
{
        struct sigaction action = {.sa_handler = SIG_DFL};
        sigset_t none;

        for (int i = 1; i < NSIG; i++)
                sigaction(i, &action, NULL); /* EINVAL for SIGKILL, SIGSTOP and libc's own two */
        sigemptyset(&none);
        return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

static int enter_namespaces(const struct index_service *service, struct failure *failure)
{
        int flags = CLONE_NEWNS | CLONE_NEWIPC;

        if (service->flags & INDEX_PRIVATE_NETWORK)
                flags |= CLONE_NEWNET;
        if (unshare(flags) < 0)
                return failure_set(failure, STEP_NAMESPACES, errno, "mount, IPC and network namespace");
        return 0;
}

/*
 * What a change of context takes: a way to thread-self/attr/exec and to no other process, and the entry program; see
 * step_context() in child/application.c. The root will have neither.
 */
static int open_context(const char *entry, struct jail *jail, struct failure *failure)
{
        _cleanup_close_ int context = -1;

        if (!index_applies_contexts(jail->index))
                return 0;
        jail->entry = open(entry, O_PATH | O_CLOEXEC);
        if (jail->entry < 0)
                return failure_set(failure, STEP_PROC, errno, "%s", entry);
        context = fsopen("proc", FSOPEN_CLOEXEC);
        if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "subset", "pid", 0) < 0 ||
                fsconfig(context, FSCONFIG_SET_STRING, "hidepid", "invisible", 0) < 0 ||
                fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return failure_set(failure, STEP_PROC, errno, "procfs with subset=pid,hidepid=invisible");
        jail->proc = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        return jail->proc < 0 ? failure_set(failure, STEP_PROC, errno, "fsmount") : 0;
}

/* A Landlock domain for each child, where the kernel has Landlock. */
static int open_landlock(int *ret_landlock, struct failure *failure)
{
        int r = landlock_open_apart(ret_landlock);

        return r < 0 ? failure_set(failure, STEP_LANDLOCK_RULESET, -r, "create") : 0;
}

/* uid 0 is nobody special from here on, whatever is executed; capabilities(7), "The securebits flags". */
static int drop_securebits(struct failure *failure)
{
        const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                                   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED | SECBIT_KEEP_CAPS;

        if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
                return failure_set(failure, STEP_SECUREBITS, errno, "PR_SET_SECUREBITS");
        for (cap_value_t value = 0; value < cap_max_bits(); value++)
                if (cap_drop_bound(value) < 0)
                        return failure_set(failure, STEP_BOUNDING, errno, "capability %d", (int)value);
        return 0;
}

/*
 * The zygote's own account, with just what its children need on their way: SETUID and SETGID to become
 * somebody, SYS_ADMIN for a PID namespace at clone3(2).
 */
static int become_zygote(uid_t uid, gid_t gid, struct failure *failure)
{
        static const cap_value_t kept[] = {CAP_SETUID, CAP_SETGID, CAP_SYS_ADMIN};
        cap_t capabilities = cap_init();
        int r = 0;

        if (!capabilities || cap_set_flag(capabilities, CAP_PERMITTED, ELEMENTS(kept), kept, CAP_SET) < 0 ||
                cap_set_flag(capabilities, CAP_EFFECTIVE, ELEMENTS(kept), kept, CAP_SET) < 0)
                r = failure_set(failure, STEP_CAPABILITIES, errno, "prepare");
        else if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
                r = failure_set(failure, STEP_ZYGOTE_ACCOUNT, errno, "uid %u, gid %u", uid, gid);
        else if (cap_set_proc(capabilities) < 0)
                r = failure_set(failure, STEP_CAPABILITIES, errno, "SETUID, SETGID and SYS_ADMIN");
        cap_free(capabilities);
        return r;
}

static int attach_filter(const struct index *index, struct index_span span, const char *name, struct failure *failure)
{
        struct sock_fprog filter = {
                .len = (unsigned short)span.count,
                .filter = (struct sock_filter *)(uintptr_t)index_array(index, span),
        };

        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
                return failure_set(failure, STEP_FILTER, errno, "%s", name);
        return 0;
}

/*
 * Hard limits above our own are for CAP_SYS_RESOURCE to set, which no child has: here and now, the soft ones
 * stay. The children then lower both to what the service says.
 */
static int raise_limits(const struct index_service *service, struct failure *failure)
{
        for (int i = 0; i < INDEX_LIMITS; i++) {
                struct rlimit limit;

                if (!(service->limits_set & (UINT64_C(1) << i)))
                        continue;
                if (getrlimit((__rlimit_resource_t)i, &limit) < 0)
                        return failure_set(failure, STEP_LIMITS, errno, "limit %d", i);
                if (limit.rlim_max >= service->limits[i])
                        continue;
                limit.rlim_max = service->limits[i];
                if (setrlimit((__rlimit_resource_t)i, &limit) < 0)
                        return failure_set(failure, STEP_LIMITS, errno, "limit %d, above the broker's own", i);
        }
        return 0;
}

/* Stage 1. The list of what is denied first: the list of what is allowed then cannot be attached around it.
 */
static int confine(const struct index *index, const struct index_service *service, struct failure *failure)
{
        int r;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return failure_set(failure, STEP_DEATH_SIGNAL, errno, "zygote");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return failure_set(failure, STEP_NO_NEW_PRIVS, errno, "zygote");
        r = attach_filter(index, service->filter_deny, "deny", failure);
        return r < 0 ? r : attach_filter(index, service->filter_allow, "allow", failure);
}

/* The order matters: each step needs a right that a later one gives up. */
static int set_up(struct jail *jail, uid_t uid, gid_t gid, const char *entry, struct failure *failure)
{
        int r = set_up_signals();

        if (r < 0)
                return failure_set(failure, STEP_SESSION, -r, "signals");
        r = enter_namespaces(jail->service, failure);
        if (r == 0)
                r = open_context(entry, jail, failure);
        if (r == 0)
                r = root_enter(jail->index, jail->service, failure);
        if (r == 0)
                r = open_landlock(&jail->landlock, failure);
        if (r == 0)
                r = raise_limits(jail->service, failure);
        if (r == 0)
                r = drop_securebits(failure);
        if (r == 0)
                r = become_zygote(uid, gid, failure);
        return r < 0 ? r : confine(jail->index, jail->service, failure);
}

static int answer(const struct jail *jail, uint64_t number, const struct failure *failure, int pidfd)
{
        struct spawn_reply reply = {.magic = SPAWN_MAGIC, .number = number};

        if (failure) {
                reply.step = failure->step;
                reply.error = failure->error;
                memcpy(reply.detail, failure->detail, sizeof(reply.detail));
        }
        return descriptors_send(jail->control, &reply, sizeof(reply), &pidfd, pidfd >= 0 ? 1 : 0);
}

/* The descriptors of a message, by what they are for. Returns the cgroup's, or -1 for none. */
static int sort_descriptors(uint32_t flags, const int *fds, struct jail_request *request)
{
        size_t next = SPAWN_FDS;
        int cgroup = -1;

        memcpy(request->fds, fds, SPAWN_FDS * sizeof(int));
        if (flags & SPAWN_CGROUP)
                cgroup = fds[next++];
        request->temporary = flags & SPAWN_TEMPORARY ? fds[next++] : -1;
        request->command = flags & SPAWN_COMMAND ? fds[next++] : -1;
        return cgroup;
}

/*
 * A child of the broker's, not ours (CLONE_PARENT): we cannot forge its exit status, and our death does not
 * take it along. Exit signal 0 is what clone3(2) demands with CLONE_PARENT.
 */
static pid_t clone_child(const struct index_service *service, uint32_t flags, int cgroup, int *ret_pidfd)
{
        struct clone_args arguments = {
                .flags = CLONE_PARENT | CLONE_PIDFD | CLONE_NEWPID,
                .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
        };

        if (flags & SPAWN_TEMPORARY)
                arguments.flags |= CLONE_NEWNS;
        if (service->flags & INDEX_PRIVATE_IPC)
                arguments.flags |= CLONE_NEWIPC;
        if (cgroup >= 0) {
                arguments.flags |= CLONE_INTO_CGROUP;
                arguments.cgroup = (unsigned)cgroup;
        }
        return (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
}

/* In the child. */
_Noreturn static void enter(const struct jail *jail, struct jail_request *request)
{
        enum step step;
        int r = jail_enter(jail, request, &step);

        if (r < 0)
                init_fail(step == STEP_DESCRIPTORS ? request->fds[SPAWN_FD_REPORT] : JAIL_FD_REPORT, step, -r);
        init_run(jail, request);
}

static int serve(const struct jail *jail, const struct spawn_request *spawn, const int *fds)
{
        struct jail_request request = {.spawn = spawn};
        struct failure failure = {.step = STEP_CLONE};
        int pidfd = -1, cgroup = sort_descriptors(spawn->flags, fds, &request), r;
        pid_t pid;

        pid = clone_child(jail->service, spawn->flags, cgroup, &pidfd);
        if (pid == 0)
                enter(jail, &request);
        failure.error = errno;
        r = answer(jail, spawn->number, pid < 0 ? &failure : NULL, pidfd);
        close_fd(pidfd);
        return r;
}

/* Until the broker closes its end. A message that is not understood ends the zygote: the broker alone can
 * send. */
static int loop(const struct jail *jail)
{
        static struct spawn_request spawn;

        for (;;) {
                int fds[SPAWN_FDS_MAX], r;
                size_t n_fds = 0;
                ssize_t n = descriptors_receive(jail->control, &spawn, sizeof(spawn), fds, SPAWN_FDS_MAX, &n_fds, 0);

                if (n <= 0)
                        return (int)n;
                if (spawn_check_request(&spawn, (size_t)n, n_fds) < 0)
                        return -EBADMSG;
                r = serve(jail, &spawn, fds);
                descriptors_close(fds, n_fds);
                if (r < 0)
                        return r;
        }
}

static uint32_t parse_id(const char *text)
{
        return (uint32_t)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
        static struct index index;
        struct jail jail = {.index = &index, .control = ZYGOTE_FD_CONTROL, .landlock = -1, .proc = -1, .entry = -1};
        struct failure failure = {0};
        uint32_t number;
        int r;

        if (argc != 5 || fcntl(ZYGOTE_FD_CONTROL, F_GETFD) < 0) {
                fprintf(stderr, "%s is started by sandboxd, not by hand\n", argv[0]);
                return EXIT_FAILURE;
        }
        number = parse_id(argv[1]);
        r = index_open(ZYGOTE_FD_INDEX, &index);
        if (r == 0 && number >= index.header->services.count)
                r = -EBADMSG;
        if (r < 0) {
                failure_set(&failure, STEP_INDEX, -r, "service %u", number);
        } else {
                jail.service = &index_services(&index)[number];
                r = set_up(&jail, parse_id(argv[2]), parse_id(argv[3]), argv[4], &failure);
        }
        if (answer(&jail, 0, r < 0 ? &failure : NULL, -1) < 0 || r < 0)
                return EXIT_FAILURE;
        return loop(&jail) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
