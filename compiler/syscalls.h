/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Sets of system calls, by number, and the groups of `systemd-analyze syscall-filter`.
 */

enum { SYSCALLS_MAX = 1024 /* more than any number in the table of x86-64 or arm64 */ };

struct syscalls {
        uint64_t bits[SYSCALLS_MAX / 64];
};

/* Whether the set has that number; -1 and numbers of other architectures are in none. */
bool syscalls_has(const struct syscalls *set, int number);
bool syscalls_has_name(const struct syscalls *set, const char *name);

/* Puts calls in (`present`) or takes them out. Those that this architecture has not are left out. */
void syscalls_put(struct syscalls *set, int number, bool present);
void syscalls_put_names(struct syscalls *set, const char *const *names, size_t n, bool present);

/* Likewise all of a group, "@name", and of the groups in it. Returns whether there is such a group. */
bool syscalls_put_group(struct syscalls *set, const char *group, bool present);

/* The group whose name is nearest to `word`, or NULL. */
const char *syscalls_nearest_group(const char *word);

/* Whether `name` is one of `n` names. */
bool syscalls_is_listed(const char *const *names, size_t n, const char *name);
