/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/root.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "common/warm.h"

/*
 * The new root is attached here for the moment between its making and pivot_root(2). Every source has been
 * opened by then, so that what it covers is no matter, and nobody outside the namespace sees it.
 */
#define STAGING "/tmp"

enum { DEVICES = 5 };

static const char *const devices[DEVICES] = {"null", "zero", "full", "random", "urandom"};

/* A detached copy of the tree at `path`, with the given mount attributes on every mount in it. */
static int open_source(const char *path, uint64_t attributes)
{
        struct mount_attr attr = {.attr_set = attributes, .propagation = MS_PRIVATE};
        _cleanup_close_ int fd =
                open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned)AT_RECURSIVE);

        if (fd < 0)
                return -errno;
        if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
                return -errno;
        return take_fd(&fd);
}

static int open_tmpfs(const char *mode, unsigned attributes)
{
        _cleanup_close_ int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
        int fd;

        if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "mode", mode, 0) < 0 ||
                fsconfig(context, FSCONFIG_SET_STRING, "size", "1M", 0) < 0 ||
                fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        fd = fsmount(context, FSMOUNT_CLOEXEC, attributes);
        return fd < 0 ? -errno : fd;
}

/* Opens `path` as the service will see it: no symlink and no ".." leads out of `root`. */
static int open_in_root(int root, const char *path, uint64_t flags)
{
        struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
        int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

        return fd < 0 ? -errno : fd;
}

/* Makes the last component of `path`, a folder or an empty file; the one before must be there. */
static int make_node(int root, const char *path, mode_t type)
{
        char parent[PATH_MAX];
        const char *slash = strrchr(path, '/');
        size_t length = slash ? (size_t)(slash - path) : 0;
        _cleanup_close_ int fd = -1;
        int r;

        if (length >= sizeof(parent) - 1)
                return -ENAMETOOLONG;
        memcpy(parent, path, length);
        memcpy(parent + length, "/", 2);
        fd = open_in_root(root, parent, O_DIRECTORY);
        if (fd < 0)
                return fd;
        if (S_ISDIR(type))
                r = mkdirat(fd, slash ? slash + 1 : path, 0755);
        else
                r = mknodat(fd, slash ? slash + 1 : path, S_IFREG | 0644, 0);
        return r < 0 && errno != EEXIST ? -errno : 0;
}

/* Opens the mount point `path`, and makes it, with the folders that lead there, where it does not exist. */
static int open_mount_point(int root, const char *path, mode_t type)
{
        char prefix[PATH_MAX];
        size_t length = strlen(path);
        int fd = open_in_root(root, path, 0);

        if (fd != -ENOENT)
                return fd;
        if (length >= sizeof(prefix))
                return -ENAMETOOLONG;
        for (size_t i = 1; i <= length; i++) {
                int r;

                if (path[i] != '/' && path[i] != '\0')
                        continue;
                memcpy(prefix, path, i);
                prefix[i] = '\0';
                r = make_node(root, prefix, i == length ? type : S_IFDIR);
                if (r < 0)
                        return r;
        }
        return open_in_root(root, path, 0);
}

