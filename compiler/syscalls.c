/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/syscalls.h"

#include <seccomp.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "compiler/diagnostics.h"

struct syscall_group {
        const char *name;
        const char *members;
};

#include "syscall-groups.h"

bool syscalls_has(const struct syscalls *set, int number)
{
        return number >= 0 && number < SYSCALLS_MAX && set->bits[number / 64] & (UINT64_C(1) << (number % 64));
}

bool syscalls_has_name(const struct syscalls *set, const char *name)
{
        return syscalls_has(set, seccomp_syscall_resolve_name(name));
}

void syscalls_put(struct syscalls *set, int number, bool present)
{
        uint64_t bit;

        if (number < 0 || number >= SYSCALLS_MAX)
                return; /* a call of other architectures */
        bit = UINT64_C(1) << (number % 64);
        if (present)
                set->bits[number / 64] |= bit;
        else
                set->bits[number / 64] &= ~bit;
}

void syscalls_put_names(struct syscalls *set, const char *const *names, size_t n, bool present)
{
        for (size_t i = 0; i < n; i++)
                syscalls_put(set, seccomp_syscall_resolve_name(names[i]), present);
}

static const struct syscall_group *find_group(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(syscall_groups); i++)
                if (strcmp(syscall_groups[i].name, name) == 0)
                        return &syscall_groups[i];
        return NULL;
}

/* Groups are nested two or three deep; the limit only guards against a loop in the table. */
static void put_group(struct syscalls *set, const struct syscall_group *group, bool present, int depth)
{
        const char *cursor = group->members;
        char word[64];

        while (depth < 8 && sscanf(cursor, " %63s", word) == 1) {
                const struct syscall_group *inner = word[0] == '@' ? find_group(word) : NULL;

                if (inner)
                        put_group(set, inner, present, depth + 1);
                else
                        syscalls_put(set, seccomp_syscall_resolve_name(word), present);
                cursor += strspn(cursor, " ") + strlen(word);
        }
}

bool syscalls_put_group(struct syscalls *set, const char *name, bool present)
{
        const struct syscall_group *group = find_group(name);

        if (group)
                put_group(set, group, present, 0);
        return group;
}

const char *syscalls_nearest_group(const char *word)
{
        const char *names[ELEMENTS(syscall_groups)];

        for (size_t i = 0; i < ELEMENTS(syscall_groups); i++)
                names[i] = syscall_groups[i].name;
        return nearest_word(word, names, ELEMENTS(names));
}

bool syscalls_is_listed(const char *const *names, size_t n, const char *name)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(names[i], name) == 0)
                        return true;
        return false;
}
