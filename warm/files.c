/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/cleanup.h"

static bool is_ours(const struct settings *settings, int fd)
{
        return fd == settings->control || fd == settings->queue || fd == settings->proc || fd == settings->landlock ||
               fd == settings->null || fd == settings->inotify;
}

/* null, zero, full, random, urandom: mem(4), full(4), random(4). */
static bool is_harmless_device(const struct stat *st)
{
        static const unsigned minors[] = {3, 5, 7, 8, 9};

        for (size_t i = 0; i < ELEMENTS(minors); i++)
                if (S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, minors[i]))
                        return true;
        return false;
}

/* Where a descriptor leads, as the kernel writes it. */
static const char *link_of(const struct settings *settings, int fd, char *path, size_t size)
{
        char name[32];
        ssize_t n;

        snprintf(name, sizeof(name), "self/fd/%d", fd);
        n = readlinkat(settings->proc, name, path, size - 1);
        path[n < 0 ? 0 : n] = '\0';
        return path;
}

static int strange(const struct settings *settings, int fd, const char *what, char *reason, size_t size)
{
        char path[128];

        snprintf(reason, size, "descriptor %d %s: %s", fd, what, link_of(settings, fd, path, sizeof(path)));
        return FILES_STRANGE;
}

static int read_content(struct files_one *file)
{
        for (size_t done = 0; done < file->size;) {
                ssize_t n = pread(file->fd, file->content + done, file->size - done, (off_t)done);

                if (n <= 0)
                        return n < 0 ? -errno : -ESTALE;
                done += (size_t)n;
        }
        return 0;
}

/* It is opened in a child by the name, with the flags that are kept, and must be the same file. */
static int open_again(const struct files_one *file)
{
        _cleanup_close_ int fd = open(file->path, (file->flags & ~(O_CREAT | O_EXCL | O_TRUNC)) | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        return st.st_dev == file->device && st.st_ino == file->inode ? take_fd(&fd) : -ESTALE;
}

static int copy_again(const struct files_one *file)
{
        _cleanup_close_ int fd = memfd_create("sandboxd-own", MFD_CLOEXEC);

        if (fd < 0)
                return -errno;
        if (file->size > 0 && pwrite(fd, file->content, file->size, 0) != (ssize_t)file->size)
                return -EIO;
        if (file->flags & O_APPEND && fcntl(fd, F_SETFL, O_APPEND) < 0)
                return -errno;
        return take_fd(&fd);
}

static int note(
        const struct settings *settings, struct files_one *file, const struct stat *st, char *reason, size_t size)
{
        char path[PATH_MAX];
        int r;

        file->flags = fcntl(file->fd, F_GETFL);
        file->close_on_exec = fcntl(file->fd, F_GETFD) & FD_CLOEXEC;
        file->position = lseek(file->fd, 0, SEEK_CUR);
        file->device = st->st_dev;
        file->inode = st->st_ino;
        if (st->st_nlink > 0) {
                file->path = strdup(link_of(settings, file->fd, path, sizeof(path)));
                r = file->path ? open_again(file) : -ENOMEM;
                if (r < 0)
                        return strange(settings, file->fd, "is a file that cannot be opened again", reason, size);
                close_fd(r);
                return 0;
        }
        if (st->st_size > FILES_COPY_MAX)
                return strange(settings, file->fd, "is a large file without a name", reason, size);
        file->size = (size_t)st->st_size;
        file->content = malloc(file->size + 1);
        r = file->content ? read_content(file) : -ENOMEM;
        return r < 0 ? strange(settings, file->fd, "is a file without a name that cannot be read", reason, size) : 0;
}

static int judge(const struct settings *settings, struct files *files, int fd, char *reason, size_t size)
{
        struct stat st;

        if (fd <= STDERR_FILENO || is_ours(settings, fd))
                return 0;
        if (fd >= settings->first_fd)
                return strange(settings, fd, "has a number that is reserved", reason, size);
        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode) || is_harmless_device(&st))
                return 0;
        if (!S_ISREG(st.st_mode))
                return strange(settings, fd, "would be shared by all requests", reason, size);
        if (files->count == FILES_MAX)
                return strange(settings, fd, "is one open file too many", reason, size);
        files->list[files->count].fd = fd;
        return note(settings, &files->list[files->count++], &st, reason, size);
}

int files_find(const struct settings *settings, struct files *files, char *reason, size_t size)
{
        int fd = openat(settings->proc, "self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        DIR *folder = fd < 0 ? NULL : fdopendir(fd);

        if (!folder) {
                close_fd(fd);
                return -errno;
        }
        for (;;) {
                const struct dirent *entry;
                int number;

                errno = 0;
                entry = readdir(folder);
                if (!entry || r != 0)
                        break;
                number = (int)strtol(entry->d_name, NULL, 10);
                if (entry->d_name[0] != '.' && number != fd)
                        r = judge(settings, files, number, reason, size);
        }
        if (r == 0 && errno != 0)
                r = -errno;
        closedir(folder);
        return r;
}

int files_replace(const struct files *files)
{
        for (size_t i = 0; i < files->count; i++) {
                const struct files_one *file = &files->list[i];
                _cleanup_close_ int fd = file->path ? open_again(file) : copy_again(file);

                if (fd < 0)
                        return fd;
                if (file->position > 0 && lseek(fd, file->position, SEEK_SET) < 0)
                        return -errno;
                if (dup3(fd, file->fd, file->close_on_exec ? O_CLOEXEC : 0) < 0)
                        return -errno;
        }
        return 0;
}
