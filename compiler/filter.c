/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/filter.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"

struct syscall_group {
        const char *name;
        const char *members;
};

#include "syscall-groups.h"

/* What the zygote, the jail and init need beyond the service's own set. */
static const char *const needed[] = {
        "brk",
        "capget",
        "capset",
        "chdir",
        "clone",
        "clone3",
        "close",
        "close_range",
        "dup2",
        "dup3",
        "execve",
        "execveat",
        "exit",
        "exit_group",
        "fcntl",
        "fstat",
        "getgroups",
        "getresgid",
        "getresuid",
        "getuid",
        "landlock_restrict_self",
        "lseek",
        "mmap",
        "mprotect",
        "munmap",
        "newfstatat",
        "open",
        "openat",
        "openat2",
        "poll",
        "ppoll",
        "prctl",
        "pread64",
        "prlimit64",
        "read",
        "recvmsg",
        "rt_sigaction",
        "rt_sigprocmask",
        "rt_sigreturn",
        "seccomp",
        "sendmsg",
        "setgroups",
        "setpriority",
        "setresgid",
        "setresuid",
        "setrlimit",
        "setsid",
        "umask",
        "vfork",
        "waitid",
        "write",
};

/* Of those, what is still needed between stage 2 and the application's first instruction. */
static const char *const kept[] = {"execve", "execveat", "exit", "exit_group", "fcntl", "fstat", "write"};

/* Nobody's, whatever a service asks for: each of them reaches past the jail, or is the kernel's widest door.
 */
static const char *const forbidden[] = {
        "acct",
        "add_key",
        "adjtimex",
        "bpf",
        "chroot",
        "clock_adjtime",
        "clock_settime",
        "delete_module",
        "fanotify_init",
        "finit_module",
        "fsconfig",
        "fsmount",
        "fsopen",
        "fspick",
        "init_module",
        "io_uring_enter",
        "io_uring_register",
        "io_uring_setup",
        "ioperm",
        "iopl",
        "kcmp",
        "kexec_file_load",
        "kexec_load",
        "keyctl",
        "lookup_dcookie",
        "mount",
        "mount_setattr",
        "nfsservctl",
        "open_by_handle_at",
        "open_tree",
        "perf_event_open",
        "pidfd_getfd",
        "pivot_root",
        "process_vm_readv",
        "process_vm_writev",
        "ptrace",
        "quotactl",
        "quotactl_fd",
        "reboot",
        "request_key",
        "setns",
        "settimeofday",
        "swapoff",
        "swapon",
        "syslog",
        "umount2",
        "unshare",
        "uselib",
        "userfaultfd",
        "vhangup",
};

static const struct {
        const char *name;
        int family;
} families[] = {
        {"AF_UNIX", AF_UNIX},
        {"AF_INET", AF_INET},
        {"AF_INET6", AF_INET6},
        {"AF_NETLINK", AF_NETLINK},
        {"AF_VSOCK", AF_VSOCK},
        {"AF_ALG", AF_ALG},
};

static bool has(const uint64_t *set, int number)
{
        return number >= 0 && number < FILTER_SYSCALLS && set[number / 64] & (UINT64_C(1) << (number % 64));
}

static void put(uint64_t *set, int number, bool present)
{
        uint64_t bit;

        if (number < 0 || number >= FILTER_SYSCALLS)
                return; /* a call of other architectures */
        bit = UINT64_C(1) << (number % 64);
        if (present)
                set[number / 64] |= bit;
        else
                set[number / 64] &= ~bit;
}

static void put_all(uint64_t *set, const char *const *names, size_t n, bool present)
{
        for (size_t i = 0; i < n; i++)
                put(set, seccomp_syscall_resolve_name(names[i]), present);
}

static bool is_listed(const char *const *names, size_t n, const char *name)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(names[i], name) == 0)
                        return true;
        return false;
}

static const struct syscall_group *find_group(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(syscall_groups); i++)
                if (strcmp(syscall_groups[i].name, name) == 0)
                        return &syscall_groups[i];
        return NULL;
}

