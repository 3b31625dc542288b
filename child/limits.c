/* SPDX-License-Identifier: Apache-2.0 */
#include "child/limits.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/keyed.h"

static bool is_set(const struct index_service *service, int limit)
{
        return service->limits_set & (UINT64_C(1) << limit);
}

int limits_raise(const struct index_service *service, struct failure *failure)
{
        for (int i = 0; i < INDEX_LIMITS; i++) {
                struct rlimit limit;

                if (!is_set(service, i))
                        continue;
                if (getrlimit((__rlimit_resource_t)i, &limit) < 0)
                        return failure_set(failure, STEP_LIMITS, errno, "limit %d", i);
                if (limit.rlim_max >= service->limits[i])
                        continue;
                limit.rlim_max = service->limits[i];
                if (setrlimit((__rlimit_resource_t)i, &limit) < 0)
                        return failure_set(failure, STEP_LIMITS, errno, "limit %d, above the broker's own", i);
        }
        return 0;
}

int limits_apply(const struct jail *jail, int nice)
{
        const struct index_service *service = jail->service;

        for (int i = 0; i < INDEX_LIMITS; i++) {
                struct rlimit limit = {.rlim_cur = service->limits[i], .rlim_max = service->limits[i]};

                if (is_set(service, i) && setrlimit((__rlimit_resource_t)i, &limit) < 0)
                        return -errno;
        }
        if (nice != 0 && keyed_call(jail->key, SYS_setpriority, PRIO_PROCESS, 0, nice, 0, 0) < 0)
                return -errno;
        umask(service->umask);
        return 0;
}
