/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "compiler/filter-program.h"

/* The filter `deny`: what no application gets. */

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

bool filter_is_forbidden(const char *name)
{
        return syscalls_is_listed(forbidden, ELEMENTS(forbidden), name);
}

/*
 * Ids from `min` to -2 pass. The kernel takes the low 32 bits of a register and the filter sees 64, so an id
 * with high bits set is beyond the upper bound and refused. libseccomp compares an argument once in a rule.
 */
static void restrict_ids(scmp_filter_ctx context, const char *name, unsigned arguments, uint32_t min)
{
        int number = seccomp_syscall_resolve_name(name);

        for (unsigned i = 0; i < arguments; i++) {
                filter_must(seccomp_rule_add(
                                    context, SCMP_ACT_ERRNO(EPERM), number, 1, filter_compare(i, SCMP_CMP_LT, min, 0)),
                        name);
                filter_must(seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), number, 1,
                                    filter_compare(i, SCMP_CMP_GT, UINT32_MAX - 1, 0)),
                        name);
        }
}

/*
 * Namespaces, and CLONE_PARENT: an application's siblings would be children of the broker, which knows nothing of them.
 * clone3(2) passes its flags in memory, where no filter sees them: `last` takes that call away whole.
 */
static void restrict_clone(scmp_filter_ctx context)
{
        static const unsigned long flags[] = {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER,
                CLONE_NEWPID, CLONE_NEWNET, 0x80 /* CLONE_NEWTIME */, CLONE_PARENT};
        int number = seccomp_syscall_resolve_name("clone");

        /* The low byte is the exit signal, so 0x80 can only be meant by clone3; refusing it costs nothing. */
        for (size_t i = 0; i < ELEMENTS(flags); i++)
                filter_must(seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), number, 1,
                                    filter_compare(0, SCMP_CMP_MASKED_EQ, flags[i], flags[i])),
                        "clone");
}

/* The zygote's way into a keeper's PID namespace (child/keeper.h), and into no other kind. `last` takes it away whole.
 */
static void restrict_setns(scmp_filter_ctx context)
{
        filter_rule_if(context, SCMP_ACT_ERRNO(EPERM), "setns", filter_compare(1, SCMP_CMP_NE, CLONE_NEWPID, 0));
}

static void restrict_families(scmp_filter_ctx context, uint64_t allowed)
{
        int number = seccomp_syscall_resolve_name("socket");
        const uint32_t action = SCMP_ACT_ERRNO(EAFNOSUPPORT);

        for (unsigned family = 0; family < FILTER_FAMILIES; family++)
                if (!(allowed & (UINT64_C(1) << family)))
                        filter_must(
                                seccomp_rule_add(context, action, number, 1, filter_compare(0, SCMP_CMP_EQ, family, 0)),
                                "socket");
        filter_must(seccomp_rule_add(context, action, number, 1, filter_compare(0, SCMP_CMP_GE, FILTER_FAMILIES, 0)),
                "socket");
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
                filter_must(seccomp_rule_add(context, SCMP_ACT_ERRNO(EAFNOSUPPORT), number, 1,
                                    filter_compare(1, SCMP_CMP_MASKED_EQ, 0xf, types[i])),
                        "socketpair");
}

/* Pushing input into the terminal of whoever ran `sandboxctl run`; the kernel takes 32 bits of the command.
 */
static void restrict_ioctl(scmp_filter_ctx context)
{
        static const unsigned long commands[] = {TIOCSTI, TIOCLINUX};
        int number = seccomp_syscall_resolve_name("ioctl");

        for (size_t i = 0; i < ELEMENTS(commands); i++)
                filter_must(seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), number, 1,
                                    filter_compare(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, commands[i])),
                        "ioctl");
}

struct index_span filter_deny(uint64_t families, const struct filter_purpose *purpose, struct builder *builder)
{
        scmp_filter_ctx context = filter_new(SCMP_ACT_ALLOW);

        for (size_t i = 0; i < ELEMENTS(forbidden); i++)
                if (strcmp(forbidden[i], "setns") != 0)
                        filter_rule(context, SCMP_ACT_ERRNO(EPERM), forbidden[i]);
        restrict_setns(context);
        if (!purpose->temporary)
                filter_rule(context, SCMP_ACT_ERRNO(EPERM), "move_mount");
        restrict_ids(context, "setuid", 1, purpose->min_uid);
        restrict_ids(context, "setreuid", 2, purpose->min_uid);
        restrict_ids(context, "setresuid", 3, purpose->min_uid);
        restrict_ids(context, "setfsuid", 1, purpose->min_uid);
        restrict_ids(context, "setgid", 1, purpose->min_gid);
        restrict_ids(context, "setregid", 2, purpose->min_gid);
        restrict_ids(context, "setresgid", 3, purpose->min_gid);
        restrict_ids(context, "setfsgid", 1, purpose->min_gid);
        restrict_clone(context);
        restrict_families(context, families);
        if (!(families & (UINT64_C(1) << AF_UNIX)))
                restrict_pairs(context);
        restrict_ioctl(context);
        return filter_export(context, builder);
}
