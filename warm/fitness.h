/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "warm/files.h"
#include "warm/settings.h"

enum { FITNESS_UNFIT = 1 };

/* The threads of this process. `proc` is a descriptor of a procfs. Returns 0 or a negative errno. */
int fitness_count_threads(int proc, unsigned *ret_count);

/*
 * Whether this process can be forked so that its children share nothing: one thread, no child process of its own, no
 * writable shared memory (it is made private here, warm/private.h), no descriptor that would connect them
 * (warm/files.h). Returns 0, with `files` and the memory of its own in KiB; FITNESS_UNFIT, with the reason; or a
 * negative errno.
 */
int fitness_check(const struct settings *settings, struct files *files, int32_t *ret_memory, char *reason, size_t size);
