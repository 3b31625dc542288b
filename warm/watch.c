/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "warm/smaps.h"

#define FILE_EVENTS                                                                                                    \
        (IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF) /* replacing it by rename(2) shows in its link count   \
                                                                 */
#define FOLDER_EVENTS                                                                                                  \
        (IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)

enum { NAMES_SIZE = 1024 * 1024 };

/* A watch's number, and the name that it stands for; they follow each other in `names`. */
struct entry {
        int number;
        char name[];
};

static size_t entry_size(const char *name)
{
        const size_t align = _Alignof(struct entry);

        return (sizeof(struct entry) + strlen(name) + 1 + align - 1) / align * align;
}

static struct entry *entry_at(const struct watch *watch, size_t offset)
{
        return (struct entry *)(void *)(watch->names + offset);
}

/* Messages are poorer without a name, and no less right. */
static void remember(struct watch *watch, int number, const char *name)
{
        size_t size = entry_size(name);

        if (NAMES_SIZE - watch->names_used < size)
                return;
        entry_at(watch, watch->names_used)->number = number;
        memcpy(entry_at(watch, watch->names_used)->name, name, strlen(name) + 1);
        watch->names_used += size;
}

static const char *name_of(const struct watch *watch, int number)
{
        for (size_t at = 0; at < watch->names_used; at += entry_size(entry_at(watch, at)->name))
                if (entry_at(watch, at)->number == number)
                        return entry_at(watch, at)->name;
        return "?";
}

/* What is not there cannot change what the zygote was made of; the folder that it would appear in is watched or not. */
static void add(struct watch *watch, const char *path, uint32_t events)
{
        int number = inotify_add_watch(watch->fd, path, events);

        if (number >= 0)
                remember(watch, number, path);
        else if (errno != ENOENT && errno != ENOTDIR)
                watch->incomplete = true;
}

static int add_mapped(const struct smaps_region *region, void *context)
{
        static char last[PATH_MAX]; /* one file's mappings follow each other */

        if (region->path[0] != '/' || strcmp(region->path, last) == 0 || strlen(region->path) >= sizeof(last))
                return 0;
        memcpy(last, region->path, strlen(region->path) + 1);
        add(context, last, FILE_EVENTS);
        return 0;
}

static void add_words(struct watch *watch, int proc)
{
        static char words[16 * 1024];
        _cleanup_close_ int fd = openat(proc, "self/cmdline", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, words, sizeof(words) - 1);
        struct stat st;

        if (n < 0) {
                watch->incomplete = true;
                return;
        }
        for (const char *word = words; word < words + n; word += strlen(word) + 1)
                if (*word && stat(word, &st) == 0 && S_ISREG(st.st_mode))
                        add(watch, word, FILE_EVENTS);
}

static void add_tree(struct watch *watch, const char *path, bool writable_too, unsigned depth, unsigned *n);

/* By what its mode says; whether the identity is in the group is not asked. */
static bool is_writable(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 &&
               ((st.st_uid == getuid() && st.st_mode & S_IWUSR) || st.st_mode & (S_IWGRP | S_IWOTH));
}

/* The folders in a folder; symlinks are not followed, or there would be no end. */
static void add_folders(struct watch *watch, const char *path, bool writable_too, unsigned depth, unsigned *n)
{
        DIR *folder = opendir(path);
        const struct dirent *entry;
        char inner[PATH_MAX];
        struct stat st;

        if (!folder) {
                watch->incomplete = true;
                return;
        }
        while ((entry = readdir(folder))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                        (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) ||
                        snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name) >= (int)sizeof(inner))
                        continue;
                if (lstat(inner, &st) == 0 && S_ISDIR(st.st_mode))
                        add_tree(watch, inner, writable_too, depth + 1, n);
        }
        closedir(folder);
}

static void add_tree(struct watch *watch, const char *path, bool writable_too, unsigned depth, unsigned *n)
{
        if (*n == WATCH_FOLDERS_MAX || depth == WATCH_DEPTH_MAX) {
                watch->incomplete = true;
                return;
        }
        if (writable_too || !is_writable(path)) {
                ++*n;
                add(watch, path, FOLDER_EVENTS);
        }
        add_folders(watch, path, writable_too, depth, n);
}

static void add_listed(struct watch *watch, const char *path, unsigned *n)
{
        struct stat st;

        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
                add_tree(watch, path, true, 0, n);
        else
                add(watch, path, FILE_EVENTS);
}

static int open_watch(struct watch *watch, struct settings *settings)
{
        int r;

        if (settings->inotify >= 0)
                return 0;
        watch->names = mmap(NULL, NAMES_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (watch->names == MAP_FAILED || madvise(watch->names, NAMES_SIZE, MADV_DONTFORK) < 0)
                return -errno;
        r = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (r < 0)
                return -errno;
        r = settings_move_fd(settings, r);
        if (r < 0)
                return r;
        watch->fd = settings->inotify = r;
        return 0;
}

int watch_one(struct watch *watch, struct settings *settings, const char *path)
{
        unsigned n = 0;
        int r = open_watch(watch, settings);

        if (r == 0)
                add_listed(watch, path, &n);
        return r;
}

int watch_begin(struct watch *watch, struct settings *settings)
{
        unsigned n = 0;
        int r = open_watch(watch, settings);

        if (r == 0)
                r = smaps_read(settings->proc, add_mapped, watch);
        if (r < 0)
                return r;
        add_words(watch, settings->proc);
        if (settings->scripts)
                add_tree(watch, settings->scripts, false, 0, &n);
        for (size_t i = 0; i < settings->n_watch; i++)
                add_listed(watch, settings->watch[i], &n);
        return 0;
}

bool watch_changed(struct watch *watch, struct settings *settings, char *detail, size_t size)
{
        union {
                struct inotify_event event;
                char bytes[sizeof(struct inotify_event) + NAME_MAX + 1];
        } buffer;
        ssize_t n;

        do
                n = read(watch->fd, buffer.bytes, sizeof(buffer));
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno == EAGAIN)
                return false;
        if (n < (ssize_t)sizeof(buffer.event) || buffer.event.mask & IN_Q_OVERFLOW)
                snprintf(detail, size, "something has changed");
        else
                snprintf(detail, size, "%s%s%s has changed", name_of(watch, buffer.event.wd),
                        buffer.event.len > 0 ? "/" : "", buffer.event.len > 0 ? buffer.event.name : "");
        watch->fd = settings->inotify = close_fd(settings->inotify);
        return true;
}
