/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/filter.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "compiler/filter-program.h"

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
        "setns",
        "setpgid",
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

/* Of those, what is still needed between the last filter and the application's first instruction. */
static const char *const kept[] = {"execve", "execveat", "exit", "exit_group", "fcntl", "fstat", "write"};

static struct index_span build_allow(
        const struct syscalls *allowed, const struct filter_purpose *purpose, struct builder *builder)
{
        scmp_filter_ctx context = filter_new(SCMP_ACT_ERRNO(ENOSYS));
        struct syscalls set = *allowed, known = {0};

        syscalls_put_names(&set, needed, ELEMENTS(needed), true);
        if (purpose->temporary)
                syscalls_put_names(&set, (const char *const[]){"move_mount"}, 1, true);
        if (purpose->warm)
                filter_warm_put(&set);
        syscalls_put_group(&known, "@known", true);
        for (int number = 0; number < SYSCALLS_MAX; number++) {
                if (syscalls_has(&set, number))
                        filter_must(seccomp_rule_add(context, SCMP_ACT_ALLOW, number, 0), "allow");
                else if (syscalls_has(&known, number))
                        filter_must(seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), number, 0), "refuse");
        }
        return filter_export(context, builder);
}

/* What the application is refused of it. */
static struct syscalls refused_at_last(const struct syscalls *allowed, const struct filter_purpose *purpose)
{
        /* Even if its set contains them: the flags of clone3(2) are in memory, where no filter sees them. */
        static const char *const always[] = {"clone3", "move_mount", "setns"};
        struct syscalls refused = {0};

        syscalls_put_names(&refused, needed, ELEMENTS(needed), true);
        for (int number = 0; number < SYSCALLS_MAX; number++)
                if (syscalls_has(allowed, number))
                        syscalls_put(&refused, number, false);
        syscalls_put_names(&refused, kept, ELEMENTS(kept), false);
        syscalls_put_names(&refused, always, ELEMENTS(always), true);
        for (size_t i = 0; purpose->warm && i < ELEMENTS(needed); i++)
                if (filter_warm_needs(needed[i]))
                        syscalls_put_names(&refused, &needed[i], 1, false);
        return refused;
}

void filter_build(const struct filter *filter, const struct filter_purpose *purpose, struct builder *builder,
        struct index_service *service)
{
        const struct syscalls refused = refused_at_last(&filter->allowed, purpose);
        bool is_keyed;

        service->filter_allow = build_allow(&filter->allowed, purpose, builder);
        service->filter_deny = filter_deny(filter->families, purpose, builder);
        service->filter_last = filter_last(&refused, builder, &is_keyed);
        if (is_keyed)
                service->flags |= INDEX_KEYED;
        if (purpose->warm)
                service->filter_warm = filter_warm(&filter->allowed, purpose, builder);
}
