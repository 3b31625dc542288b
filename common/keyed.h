/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Keyed calls: what becoming somebody needs and an application is refused. A filter that is attached before its time
 * must tell the two apart, and by nothing that the application could have too. So each zygote draws a key of 64 bits,
 * puts it into the filter, and it and its children, as long as they are nothing but ours, make these calls with the
 * key as the sixth argument, which none of them uses. Nobody can read a filter or a key back: what an application is
 * executes in fresh memory, and the zygote's is not dumpable; the registers are cleared at exec.
 *
 * The filter compares without a branch (compiler/filter-last.c): how long it takes says nothing about the key.
 */
static inline long keyed_call(uint64_t key, long number, long a, long b, long c, long d, long e)
{
        return syscall(number, a, b, c, d, e, key);
}

/*
 * Copies the `n` instructions of such a filter into ret_filter and puts the key in. Returns 0, or -EBADMSG for a filter
 * that has no place for one.
 */
int keyed_put(const struct sock_filter *filter, size_t n, uint64_t key, struct sock_filter *ret_filter);
