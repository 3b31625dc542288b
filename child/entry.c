/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sandboxd-entry: the first program of an application that runs under a context of its own. The policy lets an
 * application's domain be entered by this program alone, so that no label on a script or an interpreter opens a way
 * into it, and the application itself is then executed like any other program of its domain: not in secure mode
 * (AT_SECURE), and judged by its own label.
 *
 * A change of context closes descriptors that the new domain may not use and puts /dev/null in their place, without a
 * word: an application would answer into nothing. Here that is a failure that is told.
 *
 * It is executed by descriptor, in a root that may not have any library, behind the application's own filter. So it
 * has none and calls what `kept` in compiler/filter.c contains: fstat, fcntl, write, execve, execveat, exit_group.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "child/application.h"

#if defined(__x86_64__)
__asm__(".globl _start\n"
        "_start:\n"
        "        xor %ebp, %ebp\n"
        "        mov %rsp, %rdi\n"
        "        and $-16, %rsp\n"
        "        call entry\n");

static long call(long number, long a, long b, long c, long d, long e)
{
        register long r10 __asm__("r10") = d;
        register long r8 __asm__("r8") = e;
        long r;

        __asm__ volatile("syscall"
                         : "=a"(r)
                         : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                         : "rcx", "r11", "memory");
        return r;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n"
        "_start:\n"
        "        mov x29, #0\n"
        "        mov x0, sp\n"
        "        bl entry\n");

static long call(long number, long a, long b, long c, long d, long e)
{
        register long x8 __asm__("x8") = number;
        register long x0 __asm__("x0") = a;
        register long x1 __asm__("x1") = b;
        register long x2 __asm__("x2") = c;
        register long x3 __asm__("x3") = d;
        register long x4 __asm__("x4") = e;

        __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
        return x0;
}
#else
#error "sandboxd-entry needs the system call instruction of this architecture"
#endif

_Noreturn static void fail(long error)
{
        struct report report = {.kind = REPORT_FAILED, .step = STEP_ENTRY, .value = (int32_t)-error};

        call(SYS_write, JAIL_FD_REPORT, (long)&report, sizeof(report), 0, 0);
        for (;;)
                call(SYS_exit_group, JAIL_EXIT, 0, 0, 0, 0);
}

static int is_report_pipe(void)
{
        struct stat st = {0};

        return call(SYS_fstat, JAIL_FD_REPORT, (long)&st, 0, 0, 0) == 0 && S_ISFIFO(st.st_mode);
}

static void check(int fd, char kind)
{
        struct stat st = {0};

        if (call(SYS_fstat, fd, (long)&st, 0, 0, 0) < 0 || application_stream_kind(&st) != kind)
                fail(-EBADFD);
}

/* The standard streams, and behind the program's letter those of an application zygote, if it is one. */
static void check_descriptors(const char *kinds)
{
        const char *warm = kinds + APPLICATION_STREAMS + 1;

        for (int fd = 0; fd < APPLICATION_STREAMS; fd++)
                check(fd, kinds[fd]);
        for (int i = 0; warm[i]; i++)
                check(WARM_FD_CONTROL + i, warm[i]);
}

static void close_at_exec(int fd)
{
        if (call(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC, 0, 0) < 0)
                fail(-EBADFD);
}

/* `stack`: argc, the letters, the application's arguments, NULL, the environment, NULL; see execve(2). */
__attribute__((used)) _Noreturn void entry(char **stack)
{
        char **argv = stack + 2, **envp = stack + 1 + (long)stack[0] + 1;
        long r;

        /* Without it nothing can be told but by a signal, which the broker sees. */
        if ((long)stack[0] < 2 || !is_report_pipe())
                __builtin_trap();
        close_at_exec(JAIL_FD_REPORT);
        check_descriptors(stack[1]);
        if (stack[1][APPLICATION_STREAMS] == APPLICATION_SCRIPT) {
                r = call(SYS_execve, (long)argv[0], (long)argv, (long)envp, 0, 0);
        } else {
                close_at_exec(APPLICATION_FD_PROGRAM);
                r = call(SYS_execveat, APPLICATION_FD_PROGRAM, (long)"", (long)argv, (long)envp, AT_EMPTY_PATH);
        }
        fail(r);
}
