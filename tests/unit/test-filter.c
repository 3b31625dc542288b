/* SPDX-License-Identifier: Apache-2.0 */
/* links: compiler/filter.c compiler/filter-deny.c compiler/filter-last.c compiler/filter-lines.c */
/* links: compiler/filter-program.c */
/* links: compiler/filter-warm.c compiler/syscalls.c compiler/builder.c compiler/memory.c compiler/diagnostics.c */
/* links: common/index.c common/keyed.c */
/* libs: -lseccomp */

/*
 * The filters are attached, and the calls made: what counts is what the kernel answers. Each case has a process of
 * its own. Needs root, which without a filter may do all of it: a refusal is then the filter's.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/keyed.h"
#include "common/warm.h"
#include "compiler/filter.h"

enum { MIN_UID = 1000, MIN_GID = 2000, LINES_MAX = 4 };

#define HIGH   (UINT64_C(1) << 32)
#define KILLED 1000 /* by SIGSYS */

/* What a .service file says. */
struct lines {
        const char *calls[LINES_MAX];
        const char *families;
        bool temporary, warm, signals;
};

struct filters {
        struct builder builder;
        struct index index;
        struct index_service service;
};

/* Where complaints are not what is looked at. */
static FILE *silence(void)
{
        FILE *real = stderr;

        stderr = fopen("/dev/null", "we");
        return real;
}

static void unsilence(FILE *real)
{
        fclose(stderr);
        stderr = real;
}

static void read_lines(struct filter *filter, const struct lines *lines)
{
        const struct position position = {.file = "test"};

        memset(filter, 0, sizeof(*filter));
        for (size_t i = 0; i < LINES_MAX && lines->calls[i]; i++)
                filter_line(filter, lines->calls[i], position);
        if (lines->families)
                filter_families_line(filter, lines->families, position);
        if (!filter->chosen)
                filter_default(filter);
}

static void make(struct filters *filters, const struct lines *lines)
{
        struct filter filter;
        const struct filter_purpose purpose = {
                .min_uid = MIN_UID,
                .min_gid = MIN_GID,
                .temporary = lines->temporary,
                .warm = lines->warm,
                .signals = lines->signals,
        };
        const unsigned before = diagnose_errors();

        memset(filters, 0, sizeof(*filters));
        read_lines(&filter, lines);
        assert_int_equal(diagnose_errors(), before);
        builder_init(&filters->builder);
        filter_build(&filter, &purpose, &filters->builder, &filters->service);
        filters->index = builder_finish(&filters->builder, (struct index_header){0});
}

