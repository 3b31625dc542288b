/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/fork.h"

#include <errno.h>
#include <linux/sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the helper leaves in our memory: the child's pid, or a negative errno. 0: it did not come so far. */
static volatile pid_t result;

/*
 * clone3(2) without a stack of its own, and then, in the helper, callee(). Returns the helper's pid or a negative
 * errno here; and 0 in the child that callee() forks, in which it returns.
 *
 * In assembly, because the helper is on our stack: what it pushes is below where we wait, in the kernel. This frame is
 * never left in the helper, so it is whole when we go on, and whole in the child's copy of it.
 */
long warm_clone(struct clone_args *arguments, size_t size, pid_t (*callee)(void)) __attribute__((visibility("hidden")));

#if defined(__x86_64__)
_Static_assert(SYS_clone3 == 435, "the number below");
__asm__(".pushsection .text\n"
        ".globl warm_clone\n"
        ".hidden warm_clone\n"
        ".type warm_clone, @function\n"
        ".balign 16\n"
        "warm_clone:\n"
        "       .cfi_startproc\n"
        "       endbr64\n"
        "       movl $435, %eax\n"
        "       syscall\n" /* keeps all registers but rax, rcx and r11 */
        "       testq %rax, %rax\n"
        "       jnz 1f\n"
        "       subq $8, %rsp\n" /* a call wants it aligned to 16 */
        "       .cfi_adjust_cfa_offset 8\n"
        "       call *%rdx\n"
        "       cltq\n"
        "       addq $8, %rsp\n"
        "       .cfi_adjust_cfa_offset -8\n"
        "1:     ret\n"
        "       .cfi_endproc\n"
        ".size warm_clone, . - warm_clone\n"
        ".popsection\n");
#elif defined(__aarch64__)
_Static_assert(SYS_clone3 == 435, "the number below");
__asm__(".pushsection .text\n"
        ".globl warm_clone\n"
        ".hidden warm_clone\n"
        ".type warm_clone, %function\n"
        ".balign 16\n"
        "warm_clone:\n"
        "       .cfi_startproc\n"
        "       hint #34\n" /* bti c */
        "       stp x29, x30, [sp, #-16]!\n"
        "       .cfi_adjust_cfa_offset 16\n"
        "       .cfi_rel_offset x29, 0\n"
        "       .cfi_rel_offset x30, 8\n"
        "       mov x29, sp\n"
        "       mov x8, #435\n"
        "       svc #0\n" /* keeps all registers but x0 */
        "       cbnz x0, 1f\n"
        "       blr x2\n"
        "       sxtw x0, w0\n"
        "1:     ldp x29, x30, [sp], #16\n"
        "       .cfi_adjust_cfa_offset -16\n"
        "       .cfi_restore x29\n"
        "       .cfi_restore x30\n"
        "       ret\n"
        "       .cfi_endproc\n"
        ".size warm_clone, . - warm_clone\n"
        ".popsection\n");
#else
#error "warm_clone() is not written for this architecture"
#endif

/* In the helper. Returns in the child only. */
static pid_t helper_main(void)
{
        pid_t child = fork();

        if (child == 0)
                return 0;
        result = child < 0 ? -errno : child;
        syscall(SYS_exit_group, 0); /* nothing of exit(3): this memory is not ours to tidy up */
        __builtin_unreachable();
}

int fork_into(int group, pid_t *ret_child)
{
        /*
         * Descriptors, folder and signal handlers are not copied for the helper, but once for the child. No exit
         * signal: the application's handlers have nothing to do with it, and waiting needs __WALL.
         */
        struct clone_args arguments = {
                .flags = CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_FS | CLONE_SIGHAND | CLONE_INTO_CGROUP,
                .cgroup = (unsigned)group,
        };
        int status = 0;
        long helper;

        result = 0;
        helper = warm_clone(&arguments, sizeof(arguments), helper_main);
        if (helper == 0) {
                *ret_child = 0;
                return 0;
        }
        if (helper < 0)
                return (int)helper;
        if (waitpid((pid_t)helper, &status, __WALL) < 0)
                return -errno;
        if (!WIFEXITED(status) || result == 0)
                return FORK_KILLED;
        if (result < 0)
                return result;
        *ret_child = result;
        return 0;
}