/* Groups are nested two or three deep; the limit only guards against a loop in the table. */
static void put_group(uint64_t *set, const struct syscall_group *group, bool present, int depth)
{
        const char *cursor = group->members;
        char word[64];

        while (depth < 8 && sscanf(cursor, " %63s", word) == 1) {
                const struct syscall_group *inner = word[0] == '@' ? find_group(word) : NULL;

                if (inner)
                        put_group(set, inner, present, depth + 1);
                else
                        put(set, seccomp_syscall_resolve_name(word), present);
                cursor += strspn(cursor, " ") + strlen(word);
        }
}

static void put_group_name(uint64_t *set, const char *name, bool present)
{
        put_group(set, find_group(name), present, 0);
}

void filter_default(struct filter *filter)
{
        static const char *const leftovers[] = {
                "shmget",
                "shmat",
                "shmctl",
                "shmdt",
                "semget",
                "semop",
                "semctl",
                "semtimedop",
                "msgget",
                "msgsnd",
                "msgrcv",
                "msgctl",
                "mq_open",
                "mq_unlink",
                "mq_timedsend",
                "mq_timedreceive",
                "mq_notify",
                "mq_getsetattr",
        };

        memset(filter->allowed, 0, sizeof(filter->allowed));
        put_group_name(filter->allowed, "@system-service", true);
        put_group_name(filter->allowed, "@privileged", false);
        put_group_name(filter->allowed, "@keyring", false);
        put_all(filter->allowed, leftovers, ELEMENTS(leftovers), false);
}

static const char *nearest_group(const char *word)
{
        const char *names[ELEMENTS(syscall_groups)];

        for (size_t i = 0; i < ELEMENTS(syscall_groups); i++)
                names[i] = syscall_groups[i].name;
        return nearest_word(word, names, ELEMENTS(names));
}

static void filter_word(struct filter *filter, const char *word, bool present, struct position position)
{
        const struct syscall_group *group = find_group(word);
        int number;

        if (group) {
                put_group(filter->allowed, group, present, 0);
                return;
        }
        number = seccomp_syscall_resolve_name(word);
        if (word[0] == '@')
                diagnose(position, nearest_group(word), "unknown system-call group '%s'", word);
        else if (strchr(word, ':'))
                diagnose(position, "what is refused answers EPERM", "'%s': an error number is not supported", word);
        else if (number == __NR_SCMP_ERROR)
                diagnose(position, "see `systemd-analyze syscall-filter` for names and groups",
                        "unknown system call '%s'", word);
        else if (present && is_listed(forbidden, ELEMENTS(forbidden), word))
                diagnose(position, NULL, "'%s' is never available to an application", word);
        else
                put(filter->allowed, number, present);
}

void filter_line(struct filter *filter, const char *value, struct position position)
{
        bool inverted = value[0] == '~';
        char word[64];

        if (!*value) {
                memset(filter->allowed, 0, sizeof(filter->allowed));
                filter->chosen = false;
                return;
        }
        if (!filter->chosen && inverted)
                filter_default(filter);
        else if (!filter->chosen)
                put_group_name(filter->allowed, "@default", true); /* always permitted, says systemd.exec(5) */
        filter->chosen = true;
        while (sscanf(value, " %63s", word) == 1) {
                bool removes = inverted || word[0] == '~';

                filter_word(filter, word + (word[0] == '~'), !removes, position);
                value += strspn(value, " \t") + strlen(word);
        }
}

static void family_word(struct filter *filter, const char *word, struct position position)
{
        const char *names[ELEMENTS(families)];

        for (size_t i = 0; i < ELEMENTS(families); i++) {
                names[i] = families[i].name;
                if (strcmp(names[i], word) == 0) {
                        filter->families |= UINT64_C(1) << families[i].family;
                        return;
                }
        }
        diagnose(position, nearest_word(word, names, ELEMENTS(names)), "unknown address family '%s'", word);
}

void filter_families_line(struct filter *filter, const char *value, struct position position)
{
        char word[64];

        if (!*value || strcmp(value, "none") == 0) {
                filter->families = 0;
                return;
        }
        if (value[0] == '~') {
                diagnose(position, "list the families to allow", "RestrictAddressFamilies= cannot begin with ~ here");
                return;
        }
        while (sscanf(value, " %63s", word) == 1) {
                family_word(filter, word, position);
                value += strspn(value, " \t") + strlen(word);
        }
}

