/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "common/accounts.h"
#include "common/index.h"

/*
 * The configuration compiler as a helper process: started by the broker, which goes on working meanwhile, and
 * by sandboxctl, which waits. Does not log; the compiler's complaints go to stderr.
 */

struct load {
        int pidfd;  /* readable when the compiler has ended */
        int output; /* memfd that the index is written into */
};

/*
 * Starts sandboxd-compile, from the folder `libexec`, for the configuration in `directory`, as the account
 * sandboxd-config when we are root. `controllers` are the cgroup controllers that limits can be enforced with.
 */
int load_start(const char *libexec, const char *directory, const char *controllers, const struct accounts *accounts,
        struct load *ret_load);

/*
 * Waits for the compiler's end and opens the index. Returns 0; -EINVAL when it found errors, which it has
 * printed; -ENOEXEC when it could not be started; another negative errno when it or its index is broken. Closes both
 * descriptors in any case.
 */
int load_finish(struct load *load, struct index *ret_index);

/* Kills the compiler, reaps it and closes both descriptors. */
void load_cancel(struct load *load);
