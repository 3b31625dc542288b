/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/resource.h>

#include "common/cleanup.h"
#include "common/warm.h"
#include "compiler/filter-program.h"

/*
 * The filter `warm`. A warm service's stand-in for accept(2) forks, confines and watches; what it calls for that, the
 * application zygote may call as well, and no child that has a request. `kept`: with what the child still does after
 * this filter, reading the request, judging the script and placing descriptors, before the application goes on. A
 * child of a cold service could do no less in its last steps.
 */
static const struct {
        const char *name;
        bool kept;
} needed[] = {
        {"brk", true},
        {"chdir", true},
        {"clock_gettime", true},
        {"clock_nanosleep", false},
        {"clone", false},
        {"clone3", false},
        {"close", true},
        {"close_range", true},
        {"dup", true},
        {"dup2", true},
        {"dup3", true},
        {"epoll_create1", false},
        {"epoll_ctl", false},
        {"epoll_pwait", false},
        {"epoll_wait", false},
        {"eventfd2", false},
        {"exit", true},
        {"exit_group", true},
        {"fcntl", true},
        {"fstat", true},
        {"ftruncate", true},
        {"futex", true},
        {"getdents64", false},
        {"getpeername", true},
        {"getpid", true},
        {"getppid", true},
        {"getrandom", true},
        {"getsockname", true},
        {"getsockopt", true},
        {"gettid", true},
        {"getuid", true},
        {"inotify_add_watch", false},
        {"inotify_init1", false},
        {"inotify_rm_watch", false},
        {"landlock_restrict_self", false},
        {"lseek", true},
        {"madvise", true},
        {"memfd_create", true},
        {"mmap", true},
        {"mprotect", true},
        {"mremap", true},
        {"munmap", true},
        {"nanosleep", false},
        {"newfstatat", true},
        {"open", true},
        {"openat", true},
        {"openat2", true},
        {"pidfd_open", false},
        {"pipe2", false},
        {"poll", true},
        {"ppoll", true},
        {"prctl", false},
        {"pread64", true},
        {"pwrite64", true},
        {"read", true},
        {"readlink", false},
        {"readlinkat", false},
        {"recvfrom", true},
        {"recvmsg", true},
        {"rseq", true},
        {"rt_sigaction", true},
        {"rt_sigprocmask", true},
        {"rt_sigreturn", true},
        {"seccomp", false},
        {"sendmsg", true},
        {"sendto", true},
        {"set_robust_list", true},
        {"setsid", false},
        {"setsockopt", false},
        {"shutdown", true},
        {"socketpair", false},
        {"statx", true},
        {"timerfd_create", false},
        {"timerfd_settime", false},
        {"wait4", false},
        {"waitid", false},
        {"write", true},
        {"writev", true},
};

/* Those of the zygote's calls that reach others. The last has no process id. */
static const char *const signals[] = {
        "kill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "tgkill", "tkill", "pidfd_send_signal"};

void filter_warm_put(struct syscalls *set)
{
        for (size_t i = 0; i < ELEMENTS(needed); i++)
                syscalls_put_names(set, &needed[i].name, 1, true);
        syscalls_put_names(set, signals, ELEMENTS(signals), true);
}

bool filter_warm_needs(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(needed); i++)
                if (strcmp(needed[i].name, name) == 0)
                        return true;
        return false;
}

/*
 * To itself and to nobody else: not to its group (0), nor to all (-1). The kernel takes the low 32 bits of a register
 * and the filter compares 64, so high bits are refused. A thread of its own is reached by tgkill(2).
 */
static void restrict_signal(scmp_filter_ctx context, const char *name)
{
        if (strcmp(name, "pidfd_send_signal") == 0)
                filter_rule(context, SCMP_ACT_ERRNO(EPERM), name);
        else
                filter_rule_if(
                        context, SCMP_ACT_ERRNO(EPERM), name, filter_compare(0, SCMP_CMP_NE, WARM_FILTER_PID, 0));
}

/* The owner of a descriptor gets SIGIO, or whatever signal is asked for: fcntl(2), F_SETOWN. */
static void restrict_owners(scmp_filter_ctx context)
{
        static const struct {
                const char *name;
                unsigned long command;
        } calls[] = {{"fcntl", F_SETOWN}, {"fcntl", F_SETOWN_EX}, {"ioctl", FIOSETOWN}, {"ioctl", SIOCSPGRP}};

        for (size_t i = 0; i < ELEMENTS(calls); i++)
                filter_rule_if(context, SCMP_ACT_ERRNO(EPERM), calls[i].name,
                        filter_compare(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, calls[i].command));
}

/*
 * Limits, priority and placement of another process: the kernel asks for the same uid alone, and the zygote and its
 * other children have it. A child may change its own, which it calls 0, as libc does.
 */
static void restrict_others(scmp_filter_ctx context)
{
        static const struct {
                const char *name;
                unsigned argument;
                uint64_t only;
        } calls[] = {
                {"ioprio_set", 0, 1 /* IOPRIO_WHO_PROCESS, ioprio_set(2) */},
                {"ioprio_set", 1, 0},
                {"migrate_pages", 0, 0},
                {"move_pages", 0, 0},
                {"prlimit64", 0, 0},
                {"sched_setaffinity", 0, 0},
                {"sched_setattr", 0, 0},
                {"sched_setparam", 0, 0},
                {"sched_setscheduler", 0, 0},
                {"setpriority", 0, PRIO_PROCESS},
                {"setpriority", 1, 0},
        };

        for (size_t i = 0; i < ELEMENTS(calls); i++)
                filter_rule_if(context, SCMP_ACT_ERRNO(EPERM), calls[i].name,
                        filter_compare(calls[i].argument, SCMP_CMP_NE, calls[i].only, 0));
        filter_rule(context, SCMP_ACT_ERRNO(EPERM), "process_madvise");
        filter_rule(context, SCMP_ACT_ERRNO(EPERM), "process_mrelease");
}

struct index_span filter_warm(
        const struct syscalls *allowed, const struct filter_purpose *purpose, struct builder *builder)
{
        static const char *const execution[] = {"execve", "execveat"}; /* the application was executed long ago */
        scmp_filter_ctx context = filter_new(SCMP_ACT_ALLOW);

        for (size_t i = 0; i < ELEMENTS(needed); i++) {
                if (strcmp(needed[i].name, "clone3") == 0)
                        filter_rule(context, SCMP_ACT_ERRNO(ENOSYS), needed[i].name);
                else if (!needed[i].kept && !syscalls_has_name(allowed, needed[i].name))
                        filter_rule(context, SCMP_ACT_ERRNO(EPERM), needed[i].name);
        }
        for (size_t i = 0; i < ELEMENTS(execution); i++)
                if (!syscalls_has_name(allowed, execution[i]))
                        filter_rule(context, SCMP_ACT_ERRNO(EPERM), execution[i]);
        for (size_t i = 0; i < ELEMENTS(signals); i++) {
                if (!syscalls_has_name(allowed, signals[i]))
                        filter_rule(context, SCMP_ACT_ERRNO(EPERM), signals[i]);
                else if (purpose->signals)
                        restrict_signal(context, signals[i]);
        }
        if (purpose->signals)
                restrict_owners(context);
        restrict_others(context);
        return filter_export(context, builder);
}
