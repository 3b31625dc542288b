/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * A process's capabilities, as bits: capabilities(7), libcap(3).
 */

#define CAPABILITY_BIT(capability) (UINT64_C(1) << (capability))

/* Drops all but `kept` from the bounding set, and re-reads it. Returns 0, -ENOTRECOVERABLE, or another negative errno.
 */
int capabilities_bound(uint64_t kept);

/*
 * Permitted and effective become what is permitted now and in `kept`; nothing is inheritable, and with that nothing is
 * ambient. Returns 0 or a negative errno.
 */
int capabilities_keep(uint64_t kept);

/*
 * Empties all sets, by a keyed call (common/keyed.h), for which libcap has no place. Returns 0 or a negative errno.
 */
int capabilities_drop(uint64_t key);

/*
 * capget(2) itself: libcap allocates memory, and each page that a process writes to after fork(2) is copied first.
 *
 * Whether the effective, permitted, inheritable and ambient set are empty; the kernel keeps in the ambient set only
 * what is both permitted and inheritable.
 */
bool capabilities_are_gone(void);
