/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

#include "common/cleanup.h"
#include "compiler/filter-program.h"

/* The filter `last`: what the application is refused, and its zygote, jail and init are not. */

/* Those that zygote and jail make with the zygote's key (common/keyed.h), or, after this filter, not at all. */
static const char *const keyed[] = {
        "capset", "clone3", "landlock_restrict_self", "move_mount", "seccomp", "setgroups", "setns", "setpgid",
        "setpriority", "setresgid", "setresuid", "setrlimit", /* not made: prlimit64 is what libc makes of it */
};

/* clone3(2) goes as a whole, and libc has clone(2) instead. */
static uint32_t error_of(int number)
{
        return number == seccomp_syscall_resolve_name("clone3") ? ENOSYS : EPERM;
}

static struct index_span refuse_all(const struct syscalls *refused, struct builder *builder)
{
        scmp_filter_ctx context = filter_new(SCMP_ACT_ALLOW);

        for (int number = 0; number < SYSCALLS_MAX; number++)
                if (syscalls_has(refused, number))
                        filter_must(seccomp_rule_add(context, SCMP_ACT_ERRNO(error_of(number)), number, 0), "last");
        return filter_export(context, builder);
}

#define STATEMENT(code, k)           ((struct sock_filter){(uint16_t)(code), 0, 0, (uint32_t)(k)})
#define JUMP(code, k, if_so, if_not) ((struct sock_filter){(uint16_t)(code), (if_so), (if_not), (uint32_t)(k)})
#define FIELD(field)                 offsetof(struct seccomp_data, field)

/*
 * Not libseccomp's, which compares the halves of an argument one after the other and returns early. Here every call
 * that is refused goes the same way, whatever key it has or has not:
 *
 *   (low half of the sixth argument ^ low half of the key) | (high half ^ high half) == 0
 *
 * A call that is not refused passes by its number alone: the kernel finds that out once, and does not run the filter
 * for it again.
 */
static struct index_span refuse_without_key(const struct syscalls *refused, struct builder *builder)
{
        const int clone3 = seccomp_syscall_resolve_name("clone3");
        const struct sock_filter begin[] = {
                STATEMENT(BPF_LD | BPF_W | BPF_ABS, FIELD(arch)),
                JUMP(BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 1, 0),
                STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW), /* the other filters kill */
                STATEMENT(BPF_LD | BPF_W | BPF_ABS, FIELD(nr)),
        };
        const struct sock_filter end[] = {
                STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
                STATEMENT(BPF_LD | BPF_W | BPF_ABS, FIELD(args[5])),
                STATEMENT(BPF_ALU | BPF_XOR | BPF_K, 0), /* keyed_put() */
                STATEMENT(BPF_MISC | BPF_TAX, 0),
                STATEMENT(BPF_LD | BPF_W | BPF_ABS, FIELD(args[5]) + sizeof(uint32_t)),
                STATEMENT(BPF_ALU | BPF_XOR | BPF_K, 0), /* likewise */
                STATEMENT(BPF_ALU | BPF_OR | BPF_X, 0),
                JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
                STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
                STATEMENT(BPF_LD | BPF_W | BPF_ABS, FIELD(nr)),
                JUMP(BPF_JMP | BPF_JEQ | BPF_K, clone3, 0, 1),
                STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
                STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        };
        struct sock_filter program[ELEMENTS(begin) + ELEMENTS(keyed) + ELEMENTS(end)];
        size_t n = ELEMENTS(begin), stop = n;

        _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low half of an argument comes first");
        memcpy(program, begin, sizeof(begin));
        for (int number = 0; number < SYSCALLS_MAX; number++)
                stop += syscalls_has(refused, number);
        /* Behind the last number comes the first of `end`, and behind that what compares. */
        for (int number = 0; number < SYSCALLS_MAX; number++)
                if (syscalls_has(refused, number)) {
                        program[n] = JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, (uint8_t)(stop - n), 0);
                        n++;
                }
        memcpy(&program[n], end, sizeof(end));
        return builder_array(builder, program, n + ELEMENTS(end), sizeof(program[0]));
}

struct index_span filter_last(const struct syscalls *refused, struct builder *builder, bool *ret_keyed)
{
        struct syscalls others = *refused, none = {0};

        syscalls_put_names(&others, keyed, ELEMENTS(keyed), false);
        *ret_keyed = memcmp(&others, &none, sizeof(none)) == 0;
        return *ret_keyed ? refuse_without_key(refused, builder) : refuse_all(refused, builder);
}
