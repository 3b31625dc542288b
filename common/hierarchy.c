/* SPDX-License-Identifier: Apache-2.0 */
#include "common/hierarchy.h"

#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

int hierarchy_mount(char *ret_path, size_t size)
{
        FILE *mounts = setmntent("/proc/self/mounts", "re");
        const struct mntent *entry;
        int r = -ENOENT;

        if (!mounts)
                return -errno;
        while (r < 0 && (entry = getmntent(mounts)))
                if (strcmp(entry->mnt_type, "cgroup2") == 0)
                        r = snprintf(ret_path, size, "%s", entry->mnt_dir) < (int)size ? 0 : -ENAMETOOLONG;
        endmntent(mounts);
        return r;
}

/* cgroups(7), "/proc/pid/cgroup": the line "0::/path". */
static int find_group(char *ret_path, size_t size)
{
        _cleanup_fclose_ FILE *stream = fopen("/proc/self/cgroup", "re");
        char line[PATH_MAX];

        if (!stream)
                return -errno;
        while (fgets(line, sizeof(line), stream))
                if (strncmp(line, "0::", 3) == 0) {
                        line[strcspn(line, "\n")] = '\0';
                        return snprintf(ret_path, size, "%s", line + 3) < (int)size ? 0 : -ENAMETOOLONG;
                }
        return -ENOENT;
}

int hierarchy_own(char *ret_path, size_t size)
{
        char mount[PATH_MAX / 2], own[PATH_MAX / 2];
        int r = hierarchy_mount(mount, sizeof(mount));

        if (r == 0)
                r = find_group(own, sizeof(own));
        if (r < 0)
                return r;
        return snprintf(ret_path, size, "%s%s", mount, own) < (int)size ? 0 : -ENAMETOOLONG;
}