static int attach(const struct filters *filters, struct index_span span)
{
        struct sock_fprog program = {
                .len = (unsigned short)span.count,
                .filter = (struct sock_filter *)(uintptr_t)index_array(&filters->index, span),
        };

        return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

#define KEY UINT64_C(0x0123456789abcdef)

/* As a zygote does: with its key in the filter. */
static int attach_last(const struct filters *filters, uint64_t key)
{
        const struct index_span span = filters->service.filter_last;
        struct sock_filter own[BPF_MAXINSNS];
        struct sock_fprog program = {.len = (unsigned short)span.count, .filter = own};

        if (keyed_put(index_array(&filters->index, span), span.count, key, own) < 0)
                return -1;
        return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

/* As a child of an application zygote does: with its own process id in the filter. */
static int attach_warm(const struct filters *filters)
{
        const struct sock_filter *filter = index_array(&filters->index, filters->service.filter_warm);
        struct sock_filter own[BPF_MAXINSNS];
        struct sock_fprog program = {.len = (unsigned short)filters->service.filter_warm.count, .filter = own};

        for (size_t i = 0; i < program.len; i++) {
                own[i] = filter[i];
                if (own[i].k == WARM_FILTER_PID)
                        own[i].k = (uint32_t)getpid();
        }
        return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

#define NOBODY 0x7ffffff0                   /* no process has this number: above the kernel's PID_MAX_LIMIT, proc(5) */
#define SELF   UINT64_C(0x5e1f5e1f5e1f5e1f) /* an argument: the caller's process id */

struct call {
        long number;
        uint64_t arguments[6];
};

enum stage { JAIL = 1, APPLICATION, CHILD };

static int attach_all(const struct filters *filters, enum stage stage)
{
        bool keyed = filters->service.flags & INDEX_KEYED;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || attach(filters, filters->service.filter_deny) < 0 ||
                attach(filters, filters->service.filter_allow) < 0)
                return -1;
        if (keyed && attach_last(filters, KEY) < 0)
                return -1;
        if (!keyed && stage >= APPLICATION && attach(filters, filters->service.filter_last) < 0)
                return -1;
        return stage == CHILD ? attach_warm(filters) : 0;
}

/* In a child with the filters of that stage, in the jail with the key: 0, the errno, or KILLED. */
static int make_call(const struct filters *filters, enum stage stage, const struct call *call)
{
        uint64_t a[ELEMENTS(call->arguments)];
        pid_t pid = fork();
        int status;
        long r;

        assert_true(pid >= 0);
        if (pid == 0) {
                for (size_t i = 0; i < ELEMENTS(a); i++)
                        a[i] = call->arguments[i] == SELF ? (uint64_t)getpid() : call->arguments[i];
                if (stage == JAIL && filters->service.flags & INDEX_KEYED)
                        a[5] = KEY;
                if (attach_all(filters, stage) < 0)
                        _exit(255);
                r = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
                /* Not _exit(3): before it, the address sanitizer makes calls that the filter refuses. */
                syscall(SYS_exit_group, r == -1 ? errno : 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFSIGNALED(status))
                return WTERMSIG(status) == SIGSYS ? KILLED : -WTERMSIG(status);
        assert_int_not_equal(WEXITSTATUS(status), 255);
        return WEXITSTATUS(status);
}

struct call_case {
        const char *what;
        struct call call;
        int jail, application; /* what is expected in each of two stages */
};

/* Of a service that is warm: what its application zygote gets, and a child of that. */
static void check_calls(const struct lines *lines, const struct call_case *cases, size_t n)
{
        const enum stage first = lines->warm ? APPLICATION : JAIL, second = lines->warm ? CHILD : APPLICATION;
        struct filters filters;

        if (geteuid() != 0) {
                print_message("needs root\n");
                skip();
        }
        make(&filters, lines);
        assert_true((filters.service.filter_warm.count > 0) == lines->warm);
        for (size_t i = 0; i < n; i++) {
                int jail = make_call(&filters, first, &cases[i].call);
                int application = make_call(&filters, second, &cases[i].call);

                if (jail != cases[i].jail || application != cases[i].application)
                        fail_msg("%s: %d then %d, expected %d then %d", cases[i].what, jail, application, cases[i].jail,
                                cases[i].application);
        }
        free(filters.builder.data);
}

#define CHECK(lines, cases) check_calls(lines, cases, ELEMENTS(cases))

static const struct lines by_default = {.families = NULL};

static void test_default(void **state)
{
        static const struct call_case cases[] = {
                {"getpid", {SYS_getpid, {0}}, 0, 0},
                {"getcwd", {SYS_getcwd, {0}}, ERANGE, ERANGE},
                {"pipe2", {SYS_pipe2, {0}}, EFAULT, EFAULT},
                {"connect", {SYS_connect, {UINT32_MAX}}, EBADF, EBADF},
                {"execve", {SYS_execve, {0}}, EFAULT, EFAULT},
                {"kill", {SYS_kill, {0, 99}}, EINVAL, EINVAL},
                /* known, and refused */
                {"ptrace", {SYS_ptrace, {0}}, EPERM, EPERM},
                {"keyctl", {SYS_keyctl, {0, (uint64_t)-3}}, EPERM, EPERM},
                {"add_key", {SYS_add_key, {0}}, EPERM, EPERM},
                {"request_key", {SYS_request_key, {0}}, EPERM, EPERM},
                {"shmget", {SYS_shmget, {0, 4096, 0600}}, EPERM, EPERM},
                {"semget", {SYS_semget, {0, 1, 0600}}, EPERM, EPERM},
                {"msgget", {SYS_msgget, {0, 0600}}, EPERM, EPERM},
                {"mq_open", {SYS_mq_open, {0}}, EPERM, EPERM},
                {"chown", {SYS_chown, {0}}, EPERM, EPERM},
                {"mount", {SYS_mount, {0}}, EPERM, EPERM},
                {"umount2", {SYS_umount2, {0}}, EPERM, EPERM},
                {"chroot", {SYS_chroot, {0}}, EPERM, EPERM},
                {"pivot_root", {SYS_pivot_root, {0}}, EPERM, EPERM},
                {"open_tree", {SYS_open_tree, {0}}, EPERM, EPERM},
                {"fsopen", {SYS_fsopen, {0}}, EPERM, EPERM},
                {"move_mount", {SYS_move_mount, {0}}, EPERM, EPERM},
                {"setns", {SYS_setns, {UINT32_MAX, CLONE_NEWPID}}, EBADF, EPERM},
                {"setns of a mount namespace", {SYS_setns, {UINT32_MAX, CLONE_NEWNS}}, EPERM, EPERM},
                {"setns of both", {SYS_setns, {UINT32_MAX, CLONE_NEWPID | CLONE_NEWNET}}, EPERM, EPERM},
                {"setns of any", {SYS_setns, {UINT32_MAX}}, EPERM, EPERM},
                {"setns with high bits", {SYS_setns, {UINT32_MAX, CLONE_NEWPID | HIGH}}, EPERM, EPERM},
                {"unshare of nothing", {SYS_unshare, {0}}, EPERM, EPERM},
                {"bpf", {SYS_bpf, {0}}, EPERM, EPERM},
                {"perf_event_open", {SYS_perf_event_open, {0}}, EPERM, EPERM},
                {"userfaultfd", {SYS_userfaultfd, {0}}, EPERM, EPERM},
                {"io_uring_setup", {SYS_io_uring_setup, {1}}, EPERM, EPERM},
                {"io_uring_enter", {SYS_io_uring_enter, {UINT32_MAX}}, EPERM, EPERM},
                {"io_uring_register", {SYS_io_uring_register, {UINT32_MAX}}, EPERM, EPERM},
                {"process_vm_readv", {SYS_process_vm_readv, {0}}, EPERM, EPERM},
                {"pidfd_getfd", {SYS_pidfd_getfd, {UINT32_MAX}}, EPERM, EPERM},
                {"open_by_handle_at", {SYS_open_by_handle_at, {0}}, EPERM, EPERM},
                {"init_module", {SYS_init_module, {0}}, EPERM, EPERM},
                {"kexec_load", {SYS_kexec_load, {0}}, EPERM, EPERM},
                {"reboot", {SYS_reboot, {0}}, EPERM, EPERM},
                {"syslog", {SYS_syslog, {2}}, EPERM, EPERM},
                /* not known: as if the kernel were older */
                {"999", {999, {0}}, ENOSYS, ENOSYS},
                {"1023", {1023, {0}}, ENOSYS, ENOSYS},
                {"1024", {1024, {0}}, ENOSYS, ENOSYS},
                {"100000", {100000, {0}}, ENOSYS, ENOSYS},
                {"below the x32 bit", {0x3fffffff, {0}}, ENOSYS, ENOSYS},
                /* what the jail needs, and the application does not get */
                {"setsid", {SYS_setsid, {0}}, 0, 0},
                {"seccomp", {SYS_seccomp, {99}}, EINVAL, EPERM},
                {"setgroups", {SYS_setgroups, {0}}, 0, EPERM},
                {"capset", {SYS_capset, {0}}, EFAULT, EPERM},
                {"landlock_restrict_self", {SYS_landlock_restrict_self, {UINT32_MAX, 99}}, EINVAL, EPERM},
        };

        (void)state;
        CHECK(&by_default, cases);
}

#if defined(__x86_64__)
/* The second table of x86-64: the same calls by other numbers would be a way round. */
static void test_x32(void **state)
{
        static const struct call_case cases[] = {
                {"getpid", {0x40000000 | SYS_getpid, {0}}, KILLED, KILLED},
                {"ptrace", {0x40000000 | SYS_ptrace, {0}}, KILLED, KILLED},
                {"x32 execve", {0x40000000 | 520, {0}}, KILLED, KILLED},
        };

        (void)state;
        CHECK(&by_default, cases);
}
#endif

/* The exit signal is in the low byte; a child that comes into being exits by itself, with the same code. */
static void test_clone(void **state)
{
        static const struct call_case cases[] = {
                {"clone", {SYS_clone, {SIGCHLD}}, 0, 0},
                {"clone NEWUSER", {SYS_clone, {CLONE_NEWUSER | SIGCHLD}}, EPERM, EPERM},
                {"clone NEWNS", {SYS_clone, {CLONE_NEWNS | SIGCHLD}}, EPERM, EPERM},
                {"clone NEWPID", {SYS_clone, {CLONE_NEWPID | SIGCHLD}}, EPERM, EPERM},
                {"clone NEWNET", {SYS_clone, {CLONE_NEWNET | SIGCHLD}}, EPERM, EPERM},
                {"clone NEWIPC", {SYS_clone, {CLONE_NEWIPC | SIGCHLD}}, EPERM, EPERM},
                {"clone NEWUTS", {SYS_clone, {CLONE_NEWUTS | SIGCHLD}}, EPERM, EPERM},
                {"clone NEWCGROUP", {SYS_clone, {CLONE_NEWCGROUP | SIGCHLD}}, EPERM, EPERM},
                {"clone PARENT", {SYS_clone, {CLONE_PARENT | SIGCHLD}}, EPERM, EPERM},
                {"clone several", {SYS_clone, {CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD}}, EPERM, EPERM},
                {"clone high bits", {SYS_clone, {HIGH | SIGCHLD}}, 0, 0},
                {"clone NEWUSER high bits", {SYS_clone, {HIGH | CLONE_NEWUSER | SIGCHLD}}, EPERM, EPERM},
                {"clone NEWUSER all high bits", {SYS_clone, {UINT64_C(0xffffffff00000000) | CLONE_NEWUSER}}, EPERM,
                        EPERM},
                /* EINVAL: it reached the kernel, which finds no arguments */
                {"clone3", {SYS_clone3, {0, 0}}, EINVAL, ENOSYS},
        };

        (void)state;
        CHECK(&by_default, cases);
}

/* Ids from the minimum to -2. As root each of these would succeed; each case has a process of its own. */
static void test_ids(void **state)
{
        static const struct lines all = {.calls = {"@system-service @setuid setfsuid setfsgid"}};
        static const struct call_case cases[] = {
                {"setresuid", {SYS_setresuid, {30010, 30010, 30010}}, 0, 0},
                {"setresuid minimum", {SYS_setresuid, {MIN_UID, MIN_UID, MIN_UID}}, 0, 0},
                {"setresuid -2", {SYS_setresuid, {UINT32_MAX - 1, UINT32_MAX - 1, UINT32_MAX - 1}}, 0, 0},
                {"setresuid 0", {SYS_setresuid, {0, 0, 0}}, EPERM, EPERM},
                {"setresuid below", {SYS_setresuid, {MIN_UID - 1, MIN_UID - 1, MIN_UID - 1}}, EPERM, EPERM},
                {"setresuid first", {SYS_setresuid, {0, 30010, 30010}}, EPERM, EPERM},
                {"setresuid second", {SYS_setresuid, {30010, 0, 30010}}, EPERM, EPERM},
                {"setresuid third", {SYS_setresuid, {30010, 30010, 0}}, EPERM, EPERM},
                {"setresuid third below", {SYS_setresuid, {30010, 30010, MIN_UID - 1}}, EPERM, EPERM},
                {"setresuid -1", {SYS_setresuid, {UINT32_MAX, UINT32_MAX, UINT32_MAX}}, EPERM, EPERM},
                {"setresuid -1 in 64 bits", {SYS_setresuid, {UINT64_MAX, UINT64_MAX, UINT64_MAX}}, EPERM, EPERM},
                {"setresuid keeps saved", {SYS_setresuid, {30010, 30010, UINT32_MAX}}, EPERM, EPERM},
                {"setresuid 0 high bits", {SYS_setresuid, {HIGH, HIGH, HIGH}}, EPERM, EPERM},
                {"setresuid high bits", {SYS_setresuid, {HIGH | 30010, 30010, 30010}}, EPERM, EPERM},
                {"setresuid high bits third", {SYS_setresuid, {30010, 30010, HIGH | 30010}}, EPERM, EPERM},
                {"setresuid high high bit", {SYS_setresuid, {UINT64_C(1) << 63, 30010, 30010}}, EPERM, EPERM},
                {"setuid", {SYS_setuid, {30010}}, 0, 0},
                {"setuid 0", {SYS_setuid, {0}}, EPERM, EPERM},
                {"setuid below", {SYS_setuid, {MIN_UID - 1}}, EPERM, EPERM},
                {"setuid high bits", {SYS_setuid, {HIGH}}, EPERM, EPERM},
                {"setreuid", {SYS_setreuid, {30010, 30010}}, 0, 0},
                {"setreuid first", {SYS_setreuid, {0, 30010}}, EPERM, EPERM},
                {"setreuid second", {SYS_setreuid, {30010, 0}}, EPERM, EPERM},
                {"setreuid high bits", {SYS_setreuid, {30010, HIGH}}, EPERM, EPERM},
                {"setfsuid 0", {SYS_setfsuid, {0}}, EPERM, EPERM},
                {"setfsuid high bits", {SYS_setfsuid, {HIGH}}, EPERM, EPERM},
                {"setresgid", {SYS_setresgid, {30010, 30010, 30010}}, 0, 0},
                {"setresgid minimum", {SYS_setresgid, {MIN_GID, MIN_GID, MIN_GID}}, 0, 0},
                {"setresgid below", {SYS_setresgid, {MIN_GID - 1, MIN_GID - 1, MIN_GID - 1}}, EPERM, EPERM},
                {"setresgid minimum of uids", {SYS_setresgid, {MIN_UID, MIN_UID, MIN_UID}}, EPERM, EPERM},
                {"setresgid 0", {SYS_setresgid, {0, 0, 0}}, EPERM, EPERM},
                {"setresgid second", {SYS_setresgid, {30010, 0, 30010}}, EPERM, EPERM},
                {"setresgid third", {SYS_setresgid, {30010, 30010, 0}}, EPERM, EPERM},
                {"setresgid -1", {SYS_setresgid, {UINT32_MAX, UINT32_MAX, UINT32_MAX}}, EPERM, EPERM},
                {"setresgid 0 high bits", {SYS_setresgid, {HIGH, HIGH, HIGH}}, EPERM, EPERM},
                {"setgid", {SYS_setgid, {30010}}, 0, 0},
                {"setgid 0", {SYS_setgid, {0}}, EPERM, EPERM},
                {"setgid high bits", {SYS_setgid, {HIGH}}, EPERM, EPERM},
                {"setregid", {SYS_setregid, {30010, 30010}}, 0, 0},
                {"setregid second", {SYS_setregid, {30010, 0}}, EPERM, EPERM},
                {"setfsgid 0", {SYS_setfsgid, {0}}, EPERM, EPERM},
        };
        static const struct call_case not_asked_for[] = {
                {"setresuid", {SYS_setresuid, {30010, 30010, 30010}}, 0, EPERM},
                {"setresuid 0", {SYS_setresuid, {0, 0, 0}}, EPERM, EPERM},
                {"setresgid 0", {SYS_setresgid, {0, 0, 0}}, EPERM, EPERM},
                {"setuid", {SYS_setuid, {30010}}, EPERM, EPERM},
        };

        (void)state;
        CHECK(&all, cases);
        CHECK(&by_default, not_asked_for);
}

static void test_no_families(void **state)
{
        static const struct call_case cases[] = {
                {"AF_UNIX", {SYS_socket, {AF_UNIX, SOCK_STREAM}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"AF_INET", {SYS_socket, {AF_INET, SOCK_STREAM}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"AF_UNSPEC", {SYS_socket, {AF_UNSPEC, SOCK_STREAM}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"AF_UNIX high bits", {SYS_socket, {HIGH | AF_UNIX, SOCK_STREAM}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"socketpair", {SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, 0}}, EFAULT, EFAULT},
                {"socketpair flags", {SYS_socketpair, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, 0}}, EFAULT, EFAULT},
                /* these can be bound to an abstract name, and send to another */
                {"datagram pair", {SYS_socketpair, {AF_UNIX, SOCK_DGRAM}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"datagram pair flags", {SYS_socketpair, {AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC}},
                        EAFNOSUPPORT, EAFNOSUPPORT},
                {"datagram pair high bits", {SYS_socketpair, {AF_UNIX, HIGH | SOCK_DGRAM}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"raw pair", {SYS_socketpair, {AF_UNIX, SOCK_RAW}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"packet pair", {SYS_socketpair, {AF_UNIX, SOCK_SEQPACKET}}, EAFNOSUPPORT, EAFNOSUPPORT},
        };

        (void)state;
        CHECK(&by_default, cases);
        CHECK((&(struct lines){.families = "none"}), cases);
        CHECK((&(struct lines){.families = ""}), cases);
}

static void test_families(void **state)
{
        static const struct lines lines = {.families = "AF_UNIX AF_INET"};
        static const struct call_case cases[] = {
                {"AF_UNIX", {SYS_socket, {AF_UNIX, SOCK_STREAM}}, 0, 0},
                {"AF_INET", {SYS_socket, {AF_INET, SOCK_STREAM}}, 0, 0},
                {"datagram pair", {SYS_socketpair, {AF_UNIX, SOCK_DGRAM, 0, 0}}, EFAULT, EFAULT},
                {"AF_INET6", {SYS_socket, {AF_INET6, SOCK_STREAM}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"AF_NETLINK", {SYS_socket, {AF_NETLINK, SOCK_RAW}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"AF_PACKET", {SYS_socket, {AF_PACKET, SOCK_RAW}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"AF_VSOCK", {SYS_socket, {AF_VSOCK, SOCK_STREAM}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"63", {SYS_socket, {63, SOCK_STREAM}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"64", {SYS_socket, {64, SOCK_STREAM}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"65: AF_UNIX and 64", {SYS_socket, {65, SOCK_STREAM}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"-1", {SYS_socket, {UINT32_MAX, SOCK_STREAM}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"AF_UNIX high bits", {SYS_socket, {HIGH | AF_UNIX, SOCK_STREAM}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"AF_INET6 high bits", {SYS_socket, {HIGH | AF_INET6, SOCK_STREAM}}, EAFNOSUPPORT, EAFNOSUPPORT},
                {"AF_INET6 highest bit", {SYS_socket, {UINT64_C(1) << 63 | AF_INET6, SOCK_STREAM}}, EAFNOSUPPORT,
                        EAFNOSUPPORT},
        };

        (void)state;
        CHECK(&lines, cases);
}

static void test_family_lines(void **state)
{
        static const struct {
                const char *line;
                uint64_t families;
                bool refused;
        } cases[] = {
                {"none", 0, false},
                {"", 0, false},
                {"AF_UNIX", UINT64_C(1) << AF_UNIX, false},
                {" AF_UNIX\tAF_INET6 ", UINT64_C(1) << AF_UNIX | UINT64_C(1) << AF_INET6, false},
                {"AF_VSOCK", UINT64_C(1) << AF_VSOCK, false},
                {"~AF_INET", 0, true},
                {"AF_INTE", 0, true},
                {"AF_PACKET", 0, true}, /* sandboxd.service refuses it to all */
                {"af_unix", 0, true},
                {"1", 0, true},
                {"AF_UNIX,AF_INET", 0, true},
                {"AF_UNIXxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 0, true},
        };
        const struct position position = {.file = "test"};
        FILE *real = silence();

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct filter filter = {.families = 0};
                unsigned before = diagnose_errors();

                filter_families_line(&filter, cases[i].line, position);
                assert_true(cases[i].refused == (diagnose_errors() > before));
                if (!cases[i].refused)
                        assert_true(filter.families == cases[i].families);
        }
        unsilence(real);
}

static void test_ioctl(void **state)
{
        static const struct call_case cases[] = {
                {"FIONREAD", {SYS_ioctl, {UINT32_MAX, FIONREAD}}, EBADF, EBADF},
                {"TIOCSTI", {SYS_ioctl, {UINT32_MAX, TIOCSTI}}, EPERM, EPERM},
                {"TIOCSTI high bits", {SYS_ioctl, {UINT32_MAX, HIGH | TIOCSTI}}, EPERM, EPERM},
                {"TIOCSTI all high bits", {SYS_ioctl, {UINT32_MAX, UINT64_C(0xffffffff00000000) | TIOCSTI}}, EPERM,
                        EPERM},
                {"TIOCLINUX", {SYS_ioctl, {UINT32_MAX, TIOCLINUX}}, EPERM, EPERM},
                {"TIOCLINUX high bits", {SYS_ioctl, {UINT32_MAX, HIGH | TIOCLINUX}}, EPERM, EPERM},
                {"neighbours", {SYS_ioctl, {UINT32_MAX, TIOCSTI + 1}}, EBADF, EBADF},
        };

        (void)state;
        CHECK(&by_default, cases);
}

static void test_temporary(void **state)
{
        static const struct call_case cases[] = {
                {"move_mount", {SYS_move_mount, {UINT32_MAX, 0, 0, 0, 0x80000000}}, EINVAL, EPERM},
                {"fsmount", {SYS_fsmount, {UINT32_MAX}}, EPERM, EPERM},
        };

        (void)state;
        CHECK((&(struct lines){.temporary = true}), cases);
}

/* Three calls that the jail does not need, so that no stage hides the answer. */
static void test_lines(void **state)
{
        const struct {
                struct lines lines;
                int getcwd, sysinfo, kill; /* 0: refused */
        } cases[] = {
                {{.calls = {""}}, 1, 1, 1},
                {{.calls = {"getcwd"}}, 1, 0, 0},
                {{.calls = {"getcwd sysinfo"}}, 1, 1, 0},
                {{.calls = {"  getcwd\tsysinfo  "}}, 1, 1, 0},
                {{.calls = {"getcwd", "sysinfo"}}, 1, 1, 0},
                {{.calls = {"getcwd", "", "sysinfo"}}, 0, 1, 0},
                {{.calls = {"getcwd", ""}}, 1, 1, 1},
                {{.calls = {"@system-service"}}, 1, 1, 1},
                {{.calls = {"@file-system"}}, 1, 0, 0},
                {{.calls = {"@file-system @process"}}, 1, 0, 1},
                /* ~ before a word: that word */
                {{.calls = {"@system-service ~sysinfo"}}, 1, 0, 1},
                {{.calls = {"@system-service ~sysinfo kill"}}, 1, 0, 1},
                {{.calls = {"@system-service ~@file-system ~kill"}}, 0, 1, 0},
                {{.calls = {"getcwd sysinfo ~getcwd"}}, 0, 1, 0},
                {{.calls = {"@file-system ~@file-system getcwd"}}, 1, 0, 0},
                /* ~ at the beginning: the whole line, and from the default where nothing was before */
                {{.calls = {"~sysinfo"}}, 1, 0, 1},
                {{.calls = {"~sysinfo kill"}}, 1, 0, 0},
                {{.calls = {"~sysinfo ~kill"}}, 1, 0, 0},
                {{.calls = {"~@file-system"}}, 0, 1, 1},
                {{.calls = {"getcwd sysinfo", "~sysinfo"}}, 1, 0, 0},
                {{.calls = {"~sysinfo", "sysinfo"}}, 1, 1, 1},
                {{.calls = {"~sysinfo kill", "kill"}}, 1, 0, 1},
                {{.calls = {"getcwd", "", "~sysinfo"}}, 1, 0, 1},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const int getcwd_result = cases[i].getcwd ? ERANGE : EPERM;
                const int sysinfo_result = cases[i].sysinfo ? EFAULT : EPERM;
                const int kill_result = cases[i].kill ? EINVAL : EPERM;
                const struct call_case calls[] = {
                        {cases[i].lines.calls[0], {SYS_getcwd, {0}}, getcwd_result, getcwd_result},
                        {cases[i].lines.calls[0], {SYS_sysinfo, {0}}, sysinfo_result, sysinfo_result},
                        {cases[i].lines.calls[0], {SYS_kill, {0, 99}}, kill_result, kill_result},
                };

                CHECK(&cases[i].lines, calls);
        }
}

/* What is removed is not taken back by being needed, once the jail is done. */
static void test_removed_though_needed(void **state)
{
        static const struct lines lines = {.calls = {"@system-service ~prctl ~umask ~lseek"}};
        static const struct call_case cases[] = {
                {"prctl", {SYS_prctl, {PR_GET_DUMPABLE}}, 0, EPERM},
                {"umask", {SYS_umask, {0}}, 0, EPERM},
                {"lseek", {SYS_lseek, {UINT32_MAX}}, EBADF, EPERM},
                {"write", {SYS_write, {UINT32_MAX}}, EBADF, EBADF},
        };

        (void)state;
        CHECK(&lines, cases);
}

/* The broker's unit refuses calls to all that it starts, and so must not refuse what a service may ask for. */
static void test_what_the_unit_refuses_is_nobodys(void **state)
{
        static const char key[] = "SystemCallFilter=~";
        const struct lines all = {.calls = {"@known"}};
        struct filter with, without;
        FILE *unit = fopen("units/sandboxd.service", "re");
        char line[256] = "";

        (void)state;
        assert_non_null(unit);
        while (strncmp(line, key, strlen(key)) != 0)
                assert_non_null(fgets(line, sizeof(line), unit));
        fclose(unit);
        line[strcspn(line, "\n")] = '\0';
        read_lines(&with, &all);
        read_lines(&without, &(struct lines){.calls = {"@known", strchr(line, '~')}});
        for (int number = 0; number < SYSCALLS_MAX; number++)
                if (syscalls_has(&with.allowed, number) && !syscalls_has(&without.allowed, number)) {
                        const struct call_case refused = {line, {number, {0}}, EPERM, EPERM};

                        check_calls(&all, &refused, 1);
                }
}

/* The stand-in for accept(2) may fork into control groups and confine; a child that has a request may not. */
static void test_warm(void **state)
{
        static const struct call_case cases[] = {
                {"clone3", {SYS_clone3, {0, 0}}, EINVAL, ENOSYS},
                {"seccomp", {SYS_seccomp, {99}}, EINVAL, EPERM},
                {"landlock_restrict_self", {SYS_landlock_restrict_self, {UINT32_MAX, 99}}, EINVAL, EPERM},
                {"landlock_create_ruleset", {SYS_landlock_create_ruleset, {0}}, EPERM, EPERM},
                {"landlock_add_rule", {SYS_landlock_add_rule, {UINT32_MAX}}, EPERM, EPERM},
                {"clone", {SYS_clone, {SIGCHLD}}, 0, 0},
                {"clone NEWUSER", {SYS_clone, {CLONE_NEWUSER | SIGCHLD}}, EPERM, EPERM},
                {"prctl", {SYS_prctl, {PR_GET_DUMPABLE}}, 0, 0},
                {"execve", {SYS_execve, {0}}, EFAULT, EFAULT},
                {"read", {SYS_read, {UINT32_MAX}}, EBADF, EBADF},
                /* the jail's are gone before */
                {"setresuid", {SYS_setresuid, {30010, 30010, 30010}}, EPERM, EPERM},
                {"setgroups", {SYS_setgroups, {0}}, EPERM, EPERM},
                {"capset", {SYS_capset, {0}}, EPERM, EPERM},
                {"move_mount", {SYS_move_mount, {UINT32_MAX, 0, 0, 0, 0x80000000}}, EPERM, EPERM},
                {"ptrace", {SYS_ptrace, {0}}, EPERM, EPERM},
                /* Landlock's */
                {"kill another", {SYS_kill, {1, 0}}, 0, 0},
                {"F_SETOWN", {SYS_fcntl, {UINT32_MAX, F_SETOWN}}, EBADF, EBADF},
                /* what the kernel asks for the uid alone, of one that is not there */
                {"prlimit64", {SYS_prlimit64, {0, RLIMIT_NOFILE, 0, 0}}, 0, 0},
                {"prlimit64 another", {SYS_prlimit64, {NOBODY, RLIMIT_NOFILE, 0, 0}}, ESRCH, EPERM},
                {"prlimit64 high bits", {SYS_prlimit64, {HIGH, RLIMIT_NOFILE, 0, 0}}, 0, EPERM},
                {"setpriority another", {SYS_setpriority, {PRIO_PROCESS, NOBODY, 0}}, ESRCH, EPERM},
                {"setpriority of a user", {SYS_setpriority, {PRIO_USER, NOBODY, 0}}, ESRCH, EPERM},
                {"sched_setaffinity another", {SYS_sched_setaffinity, {NOBODY, 0, 0}}, ESRCH, EPERM},
                {"sched_setparam another", {SYS_sched_setparam, {NOBODY, 0}}, EINVAL, EPERM},
                {"ioprio_set another", {SYS_ioprio_set, {1, NOBODY, 0}}, ESRCH, EPERM},
                {"process_madvise", {SYS_process_madvise, {UINT32_MAX}}, EBADF, EPERM},
        };

        (void)state;
        CHECK((&(struct lines){.warm = true, .temporary = true}), cases);
}

/* Where the kernel's Landlock does not hold back signals. */
static void test_warm_signals(void **state)
{
        static const struct call_case cases[] = {
                {"kill itself", {SYS_kill, {SELF, 0}}, 0, 0},
                {"kill another", {SYS_kill, {1, 0}}, 0, EPERM},
                {"kill its group", {SYS_kill, {0, 0}}, 0, EPERM},
                {"kill all", {SYS_kill, {UINT64_MAX, 0}}, 0, EPERM},
                {"kill all in 32 bits", {SYS_kill, {UINT32_MAX, 0}}, 0, EPERM},
                {"kill high bits", {SYS_kill, {HIGH | 1, 0}}, 0, EPERM},
                {"kill what stands in the index", {SYS_kill, {WARM_FILTER_PID, 0}}, ESRCH, EPERM},
                {"tkill itself", {SYS_tkill, {SELF, 0}}, 0, 0},
                {"tkill another", {SYS_tkill, {1, 0}}, 0, EPERM},
                {"tgkill itself", {SYS_tgkill, {SELF, SELF, 0}}, 0, 0},
                {"tgkill another", {SYS_tgkill, {1, 1, 0}}, 0, EPERM},
                {"rt_sigqueueinfo itself", {SYS_rt_sigqueueinfo, {SELF, 0, 0}}, EFAULT, EFAULT},
                {"rt_sigqueueinfo", {SYS_rt_sigqueueinfo, {1, 0, 0}}, EFAULT, EPERM},
                {"rt_tgsigqueueinfo", {SYS_rt_tgsigqueueinfo, {1, 1, 0, 0}}, EFAULT, EPERM},
                {"pidfd_send_signal", {SYS_pidfd_send_signal, {UINT32_MAX}}, EBADF, EPERM},
                {"F_SETOWN", {SYS_fcntl, {UINT32_MAX, F_SETOWN}}, EBADF, EPERM},
                {"F_SETOWN high bits", {SYS_fcntl, {UINT32_MAX, HIGH | F_SETOWN}}, EBADF, EPERM},
                {"F_SETOWN_EX", {SYS_fcntl, {UINT32_MAX, F_SETOWN_EX}}, EBADF, EPERM},
                {"F_GETFD", {SYS_fcntl, {UINT32_MAX, F_GETFD}}, EBADF, EBADF},
                {"FIOSETOWN", {SYS_ioctl, {UINT32_MAX, FIOSETOWN}}, EBADF, EPERM},
                {"SIOCSPGRP", {SYS_ioctl, {UINT32_MAX, SIOCSPGRP}}, EBADF, EPERM},
                {"FIONREAD", {SYS_ioctl, {UINT32_MAX, FIONREAD}}, EBADF, EBADF},
        };

        (void)state;
        CHECK((&(struct lines){.warm = true, .signals = true}), cases);
}

/* What only the stand-in needs goes; what a child still does between its last filter and the application stays. */
static void test_warm_narrow(void **state)
{
        static const struct lines lines = {.calls = {"getcwd ~execve"}, .warm = true, .signals = true};
        static const struct call_case cases[] = {
                {"getcwd", {SYS_getcwd, {0}}, ERANGE, ERANGE},
                {"sysinfo", {SYS_sysinfo, {0}}, EPERM, EPERM},
                {"clone3", {SYS_clone3, {0, 0}}, EINVAL, ENOSYS},
                {"clone", {SYS_clone, {SIGCHLD}}, 0, EPERM},
                {"waitid", {SYS_waitid, {99}}, EINVAL, EPERM},
                {"pidfd_open", {SYS_pidfd_open, {0}}, EINVAL, EPERM},
                {"inotify_init1", {SYS_inotify_init1, {1}}, EINVAL, EPERM},
                {"getdents64", {SYS_getdents64, {UINT32_MAX}}, EBADF, EPERM},
                {"socketpair", {SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, 0}}, EFAULT, EPERM},
                {"prctl", {SYS_prctl, {PR_GET_DUMPABLE}}, 0, EPERM},
                {"kill itself", {SYS_kill, {SELF, 0}}, 0, EPERM},
                {"pidfd_send_signal", {SYS_pidfd_send_signal, {UINT32_MAX}}, EBADF, EPERM},
                {"execve", {SYS_execve, {0}}, EFAULT, EPERM},
                {"execveat", {SYS_execveat, {UINT32_MAX}}, EFAULT, EPERM},
                {"recvmsg", {SYS_recvmsg, {UINT32_MAX}}, EBADF, EBADF},
                {"openat2", {SYS_openat2, {0}}, EINVAL, EINVAL},
                {"memfd_create", {SYS_memfd_create, {0}}, EFAULT, EFAULT},
                {"mremap", {SYS_mremap, {1}}, EINVAL, EINVAL},
                {"poll", {SYS_poll, {0}}, 0, 0},
        };

        (void)state;
        CHECK(&lines, cases);
}

/* Without Warm=yes the same service has none of it. */
static void test_not_warm(void **state)
{
        static const struct lines lines = {.calls = {"getcwd"}};
        static const struct call_case cases[] = {
                {"inotify_init1", {SYS_inotify_init1, {1}}, EPERM, EPERM},
                {"pidfd_open", {SYS_pidfd_open, {0}}, EPERM, EPERM},
                {"memfd_create", {SYS_memfd_create, {0}}, EPERM, EPERM},
        };

        (void)state;
        CHECK(&lines, cases);
}

static void test_warm_asked_for(void **state)
{
        static const struct lines lines = {
                .calls = {"@system-service seccomp landlock_restrict_self"}, .warm = true, .signals = true};
        static const struct call_case cases[] = {
                {"seccomp", {SYS_seccomp, {99}}, EINVAL, EINVAL},
                {"landlock_restrict_self", {SYS_landlock_restrict_self, {UINT32_MAX, 99}}, EINVAL, EINVAL},
                {"clone3", {SYS_clone3, {0, 0}}, EINVAL, ENOSYS},
                {"kill another", {SYS_kill, {1, 0}}, 0, EPERM},
        };

        (void)state;
        CHECK(&lines, cases);
}

/* The widest that a service can ask for. */
static void test_forbidden_in_groups(void **state)
{
        static const struct lines lines = {.calls = {"@known @mount @debug @privileged @aio @process"}};
        static const struct call_case cases[] = {
                {"ptrace", {SYS_ptrace, {0}}, EPERM, EPERM},
                {"mount", {SYS_mount, {0}}, EPERM, EPERM},
                {"chroot", {SYS_chroot, {0}}, EPERM, EPERM},
                {"unshare", {SYS_unshare, {0}}, EPERM, EPERM},
                {"setns", {SYS_setns, {UINT32_MAX, CLONE_NEWPID}}, EBADF, EPERM},
                {"io_uring_setup", {SYS_io_uring_setup, {1}}, EPERM, EPERM},
                {"move_mount", {SYS_move_mount, {0}}, EPERM, EPERM},
                {"bpf", {SYS_bpf, {0}}, EPERM, EPERM},
                {"clone3", {SYS_clone3, {0, 0}}, EINVAL, ENOSYS},
                {"clone NEWUSER", {SYS_clone, {CLONE_NEWUSER | SIGCHLD}}, EPERM, EPERM},
                {"setuid 0", {SYS_setuid, {0}}, EPERM, EPERM},
                {"shmget", {SYS_shmget, {0, 0, 0}}, EINVAL, EINVAL},
                {"999", {999, {0}}, ENOSYS, ENOSYS},
        };

        (void)state;
        CHECK(&lines, cases);
}

static void test_refused_words(void **state)
{
        static const struct {
                const char *line;
                bool refused;
        } cases[] = {
                {"getcwd", false},
                {"@system-service", false},
                {"~ptrace", false},
                {"@known", false},
                {"@mount", false},
                {"clock_gettime64", false}, /* a call of other architectures */
                {"ptrace", true},
                {"getcwd io_uring_setup", true},
                {"unshare", true},
                {"@nosuch", true},
                {"@System-Service", true},
                {"@", true},
                {"nosuchcall", true},
                {"~nosuchcall", true},
                {"GETCWD", true},
                {"39", true},
                {"getcwd:EACCES", true},
                {"getcwd:0", true},
                {"~", true},
                {"~ getcwd", true},
                {"~~getcwd", true},
                {"getcwd,sysinfo", true},
                {"getcwdgetcwdgetcwdgetcwdgetcwdgetcwdgetcwdgetcwdgetcwdgetcwdgetgetcwd", true},
        };
        const struct position position = {.file = "test"};
        FILE *real = silence();

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct filter filter = {.families = 0};
                unsigned before = diagnose_errors();

                filter_line(&filter, cases[i].line, position);
                if (cases[i].refused != (diagnose_errors() > before)) {
                        unsilence(real);
                        fail_msg("'%s'", cases[i].line);
                }
        }
        unsilence(real);
}

static void test_identities_meet(void **state)
{
        static const struct {
                struct lines lines;
                bool meet, remain;
        } cases[] = {
                {{.families = NULL}, false, false}, {{.calls = {"@system-service"}}, false, true},
                {{.calls = {"@system-service ~@ipc"}}, false, false}, {{.calls = {"@ipc"}}, false, true},
                {{.calls = {"shmget"}}, false, true}, {{.calls = {"semget"}}, false, true},
                {{.calls = {"msgget"}}, false, true}, {{.calls = {"mq_open"}}, false, true},
                {{.calls = {"shmat"}}, false, false}, {{.families = "AF_UNIX"}, true, false},
                {{.families = "AF_INET AF_INET6"}, false, false}, /* the loopback device of the namespace is down */
                {{.families = "AF_NETLINK"}, true, false},        /* netlink(7), NETLINK_USERSOCK */
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct filter filter;

                read_lines(&filter, &cases[i].lines);
                if (filter_lets_identities_meet(&filter) != cases[i].meet ||
                        filter_lets_ipc_remain(&filter) != cases[i].remain)
                        fail_msg("case %zu", i);
        }
}

/* With `key` as the sixth argument, from an application of a keyed service. */
static int call_with(const struct filters *filters, struct call call, uint64_t key)
{
        call.arguments[5] = key;
        return make_call(filters, APPLICATION, &call);
}

static void test_key(void **state)
{
        static const struct {
                struct call call;
                int with, without;
        } cases[] = {
                {{SYS_capset, {0}}, EFAULT, EPERM},
                {{SYS_clone3, {0}}, EINVAL, ENOSYS},
                {{SYS_seccomp, {99}}, EINVAL, EPERM},
                {{SYS_setgroups, {UINT32_MAX}}, EINVAL, EPERM},
                {{SYS_setns, {UINT32_MAX, CLONE_NEWPID}}, EBADF, EPERM},
        };
        static const struct call setns = {SYS_setns, {UINT32_MAX, CLONE_NEWPID}};
        static const struct call unshare = {SYS_unshare, {0}}, setresuid = {SYS_setresuid, {0}};
        struct filters filters;

        (void)state;
        if (geteuid() != 0) {
                print_message("needs root\n");
                skip();
        }
        make(&filters, &by_default);
        assert_true(filters.service.flags & INDEX_KEYED);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(call_with(&filters, cases[i].call, KEY), cases[i].with);
                assert_int_equal(call_with(&filters, cases[i].call, 0), cases[i].without);
                assert_int_equal(call_with(&filters, cases[i].call, ~KEY), cases[i].without);
        }
        for (unsigned bit = 0; bit < 64; bit++)
                assert_int_equal(call_with(&filters, setns, KEY ^ (UINT64_C(1) << bit)), EPERM);
        /* What the other two filters refuse, no key opens. */
        assert_int_equal(call_with(&filters, unshare, KEY), EPERM);
        assert_int_equal(call_with(&filters, setresuid, KEY), EPERM);
        free(filters.builder.data);
}

/* Who needs a call of the jail's that has no place for a key gets the filter with the application. */
static void test_who_has_a_key(void **state)
{
        static const struct {
                struct lines lines;
                bool keyed;
        } cases[] = {
                {{.families = NULL}, true}, {{.calls = {"@system-service"}}, true},
                {{.calls = {"~@setuid @resources"}}, true}, {{.calls = {"~prctl"}}, false},
                {{.calls = {"read write"}}, false}, {{.warm = true}, true},
                {{.calls = {"~prctl"}, .warm = true}, true}, /* its stand-in needs that one as well */
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct sock_filter filled[BPF_MAXINSNS];
                struct filters filters;
                bool keyed;

                make(&filters, &cases[i].lines);
                keyed = filters.service.flags & INDEX_KEYED;
                if (keyed != cases[i].keyed)
                        fail_msg("case %zu", i);
                assert_int_equal(keyed_put(index_array(&filters.index, filters.service.filter_last),
                                         filters.service.filter_last.count, KEY, filled),
                        keyed ? 0 : -EBADMSG);
                free(filters.builder.data);
        }
}

/* Each filter fits into what the kernel and the index take. */
static void test_sizes(void **state)
{
        static const struct lines lines[] = {
                {.families = NULL},
                {.calls = {"getcwd"}},
                {.calls = {"@known"}, .families = "AF_UNIX AF_INET AF_INET6", .temporary = true},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(lines); i++) {
                struct filters filters;

                make(&filters, &lines[i]);
                assert_in_range(filters.service.filter_allow.count, 1, BPF_MAXINSNS);
                assert_in_range(filters.service.filter_deny.count, 1, BPF_MAXINSNS);
                assert_in_range(filters.service.filter_last.count, 1, BPF_MAXINSNS);
                free(filters.builder.data);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_default),
#if defined(__x86_64__)
                cmocka_unit_test(test_x32),
#endif
                cmocka_unit_test(test_clone),
                cmocka_unit_test(test_ids),
                cmocka_unit_test(test_no_families),
                cmocka_unit_test(test_families),
                cmocka_unit_test(test_family_lines),
                cmocka_unit_test(test_ioctl),
                cmocka_unit_test(test_temporary),
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_removed_though_needed),
                cmocka_unit_test(test_what_the_unit_refuses_is_nobodys),
                cmocka_unit_test(test_warm),
                cmocka_unit_test(test_warm_signals),
                cmocka_unit_test(test_warm_narrow),
                cmocka_unit_test(test_not_warm),
                cmocka_unit_test(test_warm_asked_for),
                cmocka_unit_test(test_forbidden_in_groups),
                cmocka_unit_test(test_refused_words),
                cmocka_unit_test(test_identities_meet),
                cmocka_unit_test(test_key),
                cmocka_unit_test(test_who_has_a_key),
                cmocka_unit_test(test_sizes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
