/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/syscalls.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/sanitizer.h"

/*
 * A call that is not allowed fails with EPERM, and does not kill. What is denied has no effect either way;
 * but libc and libsystemd try newer calls and fall back when they fail, and a kill would let one update of a
 * library end every request that is running. The kernel writes an audit record of each denial
 * (SCMP_FLTATR_CTL_LOG), so an attempt is seen.
 *
 * One denial is expected: with its first timer, sd-event looks for the boot and machine id to spread wake-ups
 * over machines, and does without.
 *
 * There is no open, exec, fork, clone, kill, stat, bind, listen, setrlimit, ioctl or prctl in the list.
 */
static const int allowed[] = {
        /* the event loop, its timers and signals (those exist before, but are re-armed) */
        SCMP_SYS(epoll_wait),
        SCMP_SYS(epoll_pwait),
        SCMP_SYS(epoll_pwait2),
        SCMP_SYS(epoll_ctl),
        SCMP_SYS(ppoll), /* sd_notify_barrier(3) */
        SCMP_SYS(timerfd_create),
        SCMP_SYS(timerfd_settime),
        SCMP_SYS(signalfd4),
        SCMP_SYS(clock_gettime),
        SCMP_SYS(gettimeofday),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(restart_syscall),
        /* connections */
        SCMP_SYS(accept4),
        SCMP_SYS(shutdown),
        SCMP_SYS(recvfrom),
        SCMP_SYS(recvmsg),
        SCMP_SYS(sendto),
        SCMP_SYS(sendmsg),
        SCMP_SYS(getsockopt), /* libsystemd, on its sockets to the journal and the service manager */
        SCMP_SYS(setsockopt),
        /*
         * The broker, the journal and the service manager are reached by connect. It cannot be limited to
         * them here, since a filter does not see the address: what is left is every Unix socket that file
         * modes, the unit's root and the security policy let this account reach. Other families have no
         * socket to connect.
         */
        SCMP_SYS(connect),
        /* launches */
        SCMP_SYS(getrandom),
        SCMP_SYS(memfd_create),
        SCMP_SYS(pipe2),
        SCMP_SYS(fchmod),
        SCMP_SYS(read),
        SCMP_SYS(write),
        SCMP_SYS(writev), /* sd_journal_send(3) of a long entry, into a memfd */
        SCMP_SYS(close),
        SCMP_SYS(fcntl),
        /* memory; mapping and protection below */
        SCMP_SYS(brk),
        SCMP_SYS(munmap),
        SCMP_SYS(mremap),
        SCMP_SYS(madvise),
        SCMP_SYS(futex),
        /* log lines, the cache of libsystemd, the end */
        SCMP_SYS(getpid),
        SCMP_SYS(getuid), /* these four: secure_getenv(3) of libsystemd */
        SCMP_SYS(geteuid),
        SCMP_SYS(getgid),
        SCMP_SYS(getegid),
        SCMP_SYS(gettid),
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
};

/* See sanitizer.h. */
static const int allowed_for_sanitizer[] = {
        SCMP_SYS(clone),
        SCMP_SYS(getdents),
        SCMP_SYS(getdents64),
        SCMP_SYS(getppid),
        SCMP_SYS(lseek),
        SCMP_SYS(newfstatat),
        SCMP_SYS(open),
        SCMP_SYS(openat),
        SCMP_SYS(prctl),
        SCMP_SYS(process_vm_readv),
        SCMP_SYS(ptrace),
        SCMP_SYS(readlink),
        SCMP_SYS(rt_sigaction),
        SCMP_SYS(sched_yield),
        SCMP_SYS(sigaltstack),
        SCMP_SYS(stat),
        SCMP_SYS(wait4),
};

static int allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* Calls of which only some uses are allowed. The comparisons are of the full 64-bit argument. */
static int allow_some(scmp_filter_ctx filter)
{
        int r;

        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
        if (r < 0)
                return r;
        /* a launch with a connection */
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
        if (r < 0)
                return r;
        /* No new code. */
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        if (r < 0)
                return r;
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        if (r < 0)
                return r;
        /* abort(3) signals itself. */
        return seccomp_rule_add(
                filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
}

static int build(scmp_filter_ctx filter)
{
        int r;

        /* A call by another architecture's numbers would pass the list unread. */
        r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
        if (r < 0)
                return r;
        r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
        if (r < 0)
                return r;
        r = allow(filter, allowed, ELEMENTS(allowed));
        if (r < 0)
                return r;
        if (SANITIZER) {
                r = allow(filter, allowed_for_sanitizer, ELEMENTS(allowed_for_sanitizer));
                if (r < 0)
                        return r;
        }
        return allow_some(filter);
}

int syscalls_enter(void)
{
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        int r;

        if (!filter)
                return -ENOMEM;
        r = build(filter);
        if (r == 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        return r;
}
