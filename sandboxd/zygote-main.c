/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sandboxd-zygote SERVICE UID GID LIBEXEC
 *
 * One for each service (or each identity of a service), executed afresh by the broker: it moves into the
 * service's namespaces and root, gives up all that it does not need to become somebody, and then forks a
 * confined child for each spawn request. It sees what the broker sends, never a byte of a client's.
 *
 * SERVICE is a number in the index at ZYGOTE_FD_INDEX; UID and GID are those of the zygote's own account; LIBEXEC is
 * the folder of sandboxd-entry and warm/. Diagnostics go to the broker, as (step, errno, detail) in a spawn reply.
 */

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "child/application.h"
#include "child/init.h"
#include "child/keeper.h"
#include "child/limits.h"
#include "child/report.h"
#include "common/capabilities.h"
#include "common/cleanup.h"
#include "common/descriptors.h"
#include "common/keyed.h"
#include "common/landlock.h"
#include "common/rseq.h"
#include "common/sanitizer.h"
#include "sandboxd/root.h"

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
 * step_context() in child/application.c. The root will have neither. An application zygote looks at itself by the
 * former, before it forks.
 */
static int open_context(const char *libexec, struct jail *jail, struct failure *failure)
{
        _cleanup_close_ int context = -1;
        char entry[PATH_MAX];

        if (index_applies_contexts(jail->index)) {
                snprintf(entry, sizeof(entry), "%s/sandboxd-entry", libexec);
                jail->entry = open(entry, O_PATH | O_CLOEXEC);
                if (jail->entry < 0)
                        return failure_set(failure, STEP_PROC, errno, "%s", entry);
        } else if (!(jail->service->flags & INDEX_WARM)) {
                return 0;
        }
        context = fsopen("proc", FSOPEN_CLOEXEC);
        if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "subset", "pid", 0) < 0 ||
                fsconfig(context, FSCONFIG_SET_STRING, "hidepid", "invisible", 0) < 0 ||
                fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return failure_set(failure, STEP_PROC, errno, "procfs with subset=pid,hidepid=invisible");
        jail->proc = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        return jail->proc < 0 ? failure_set(failure, STEP_PROC, errno, "fsmount") : 0;
}

/*
 * A Landlock domain for each child, where the kernel has Landlock, and around them one of the zygote's: it can look
 * into no process but these, though there may be others of an account that it can become. A domain may not mount,
 * however, and a /tmp for each request is a mount.
 */
static int open_landlock(struct jail *jail, struct failure *failure)
{
        int r = landlock_open_apart(&jail->landlock);

        if (r == 0 && !(jail->service->flags & INDEX_PRIVATE_TMP))
                r = syscall(SYS_landlock_restrict_self, jail->landlock, 0) < 0 ? -errno : 0;
        return r < 0 ? failure_set(failure, STEP_LANDLOCK_RULESET, -r, "create, enter") : 0;
}

/*
 * uid 0 is nobody special from here on, whatever is executed; capabilities(7), "The securebits flags". Nobody can add
 * to a bounding set: that it is empty is proved here, once for all children.
 */
static int drop_securebits(struct failure *failure)
{
        const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                                   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED | SECBIT_KEEP_CAPS;
        int r;

        if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
                return failure_set(failure, STEP_SECUREBITS, errno, "PR_SET_SECUREBITS");
        r = capabilities_bound(0);
        return r < 0 ? failure_set(failure, STEP_BOUNDING, -r, "all capabilities") : 0;
}

/*
 * The zygote's own account, with just what its children need on their way: SETUID and SETGID to become
 * somebody, SYS_ADMIN for a PID namespace at clone3(2).
 */
static int become_zygote(uid_t uid, gid_t gid, struct failure *failure)
{
        const uint64_t kept = CAPABILITY_BIT(CAP_SETUID) | CAPABILITY_BIT(CAP_SETGID) | CAPABILITY_BIT(CAP_SYS_ADMIN);
        int r;

        if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
                return failure_set(failure, STEP_ZYGOTE_ACCOUNT, errno, "uid %u, gid %u", uid, gid);
        r = capabilities_keep(kept);
        return r < 0 ? failure_set(failure, STEP_CAPABILITIES, -r, "SETUID, SETGID and SYS_ADMIN") : 0;
}

static int attach_filter(const struct sock_filter *program, size_t n, const char *name, struct failure *failure)
{
        struct sock_fprog filter = {.len = (unsigned short)n, .filter = (struct sock_filter *)(uintptr_t)program};

        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
                return failure_set(failure, STEP_FILTER, errno, "%s", name);
        return 0;
}

