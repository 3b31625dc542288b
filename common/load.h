/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "common/accounts.h"
#include "common/index.h"
#include "common/map.h"

/*
 * The configuration compiler as a helper process: started by the broker, which goes on working meanwhile, and
 * by sandboxctl, which waits. Does not log; the compiler's complaints go to stderr.
 */

struct load {
        int pidfd; /* readable when the compiler has ended */
        int index; /* memfd that the index is written into */
        int map;   /* likewise the identity map */
};

/*
 * Starts sandboxd-compile, from the folder `libexec`, for the configuration in `directory`, as the account
 * sandboxd-config when we are root. `controllers` are the cgroup controllers that limits can be enforced with. One that
 * `yields` takes longer, and keeps out of the way of what else runs.
 */
int load_start(const char *libexec, const char *directory, const char *controllers, const struct accounts *accounts,
        bool yields, struct load *ret_load);

/*
 * Waits for the compiler's end and opens index and map. Returns 0; -EINVAL when it found errors, which it has
 * printed; -ENOEXEC when it could not be started; another negative errno when it or what it wrote is broken. Closes all
 * descriptors in any case.
 */
int load_finish(struct load *load, struct index *ret_index, struct map *ret_map);

/* Kills the compiler, reaps it and closes all descriptors. */
void load_cancel(struct load *load);
