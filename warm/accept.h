/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * sandboxd-warm.so stands in for accept(2) and accept4(2) in an application that was executed with it as LD_PRELOAD, on
 * descriptor 0; other descriptors are the kernel's, and so is everything in a process that is no application zygote.
 *
 * The first call does not return to the application's one process before it is fit to be forked; from then on it
 * returns in forked children only, each of which is given one connection. A child's second call ends it.
 */

/* 1: this process is an application zygote; 0: it is not. */
__attribute__((visibility("default"))) int sandboxd_warm_active(void);

/*
 * A file or folder that the application was made of, besides what is watched anyway (warm/watch.h). To be called before
 * there are children; what cannot be watched is left out.
 */
__attribute__((visibility("default"))) void sandboxd_warm_watch(const char *path);

/*
 * The same for an application that takes CGI requests by standard streams. Returns 0 in a child, with 0, 1 and 2 placed
 * and *ret_block the environment, "NAME=VALUE\0" each; 1 in the zygote itself, with a warm-up request in the same
 * places (its standard error is the zygote's), after which it is to call again; -ENOTSUP in a process that is no
 * application zygote. The memory is the library's.
 */
__attribute__((visibility("default"))) int sandboxd_warm_take(const char **ret_block, size_t *ret_size);

/*
 * A warm-up request of sandboxd_warm_take() has been answered: what follows until the next call is not what a child
 * does. Need not be called.
 */
__attribute__((visibility("default"))) void sandboxd_warm_answered(void);
