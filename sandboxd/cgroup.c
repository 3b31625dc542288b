/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/hierarchy.h"

static int write_file(int folder, const char *name, const char *text)
{
        _cleanup_close_ int fd = openat(folder, name, O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int read_file(int folder, const char *name, char *text, size_t size)
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

static int open_folder(int parent, const char *name)
{
        int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

static int make_folder(int parent, const char *name)
{
        if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
                return -errno;
        return open_folder(parent, name);
}

static int open_own(void)
{
        char path[PATH_MAX];
        int r = hierarchy_own(path, sizeof(path));

        return r < 0 ? r : open_folder(AT_FDCWD, path);
}

/* Removes a tree of empty groups; rmdir(2) refuses where there is a process. Returns whether it is gone. */
static bool remove_tree(int parent, const char *name)
{
        int fd = open_folder(parent, name);
        DIR *folder = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *entry;

        if (!folder) {
                close_fd(fd);
                return fd == -ENOENT;
        }
        while ((entry = readdir(folder)))
                if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
                        remove_tree(fd, entry->d_name);
        closedir(folder);
        return unlinkat(parent, name, AT_REMOVEDIR) == 0;
}

/* What a broker that was killed left: its groups have no process in them, while a living one is in its own.
 */
static void remove_leftovers(int own)
{
        int fd = open_folder(own, ".");
        DIR *folder = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *entry;

        if (!folder) {
                close_fd(fd);
                return;
        }
        while ((entry = readdir(folder))) {
                char events[PATH_MAX], text[128];
                int pid = strncmp(entry->d_name, "sandboxd.", 9) == 0 ? atoi(entry->d_name + 9) : 0;

                /* Another broker may be between making its group and moving into it. */
                if (pid <= 0 || kill(pid, 0) == 0)
                        continue;
                snprintf(events, sizeof(events), "%s/cgroup.events", entry->d_name);
                if (read_file(own, events, text, sizeof(text)) == 0 && strcmp(text, "populated 0") == 0)
                        remove_tree(own, entry->d_name);
        }
        closedir(folder);
}

/* Enables those of the controllers we have a use for that the folder offers; adds their names to `enabled`.
 */
static void enable_controllers(int folder, char *enabled, size_t size)
{
        static const char *const wanted[] = {"cpu", "memory", "pids"};
        size_t used = 0;

        enabled[0] = '\0';
        for (size_t i = 0; i < ELEMENTS(wanted) && used < size; i++) {
                char text[32];

                snprintf(text, sizeof(text), "+%s", wanted[i]);
                if (write_file(folder, "cgroup.subtree_control", text) == 0)
                        used += (size_t)snprintf(enabled + used, size - used, "%s%s", used ? " " : "", wanted[i]);
        }
}

int cgroups_open(struct cgroups *ret_cgroups)
{
        struct cgroups cgroups = {.base = -1};
        _cleanup_close_ int own = open_own(), broker = -1;
        char name[64], ignored[64];
        int r;

        *ret_cgroups = cgroups;
        if (own < 0)
                return own == -ENOENT ? 0 : own;
        remove_leftovers(own);
        snprintf(name, sizeof(name), "sandboxd.%d", (int)getpid());
        cgroups.base = make_folder(own, name);
        if (cgroups.base == -EROFS || cgroups.base == -EACCES || cgroups.base == -EPERM)
                return 0; /* not ours to write: as if there were none */
        if (cgroups.base < 0)
                return cgroups.base;
        broker = make_folder(cgroups.base, "broker");
        r = broker < 0 ? broker : write_file(broker, "cgroup.procs", "0");
        if (r < 0) {
                close_fd(cgroups.base);
                return r;
        }
        enable_controllers(own, ignored, sizeof(ignored));
        enable_controllers(cgroups.base, cgroups.controllers, sizeof(cgroups.controllers));
        *ret_cgroups = cgroups;
        return 0;
}

void cgroups_close(struct cgroups *cgroups)
{
        _cleanup_close_ int own = -1;
        char name[64];
        struct stat st;
        bool writable;

        if (cgroups->base < 0)
                return;
        own = open_folder(cgroups->base, "..");
        cgroups->base = close_fd(cgroups->base);
        /* Refused where controllers are enabled for our siblings; whoever delegated the group to us removes
         * it. */
        if (own < 0 || write_file(own, "cgroup.procs", "0") < 0)
                return;
        snprintf(name, sizeof(name), "sandboxd.%d", (int)getpid());
        /* The top of the hierarchy has mode 0555; it is root's, and CAP_DAC_OVERRIDE has been given up. */
        writable = fstat(own, &st) == 0 && !(st.st_mode & S_IWUSR) && fchmod(own, st.st_mode | S_IWUSR) == 0;
        remove_tree(own, name);
        if (writable)
                fchmod(own, st.st_mode);
}

static int give(int folder, uid_t uid)
{
        return fchownat(folder, "cgroup.procs", uid, (gid_t)-1, 0) < 0 ? -errno : 0;
}

static int set_number(int folder, const char *file, uint64_t value, uint64_t unset)
{
        char text[32];

        if (value == unset)
                return 0;
        snprintf(text, sizeof(text), "%ju", (uintmax_t)value);
        return write_file(folder, file, text);
}

static int set_limits(int folder, const struct index_cgroup *limits)
{
        int r = set_number(folder, "memory.max", limits->memory_max, UINT64_MAX);

        if (r == 0)
                r = set_number(folder, "pids.max", limits->tasks_max, UINT64_MAX);
        return r == 0 ? set_number(folder, "cpu.weight", limits->cpu_weight, 0) : r;
}

static bool are_limits(const struct index_cgroup *limits)
{
        return limits->memory_max != UINT64_MAX || limits->tasks_max != UINT64_MAX || limits->cpu_weight != 0;
}

int cgroup_service_open(struct cgroups *cgroups, const struct index_service *service, const char *name,
        uid_t zygote_uid, struct cgroup_service *ret_service)
{
        struct cgroup_service group = {.folder = -1, .zygotes = -1};
        char enabled[64];
        int r;

        snprintf(group.name, sizeof(group.name), "%s", name);
        if (cgroups->base < 0) {
                *ret_service = group;
                return 0;
        }
        group.folder = make_folder(cgroups->base, name);
        if (group.folder < 0)
                return group.folder;
        group.zygotes = make_folder(group.folder, "zygotes");
        r = group.zygotes < 0 ? group.zygotes : give(group.folder, zygote_uid);
        if (r == 0)
                r = set_limits(group.folder, &service->cgroup);
        if (r == 0 && are_limits(&service->request_cgroup)) {
                group.limits = &service->request_cgroup;
                enable_controllers(group.folder, enabled, sizeof(enabled)); /* one that is missing fails at the leaf */
        }
        if (r < 0) {
                cgroup_service_close(cgroups, &group);
                return r;
        }
        *ret_service = group;
        return 0;
}

static void forget_leaf(struct cgroup_leaf *leaf)
{
        close_fd(leaf->folder);
        close_fd(leaf->events);
        free(leaf);
}

/* Zygotes have been killed, but need not have gone yet: a folder that holds one is removed with the next service's. */
static void remove_service(struct cgroups *cgroups, const struct cgroup_service *service)
{
        struct cgroup_rest **at = &cgroups->rests, *rest = malloc(sizeof(*rest));

        if (rest) {
                rest->next = cgroups->rests;
                memcpy(rest->name, service->name, sizeof(rest->name));
                cgroups->rests = rest;
        }
        while ((rest = *at)) {
                if (!remove_tree(cgroups->base, rest->name)) {
                        at = &rest->next;
                        continue;
                }
                *at = rest->next;
                free(rest);
        }
}

void cgroup_service_close(struct cgroups *cgroups, struct cgroup_service *service)
{
        while (service->free_leaves) {
                struct cgroup_leaf *leaf = service->free_leaves;

                service->free_leaves = leaf->next_free;
                forget_leaf(leaf);
        }
        close_fd(service->zygotes);
        if (service->folder >= 0)
                remove_service(cgroups, service);
        service->folder = close_fd(service->folder);
}

/*
 * Makes the descriptor one of a detached mount that begins at the leaf. Zygotes get it, and through a folder of the
 * host's own mount ".." leads to the host's root.
 */
static int detach(int *folder)
{
        int detached = open_tree(*folder, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned)AT_EMPTY_PATH);

        if (detached < 0)
                return -errno;
        close_fd(*folder);
        *folder = detached;
        return 0;
}

int cgroup_leaf_take(struct cgroup_service *service, uid_t zygote_uid, struct cgroup_leaf **ret_leaf)
{
        struct cgroup_leaf *leaf = service->free_leaves;
        char name[32];
        int r;

        if (leaf || service->folder < 0) {
                if (leaf)
                        service->free_leaves = leaf->next_free;
                *ret_leaf = leaf;
                return 0;
        }
        leaf = calloc(1, sizeof(*leaf));
        if (!leaf)
                return -ENOMEM;
        leaf->number = service->next++;
        leaf->events = -1;
        snprintf(name, sizeof(name), "request.%u", leaf->number);
        leaf->folder = make_folder(service->folder, name);
        r = leaf->folder < 0 ? leaf->folder : give(leaf->folder, zygote_uid);
        if (r == 0 && service->limits)
                r = set_limits(leaf->folder, service->limits);
        /* The whole request goes: one that lost a process has no answer worth waiting for. */
        if (r == 0 && service->limits && service->limits->memory_max != UINT64_MAX)
                r = write_file(leaf->folder, "memory.oom.group", "1");
        if (r == 0)
                r = detach(&leaf->folder);
        if (r == 0) {
                leaf->events = openat(leaf->folder, "cgroup.events", O_RDONLY | O_CLOEXEC);
                r = leaf->events < 0 ? -errno : 0;
        }
        if (r < 0) {
                forget_leaf(leaf);
                unlinkat(service->folder, name, AT_REMOVEDIR);
                return r;
        }
        *ret_leaf = leaf;
        return 0;
}

void cgroup_leaf_return(struct cgroup_service *service, struct cgroup_leaf *leaf)
{
        char text[32], name[32];

        if (!leaf)
                return;
        if (pread(leaf->events, text, sizeof(text), 0) > 0 && strncmp(text, "populated 0", 11) == 0) {
                leaf->next_free = service->free_leaves;
                service->free_leaves = leaf;
                return;
        }
        /* The name is never used again: `next` only counts up. An rmdir that comes too early is made up for
         * at the end. */
        write_file(leaf->folder, "cgroup.kill", "1");
        snprintf(name, sizeof(name), "request.%u", leaf->number);
        forget_leaf(leaf);
        unlinkat(service->folder, name, AT_REMOVEDIR);
}
