/* SPDX-License-Identifier: Apache-2.0 */
#include "common/hierarchy.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

int hierarchy_write(int folder, const char *name, const char *text)
{
        _cleanup_close_ int fd = openat(folder, name, O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int hierarchy_read(int folder, const char *name, char *text, size_t size)
{
        _cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = read(fd, text, size - 1);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return 0;
}

int hierarchy_set(int folder, const char *name, uint64_t value, uint64_t unset)
{
        char text[32];

        if (value == unset)
                return 0;
        snprintf(text, sizeof(text), "%ju", (uintmax_t)value);
        return hierarchy_write(folder, name, text);
}

int hierarchy_give(int folder, uid_t uid)
{
        return fchownat(folder, "cgroup.procs", uid, (gid_t)-1, 0) < 0 ? -errno : 0;
}

int hierarchy_open(int parent, const char *name)
{
        int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

int hierarchy_make(int parent, const char *name)
{
        if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
                return -errno;
        return hierarchy_open(parent, name);
}

bool hierarchy_remove(int parent, const char *name)
{
        int fd = hierarchy_open(parent, name);
        DIR *folder = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *entry;

        if (!folder) {
                close_fd(fd);
                return fd == -ENOENT;
        }
        while ((entry = readdir(folder)))
                if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
                        hierarchy_remove(fd, entry->d_name);
        closedir(folder);
        return unlinkat(parent, name, AT_REMOVEDIR) == 0;
}

void hierarchy_remove_later(int parent, struct hierarchy_rest **rests, const char *name)
{
        struct hierarchy_rest **at = rests, *rest = malloc(sizeof(*rest));

        if (rest) {
                rest->next = *rests;
                snprintf(rest->name, sizeof(rest->name), "%s", name);
                *rests = rest;
        }
        while ((rest = *at)) {
                if (!hierarchy_remove(parent, rest->name)) {
                        at = &rest->next;
                        continue;
                }
                *at = rest->next;
                free(rest);
        }
}

void hierarchy_remove_dead(int folder, const char *prefix)
{
        int fd = hierarchy_open(folder, ".");
        DIR *stream = fd < 0 ? NULL : fdopendir(fd);
        const size_t length = strlen(prefix);
        const struct dirent *entry;

        if (!stream) {
                close_fd(fd);
                return;
        }
        while ((entry = readdir(stream))) {
                char events[PATH_MAX], text[128];
                int pid = strncmp(entry->d_name, prefix, length) == 0 ? atoi(entry->d_name + length) : 0;

                /* Another broker may be between making its group and moving into it. */
                if (pid <= 0 || kill(pid, 0) == 0)
                        continue;
                snprintf(events, sizeof(events), "%s/cgroup.events", entry->d_name);
                if (hierarchy_read(folder, events, text, sizeof(text)) == 0 && strcmp(text, "populated 0") == 0)
                        hierarchy_remove(folder, entry->d_name);
        }
        closedir(stream);
}

void hierarchy_enable(int folder, char *ret_enabled, size_t size)
{
        static const char *const wanted[] = {"cpu", "memory", "pids"};
        size_t used = 0;

        ret_enabled[0] = '\0';
        for (size_t i = 0; i < ELEMENTS(wanted) && used < size; i++) {
                char text[32];

                snprintf(text, sizeof(text), "+%s", wanted[i]);
                if (hierarchy_write(folder, "cgroup.subtree_control", text) == 0)
                        used += (size_t)snprintf(ret_enabled + used, size - used, "%s%s", used ? " " : "", wanted[i]);
        }
}

int hierarchy_set_limits(int folder, const struct index_cgroup *limits)
{
        int r = hierarchy_set(folder, "memory.max", limits->memory_max, UINT64_MAX);

        if (r == 0)
                r = hierarchy_set(folder, "pids.max", limits->tasks_max, UINT64_MAX);
        return r == 0 ? hierarchy_set(folder, "cpu.weight", limits->cpu_weight, 0) : r;
}

bool hierarchy_has_limits(const struct index_cgroup *limits)
{
        return limits->memory_max != UINT64_MAX || limits->tasks_max != UINT64_MAX || limits->cpu_weight != 0;
}