/* The third filter, with our key, where a key is all that its children need: it is not attached for each of them. */
static int attach_last(struct jail *jail, struct failure *failure)
{
        const struct index_span span = jail->service->filter_last;
        struct sock_filter program[64];

        if (!(jail->service->flags & INDEX_KEYED))
                return 0;
        if (span.count > ELEMENTS(program) ||
                keyed_put(index_array(jail->index, span), span.count, jail->key, program) < 0)
                return failure_set(failure, STEP_FILTER, EBADMSG, "last");
        return attach_filter(program, span.count, "last", failure);
}

/* The list of what is denied first: the list of what is allowed then cannot be attached around it. */
static int confine(struct jail *jail, struct failure *failure)
{
        const struct index_span deny = jail->service->filter_deny, allow = jail->service->filter_allow;
        int r;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return failure_set(failure, STEP_DEATH_SIGNAL, errno, "zygote");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return failure_set(failure, STEP_NO_NEW_PRIVS, errno, "zygote");
        if (getrandom(&jail->key, sizeof(jail->key), 0) != sizeof(jail->key))
                return failure_set(failure, STEP_FILTER, errno, "a key");
        r = attach_filter(index_array(jail->index, deny), deny.count, "deny", failure);
        if (r == 0)
                r = attach_filter(index_array(jail->index, allow), allow.count, "allow", failure);
        return r < 0 ? r : attach_last(jail, failure);
}

/* What comes with a message then has the numbers from JAIL_FDS on, one after the other. */
static int fill_gaps(struct failure *failure)
{
        int fd;

        do
                fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0); /* /dev/null */
        while (fd >= 0 && fd < JAIL_FDS);
        close_fd(fd);
        return fd == JAIL_FDS ? 0 : failure_set(failure, STEP_DESCRIPTORS, errno, "zygote");
}

/* The order matters: each step needs a right that a later one gives up. */
static int set_up(struct jail *jail, uid_t uid, gid_t gid, const char *libexec, struct failure *failure)
{
        int signals = init_signals(), r;

        _Static_assert((int)JAIL_FD_SIGNALS == (int)ZYGOTE_FD_INDEX, "the index is mapped, its descriptor not needed");
        if (signals < 0 || dup3(signals, JAIL_FD_SIGNALS, O_CLOEXEC) < 0)
                return failure_set(failure, STEP_SESSION, errno, "signals");
        jail->self = (int)syscall(SYS_pidfd_open, getpid(), 0);
        if (jail->self < 0 || pipe2(jail->ready, O_CLOEXEC) < 0)
                return failure_set(failure, STEP_SESSION, errno, "pidfd and pipe");
        r = enter_namespaces(jail->service, failure);
        if (r == 0)
                r = open_context(libexec, jail, failure);
        if (r == 0)
                r = root_enter(jail->index, jail->service, libexec, failure);
        if (r == 0)
                r = open_landlock(jail, failure);
        if (r == 0)
                r = fill_gaps(failure);
        if (r == 0)
                r = limits_raise(jail->service, failure);
        if (r == 0)
                r = drop_securebits(failure);
        if (r == 0)
                r = become_zygote(uid, gid, failure);
        return r < 0 ? r : confine(jail, failure);
}

static int answer(const struct jail *jail, uint64_t number, const struct failure *failure, int pidfd, int keeper)
{
        struct spawn_reply reply = {.magic = SPAWN_MAGIC, .number = number, .keeper = keeper >= 0};
        const int fds[SPAWN_REPLY_FDS_MAX] = {pidfd >= 0 ? pidfd : keeper, keeper};

        if (failure) {
                reply.step = failure->step;
                reply.error = failure->error;
                memcpy(reply.detail, failure->detail, sizeof(reply.detail));
        }
        return descriptors_send(jail->control, &reply, sizeof(reply), fds, (pidfd >= 0) + (size_t)(keeper >= 0));
}

/* The keeper of a PID namespace (child/keeper.h), which is ready when this returns 0. */
static int clone_keeper(const struct jail *jail, int *ret_pidfd)
{
        struct clone_args arguments = {
                .flags = CLONE_PARENT | CLONE_PIDFD | CLONE_NEWPID,
                .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
        };
        long pid = keyed_call(jail->key, SYS_clone3, (long)&arguments, sizeof(arguments), 0, 0, 0);

        if (pid == 0)
                keeper_run(jail);
        if (pid < 0)
                return -errno;
        keeper_await(jail);
        return 0;
}

