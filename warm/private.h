/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * Memory that a child could write and others would see, made private: opcache's above all, which is MAP_SHARED, and
 * with which one request could leave code for the next. Interposing mmap(2) would not do: PHP loads extensions so that
 * their calls are not looked up here.
 */

enum { PRIVATE_IMPOSSIBLE = 1 };

/*
 * Replaces every shared writable mapping by a private copy of it at the same address, with the same protection, and
 * looks again that none is left. `proc` is a descriptor of a procfs. No other process may be writing to them.
 * Returns 0 with *ret_own, the bytes of memory that are the process's own; PRIVATE_IMPOSSIBLE, with the reason in
 * `reason`; or a negative errno.
 */
int private_make(int proc, size_t *ret_own, char *reason, size_t size);