bool filter_lets_ipc_remain(const struct filter *filter)
{
        static const char *const makers[] = {"shmget", "semget", "msgget", "mq_open"};

        for (size_t i = 0; i < ELEMENTS(makers); i++)
                if (has(filter->allowed, seccomp_syscall_resolve_name(makers[i])))
                        return true;
        return false;
}

bool filter_lets_identities_meet(const struct filter *filter)
{
        return filter->families & ~(UINT64_C(1) << AF_INET | UINT64_C(1) << AF_INET6);
}

/* libseccomp fails here for want of memory or by a mistake of ours; without a whole filter there is no index.
 */
static void must(int r, const char *what)
{
        if (r < 0) {
                fprintf(stderr, "sandboxd-compile: libseccomp: %s: %s\n", what, strerror(-r));
                exit(EXIT_FAILURE);
        }
}

static scmp_filter_ctx new_filter(uint32_t action)
{
        scmp_filter_ctx context = seccomp_init(action);

        must(context ? 0 : -ENOMEM, "init");
        must(seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), "bad architecture");
        must(seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
        return context;
}

static struct index_span export(scmp_filter_ctx context, struct builder *builder)
{
        _cleanup_close_ int fd = memfd_create("filter", MFD_CLOEXEC);
        struct index_span span;
        char *bytes;
        off_t size;

        must(fd < 0 ? -errno : 0, "memfd");
        must(seccomp_export_bpf(context, fd), "export");
        seccomp_release(context);
        size = lseek(fd, 0, SEEK_END);
        bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
        must(bytes == MAP_FAILED ? -errno : 0, "map");
        span = builder_array(builder, bytes, (size_t)size / sizeof(struct sock_filter), sizeof(struct sock_filter));
        munmap(bytes, (size_t)size);
        return span;
}

static void rule(scmp_filter_ctx context, uint32_t action, const char *name)
{
        int number = seccomp_syscall_resolve_name(name);

        if (number >= 0)
                must(seccomp_rule_add(context, action, number, 0), name);
}

static struct scmp_arg_cmp compare(unsigned argument, enum scmp_compare operator, uint64_t a, uint64_t b)
{
        return (struct scmp_arg_cmp){.arg = argument, .op = operator, .datum_a = a, .datum_b = b};
}

static struct index_span build_allow(const uint64_t *allowed, bool temporary, struct builder *builder)
{
        scmp_filter_ctx context = new_filter(SCMP_ACT_ERRNO(ENOSYS));
        uint64_t set[FILTER_SYSCALLS / 64], known[FILTER_SYSCALLS / 64] = {0};

        memcpy(set, allowed, sizeof(set));
        put_all(set, needed, ELEMENTS(needed), true);
        put(set, seccomp_syscall_resolve_name("move_mount"), temporary);
        put_group_name(known, "@known", true);
        for (int number = 0; number < FILTER_SYSCALLS; number++) {
                if (has(set, number))
                        must(seccomp_rule_add(context, SCMP_ACT_ALLOW, number, 0), "allow");
                else if (has(known, number))
                        must(seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), number, 0), "refuse");
        }
        return export(context, builder);
}

/*
 * Ids from `min` to -2 pass. The kernel takes the low 32 bits of a register and the filter sees 64, so an id
 * with high bits set is beyond the upper bound and refused. libseccomp compares an argument once in a rule.
 */
static void restrict_ids(scmp_filter_ctx context, const char *name, unsigned arguments, uint32_t min)
{
        int number = seccomp_syscall_resolve_name(name);

        for (unsigned i = 0; i < arguments; i++) {
                must(seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), number, 1, compare(i, SCMP_CMP_LT, min, 0)),
                        name);
                must(seccomp_rule_add(
                             context, SCMP_ACT_ERRNO(EPERM), number, 1, compare(i, SCMP_CMP_GT, UINT32_MAX - 1, 0)),
                        name);
        }
}

/* clone3(2) passes its flags in memory, where no filter sees them: stage 2 takes that call away whole. */
static void restrict_clone(scmp_filter_ctx context)
{
        static const unsigned long flags[] = {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER,
                CLONE_NEWPID, CLONE_NEWNET, 0x80 /* CLONE_NEWTIME */};
        int number = seccomp_syscall_resolve_name("clone");

        /* The low byte is the exit signal, so 0x80 can only be meant by clone3; refusing it costs nothing. */
        for (size_t i = 0; i < ELEMENTS(flags); i++)
                must(seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), number, 1,
                             compare(0, SCMP_CMP_MASKED_EQ, flags[i], flags[i])),
                        "clone");
}