static int attach(int source, int root, const char *target)
{
        _cleanup_close_ int point = -1;
        struct stat st;

        if (fstat(source, &st) < 0)
                return -errno;
        point = open_mount_point(root, target, st.st_mode & S_IFMT);
        if (point < 0)
                return point;
        if (move_mount(source, "", point, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return -errno;
        return 0;
}

/* A bind of /lib where the host has a symlink /lib → usr/lib: the same symlink, as on every merged-/usr
 * system. */
static int copy_symlink(int root, const char *path)
{
        char target[PATH_MAX];
        ssize_t length = readlink(path, target, sizeof(target) - 1);

        if (length < 0)
                return -errno;
        target[length] = '\0';
        if (symlinkat(target, root, path + 1) < 0 && errno != EEXIST)
                return -errno;
        return 0;
}

static bool is_same_symlink(const struct index *index, const struct index_bind *bind)
{
        const char *source = index_text(index, bind->source);
        struct stat st;

        /* Only at the top level, where the folder to make it in is the root itself. */
        return strcmp(source, index_text(index, bind->target)) == 0 && strchr(source + 1, '/') == NULL &&
               lstat(source, &st) == 0 && S_ISLNK(st.st_mode);
}

enum { BINDS_MAX = 128 };

/* Opens every source before the staging mount covers any; -1 stands for nothing to mount. */
static int open_binds(
        const struct index *index, const struct index_service *service, int *sources, struct failure *failure)
{
        const struct index_bind *binds = index_array(index, service->binds);

        if (service->binds.count > BINDS_MAX)
                return failure_set(failure, STEP_BIND, E2BIG, "more than %d binds", BINDS_MAX);
        for (size_t i = 0; i < service->binds.count; i++) {
                bool writable = binds[i].flags & INDEX_BIND_WRITABLE;
                const char *path = index_text(index, binds[i].source);

                if (!service->root_directory && is_same_symlink(index, &binds[i]))
                        continue;
                sources[i] = open_source(path,
                        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (writable ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_RDONLY));
                if (sources[i] == -ENOENT && binds[i].flags & INDEX_BIND_OPTIONAL)
                        continue;
                if (sources[i] < 0)
                        return failure_set(failure, STEP_BIND, -sources[i], "%s", path);
        }
        return 0;
}

static int attach_binds(
        const struct index *index, const struct index_service *service, int root, int *sources, struct failure *failure)
{
        const struct index_bind *binds = index_array(index, service->binds);

        for (size_t i = 0; i < service->binds.count; i++) {
                const char *target = index_text(index, binds[i].target);
                int r = 0;

                if (sources[i] >= 0)
                        r = attach(sources[i], root, target);
                else if (!service->root_directory && is_same_symlink(index, &binds[i]))
                        r = copy_symlink(root, target);
                if (r == -EROFS || r == -ENOENT)
                        return failure_set(failure, STEP_BIND, -r, "mount point %s does not exist in the root", target);
                if (r < 0)
                        return failure_set(failure, STEP_BIND, -r, "%s", target);
                sources[i] = close_fd(sources[i]);
        }
        return 0;
}

/* `sources` has room for the devices and for the folder of the stand-in and the runner. */
static int open_devices(const struct index_service *service, const char *libexec, int *sources, struct failure *failure)
{
        char path[PATH_MAX];

        for (size_t i = 0; i < DEVICES; i++) {
                snprintf(path, sizeof(path), "/dev/%s", devices[i]);
                sources[i] = open_source(path, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY);
                if (sources[i] < 0)
                        return failure_set(failure, STEP_BIND, -sources[i], "%s", path);
        }
        if (!(service->flags & INDEX_RUNNER))
                return 0;
        snprintf(path, sizeof(path), "%s/warm", libexec);
        sources[DEVICES] = open_source(path, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY);
        return sources[DEVICES] < 0 ? failure_set(failure, STEP_BIND, -sources[DEVICES], "%s", path) : 0;
}

/* A root of the administrator's that has no /dev gets no devices. */
static int attach_devices(int root, int *sources, struct failure *failure)
{
        struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
        _cleanup_close_ int folder = open_tmpfs("0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
        int r;

        if (folder < 0)
                return failure_set(failure, STEP_BIND, -folder, "tmpfs for /dev");
        r = attach(folder, root, "/dev");
        if (r == -EROFS && sources[DEVICES] >= 0)
                return failure_set(failure, STEP_BIND, EROFS, "RootDirectory= has no folder /dev for " WARM_FOLDER);
        if (r == -EROFS)
                return 0;
        if (r < 0)
                return failure_set(failure, STEP_BIND, -r, "/dev");
        for (size_t i = 0; i <= DEVICES; i++) {
                char path[64] = WARM_FOLDER;

                if (i < DEVICES)
                        snprintf(path, sizeof(path), "/dev/%s", devices[i]);
                r = sources[i] >= 0 ? attach(sources[i], root, path) : 0;
                if (r < 0)
                        return failure_set(failure, STEP_BIND, -r, "%s", path);
                sources[i] = close_fd(sources[i]);
        }
        if (mount_setattr(folder, "", AT_EMPTY_PATH, &read_only, sizeof(read_only)) < 0)
                return failure_set(failure, STEP_BIND, errno, "/dev, to make it read-only");
        return 0;
}

/* Attaches the new root at the staging point; returns a descriptor of it. */
static int stage_root(const struct index *index, const struct index_service *service, struct failure *failure)
{
        const char *directory = index_text(index, service->root_directory);
        int fd;

        if (directory)
                fd = open_source(directory, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY);
        else
                fd = open_tmpfs("0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        if (fd < 0)
                return failure_set(failure, STEP_ROOT, -fd, "%s", directory ? directory : "tmpfs");
        if (move_mount(fd, "", AT_FDCWD, STAGING, MOVE_MOUNT_F_EMPTY_PATH) < 0) {
                failure_set(failure, STEP_ROOT, errno, "attach at " STAGING);
                close_fd(fd);
                return -failure->error;
        }
        return fd;
}

static int make_temporary(int root, struct failure *failure)
{
        _cleanup_close_ int fd = open_mount_point(root, "/tmp", S_IFDIR);

        return fd < 0 ? failure_set(failure, STEP_TEMPORARY, -fd, "mount point /tmp does not exist in the root") : 0;
}

/* pivot_root(2), NOTES: with new_root and put_old the same folder, the old root ends up on top of the new
 * one. */
static int pivot(int root, struct failure *failure)
{
        struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};

        if (mount_setattr(root, "", AT_EMPTY_PATH, &read_only, sizeof(read_only)) < 0)
                return failure_set(failure, STEP_PIVOT, errno, "make the root read-only");
        if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
                return failure_set(failure, STEP_PIVOT, errno, "pivot_root");
        if (umount2(".", MNT_DETACH) < 0)
                return failure_set(failure, STEP_PIVOT, errno, "detach the old root");
        if (chdir("/") < 0)
                return failure_set(failure, STEP_PIVOT, errno, "chdir to /");
        return 0;
}

int root_enter(
        const struct index *index, const struct index_service *service, const char *libexec, struct failure *failure)
{
        int device_sources[DEVICES + 1], sources[BINDS_MAX], r;
        _cleanup_close_ int root = -1;
        mode_t mask = umask(0);

        memset(device_sources, -1, sizeof(device_sources));
        memset(sources, -1, sizeof(sources));
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return failure_set(failure, STEP_ROOT, errno, "make every mount private");
        r = open_devices(service, libexec, device_sources, failure);
        if (r == 0)
                r = open_binds(index, service, sources, failure);
        if (r < 0)
                return r; /* the caller ends, and its descriptors with it */
        root = stage_root(index, service, failure);
        if (root < 0)
                return root;
        r = attach_devices(root, device_sources, failure);
        if (r == 0)
                r = attach_binds(index, service, root, sources, failure);
        if (r == 0 && service->flags & INDEX_PRIVATE_TMP)
                r = make_temporary(root, failure);
        if (r == 0)
                r = pivot(root, failure);
        umask(mask);
        return r;
}
