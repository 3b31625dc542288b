/* SPDX-License-Identifier: Apache-2.0 */
#include "common/keyed.h"

#include <errno.h>

int keyed_put(const struct sock_filter *filter, size_t n, uint64_t key, struct sock_filter *ret_filter)
{
        size_t halves = 0;

        for (size_t i = 0; i < n; i++) {
                ret_filter[i] = filter[i];
                if (filter[i].code != (BPF_ALU | BPF_XOR | BPF_K))
                        continue;
                ret_filter[i].k = halves == 0 ? (uint32_t)key : (uint32_t)(key >> 32);
                halves++;
        }
        return halves == 2 ? 0 : -EBADMSG;
}
