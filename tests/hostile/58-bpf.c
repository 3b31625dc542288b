/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to make a BPF map.
 *
 * Control: root
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include <linux/bpf.h>

#include "probe.h"

int main(void)
{
        union bpf_attr attributes;

        memset(&attributes, 0, sizeof(attributes));
        attributes.map_type = BPF_MAP_TYPE_ARRAY;
        attributes.key_size = 4;
        attributes.value_size = 4;
        attributes.max_entries = 1;
        if (syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes)) < 0)
                contained();
        escaped("has a BPF map");
}
