/* SPDX-License-Identifier: Apache-2.0 */
#include "common/capabilities.h"

#include <sys/capability.h>

#include "common/cleanup.h"
#include "common/keyed.h"

static void cleanup_cap(cap_t *set)
{
        cap_free(*set);
}

#define _cleanup_cap_ _cleanup_(cleanup_cap)

int capabilities_bound(uint64_t kept)
{
        for (cap_value_t value = 0; value < cap_max_bits(); value++) {
                bool is_kept = kept & CAPABILITY_BIT(value);

                if (!is_kept && cap_get_bound(value) == 1 && cap_drop_bound(value) < 0)
                        return -errno;
                if (!is_kept && cap_get_bound(value) != 0)
                        return -ENOTRECOVERABLE;
        }
        return 0;
}

/* Adds to `wanted`, permitted and effective, those of `kept` that are permitted now. */
static int add_kept(cap_t wanted, uint64_t kept)
{
        _cleanup_cap_ cap_t now = cap_get_proc();

        if (!now)
                return -errno;
        for (cap_value_t value = 0; value < cap_max_bits(); value++) {
                cap_flag_value_t have = CAP_CLEAR;

                if (!(kept & CAPABILITY_BIT(value)) || cap_get_flag(now, value, CAP_PERMITTED, &have) < 0 ||
                        have == CAP_CLEAR)
                        continue;
                if (cap_set_flag(wanted, CAP_PERMITTED, 1, &value, CAP_SET) < 0 ||
                        cap_set_flag(wanted, CAP_EFFECTIVE, 1, &value, CAP_SET) < 0)
                        return -errno;
        }
        return 0;
}

int capabilities_keep(uint64_t kept)
{
        _cleanup_cap_ cap_t wanted = cap_init();
        int r;

        if (!wanted)
                return -ENOMEM;
        r = add_kept(wanted, kept);
        if (r < 0)
                return r;
        return cap_set_proc(wanted) < 0 ? -errno : 0;
}

int capabilities_drop(uint64_t key)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

        return keyed_call(key, SYS_capset, (long)&header, (long)none, 0, 0, 0) < 0 ? -errno : 0;
}

bool capabilities_are_gone(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3];

        if (syscall(SYS_capget, &header, now) < 0)
                return false;
        for (size_t i = 0; i < ELEMENTS(now); i++)
                if (now[i].effective != 0 || now[i].permitted != 0 || now[i].inheritable != 0)
                        return false;
        return true;
}
