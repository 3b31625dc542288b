/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/*
 * Generators of random numbers whose state a child inherits, so that two children would draw the same. Seeded anew are
 * libc's rand(3) and drand48(3), PHP's combined generator where it keeps its seed over requests (up to 8.1), and Perl's
 * rand. Others notice forks by themselves (OpenSSL, arc4random(3)), seed for each request (PHP 8.2), or ask the kernel
 * each time. A generator of an application's own is the application's.
 */

/* Where they are in this program, looked up once. */
struct reseed {
        void *perl_key;  /* PL_thr_key */
        void *perl_eval; /* Perl_eval_pv() */
        int32_t *php;    /* lcg_globals */
};

void reseed_find(struct reseed *ret_reseed);

/* In a child. Returns 0 or a negative errno of getrandom(2). */
int reseed_child(const struct reseed *reseed);