static void restrict_families(scmp_filter_ctx context, uint64_t allowed)
{
        int number = seccomp_syscall_resolve_name("socket");
        const uint32_t action = SCMP_ACT_ERRNO(EAFNOSUPPORT);

        for (unsigned family = 0; family < FILTER_FAMILIES; family++)
                if (!(allowed & (UINT64_C(1) << family)))
                        must(seccomp_rule_add(context, action, number, 1, compare(0, SCMP_CMP_EQ, family, 0)),
                                "socket");
        must(seccomp_rule_add(context, action, number, 1, compare(0, SCMP_CMP_GE, FILTER_FAMILIES, 0)), "socket");
}

/*
 * Without AF_UNIX: a datagram socket of a pair can still be bound to an abstract name and send to others. A stream
 * socket of a pair is connected for good, and programs use such pairs as pipes.
 */
static void restrict_pairs(scmp_filter_ctx context)
{
        static const unsigned long types[] = {SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET};
        int number = seccomp_syscall_resolve_name("socketpair");

        for (size_t i = 0; i < ELEMENTS(types); i++)
                must(seccomp_rule_add(context, SCMP_ACT_ERRNO(EAFNOSUPPORT), number, 1,
                             compare(1, SCMP_CMP_MASKED_EQ, 0xf, types[i])),
                        "socketpair");
}

/* Pushing input into the terminal of whoever ran `sandboxctl run`; the kernel takes 32 bits of the command.
 */
static void restrict_ioctl(scmp_filter_ctx context)
{
        static const unsigned long commands[] = {TIOCSTI, TIOCLINUX};
        int number = seccomp_syscall_resolve_name("ioctl");

        for (size_t i = 0; i < ELEMENTS(commands); i++)
                must(seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), number, 1,
                             compare(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, commands[i])),
                        "ioctl");
}

static struct index_span build_deny(
        uint64_t allowed_families, uint32_t min_uid, uint32_t min_gid, bool temporary, struct builder *builder)
{
        scmp_filter_ctx context = new_filter(SCMP_ACT_ALLOW);

        for (size_t i = 0; i < ELEMENTS(forbidden); i++)
                rule(context, SCMP_ACT_ERRNO(EPERM), forbidden[i]);
        if (!temporary)
                rule(context, SCMP_ACT_ERRNO(EPERM), "move_mount");
        restrict_ids(context, "setuid", 1, min_uid);
        restrict_ids(context, "setreuid", 2, min_uid);
        restrict_ids(context, "setresuid", 3, min_uid);
        restrict_ids(context, "setfsuid", 1, min_uid);
        restrict_ids(context, "setgid", 1, min_gid);
        restrict_ids(context, "setregid", 2, min_gid);
        restrict_ids(context, "setresgid", 3, min_gid);
        restrict_ids(context, "setfsgid", 1, min_gid);
        restrict_clone(context);
        restrict_families(context, allowed_families);
        if (!(allowed_families & (UINT64_C(1) << AF_UNIX)))
                restrict_pairs(context);
        restrict_ioctl(context);
        return export(context, builder);
}

static struct index_span build_last(const uint64_t *allowed, struct builder *builder)
{
        scmp_filter_ctx context = new_filter(SCMP_ACT_ALLOW);

        for (size_t i = 0; i < ELEMENTS(needed); i++) {
                int number = seccomp_syscall_resolve_name(needed[i]);

                if (strcmp(needed[i], "clone3") == 0)
                        must(seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), number, 0), "clone3");
                else if (!has(allowed, number) && !is_listed(kept, ELEMENTS(kept), needed[i]))
                        rule(context, SCMP_ACT_ERRNO(EPERM), needed[i]);
        }
        rule(context, SCMP_ACT_ERRNO(EPERM), "move_mount");
        return export(context, builder);
}

void filter_build(const struct filter *filter, uint32_t min_uid, uint32_t min_gid, bool temporary,
        struct builder *builder, struct index_service *service)
{
        service->filter_allow = build_allow(filter->allowed, temporary, builder);
        service->filter_deny = build_deny(filter->families, min_uid, min_gid, temporary, builder);
        service->filter_last = build_last(filter->allowed, builder);
}