/* Goes where the PID namespace of the next child is, or is to be made: below our own alone (pid_namespaces(7)). */
static int enter_pid_namespace(const struct jail *jail, uint32_t flags, int keeper, int *ret_keeper)
{
        int target = flags & SPAWN_NAMESPACE ? keeper : jail->self, r;

        if (keyed_call(jail->key, SYS_setns, target, CLONE_NEWPID, 0, 0, 0) < 0)
                return -errno;
        if (!(flags & SPAWN_KEEP))
                return 0;
        r = clone_keeper(jail, ret_keeper);
        if (r < 0)
                return r;
        return keyed_call(jail->key, SYS_setns, *ret_keeper, CLONE_NEWPID, 0, 0, 0) < 0 ? -errno : 0;
}

/*
 * A child of the broker's, not ours (CLONE_PARENT): we cannot forge its exit status, and our death does not
 * take it along. With CLONE_PARENT clone3(2) demands the exit signal 0, and takes our own.
 */
static pid_t clone_child(const struct jail *jail, uint32_t flags, int cgroup, int *ret_pidfd)
{
        struct clone_args arguments = {
                .flags = CLONE_PARENT | CLONE_PIDFD,
                .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
        };

        if (!spawn_is_kept(flags))
                arguments.flags |= CLONE_NEWPID;
        if (flags & SPAWN_TEMPORARY)
                arguments.flags |= CLONE_NEWNS;
        if (jail->service->flags & INDEX_PRIVATE_IPC)
                arguments.flags |= CLONE_NEWIPC;
        if (cgroup >= 0) {
                arguments.flags |= CLONE_INTO_CGROUP;
                arguments.cgroup = (unsigned)cgroup;
        }
        return (pid_t)keyed_call(jail->key, SYS_clone3, (long)&arguments, sizeof(arguments), 0, 0, 0);
}

/* In the child. */
_Noreturn static void enter(const struct jail *jail, struct jail_request *request)
{
        enum step step;
        int r = jail_enter(jail, request, &step);

        if (r < 0)
                report_failure(
                        step == STEP_DESCRIPTORS ? request->fds.always[SPAWN_FD_REPORT] : JAIL_FD_REPORT, step, -r);
        if (spawn_is_kept(request->spawn->flags))
                application_run(jail, request);
        init_run(jail, request);
}

static int serve(const struct jail *jail, const struct spawn_request *spawn, const int *fds)
{
        struct jail_request request = {.spawn = spawn};
        struct failure failure = {.step = STEP_CLONE};
        int pidfd = -1, keeper = -1, r;
        pid_t pid = -1;

        spawn_sort_fds(spawn->flags, fds, &request.fds);
        failure.error = -enter_pid_namespace(jail, spawn->flags, request.fds.keeper, &keeper);
        if (failure.error == 0)
                pid = clone_child(jail, spawn->flags, request.fds.cgroup, &pidfd);
        if (pid == 0)
                enter(jail, &request);
        if (pid < 0 && failure.error == 0)
                failure.error = errno;
        r = answer(jail, spawn->number, pid < 0 ? &failure : NULL, pidfd, keeper);
        /* What came with the message, and the pidfd. None of it can hold up a close: the broker saw to that. */
        return close_range(JAIL_FDS, ~0U, 0) < 0 ? -errno : r;
}

/* Until the broker closes its end. A message that is not understood ends the zygote: the broker alone can
 * send. */
static int loop(const struct jail *jail)
{
        struct spawn_request spawn; /* a fork pays for each page that has been written */

        for (;;) {
                int fds[SPAWN_FDS_MAX], r;
                size_t n_fds = 0;
                ssize_t n = descriptors_receive(jail->control, &spawn, sizeof(spawn), fds, SPAWN_FDS_MAX, &n_fds, 0);

                if (n <= 0)
                        return (int)n;
                if (spawn_check_request(&spawn, (size_t)n, n_fds) < 0)
                        return -EBADMSG;
                r = serve(jail, &spawn, fds);
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
        rseq_unregister();
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
        if (answer(&jail, 0, r < 0 ? &failure : NULL, -1, -1) < 0 || r < 0)
                return EXIT_FAILURE;
        r = loop(&jail);
        /* What it clones now, to look for leaks, would be in a keeper's PID namespace, which ends only after it. */
        if (SANITIZER && enter_pid_namespace(&jail, 0, -1, NULL) < 0)
                return EXIT_FAILURE;
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
