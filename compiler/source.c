/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "compiler/diagnostics.h"

/* Opens with the given type of file; says why not. */
static int open_trusted(const char *path, int flags, mode_t type)
{
        struct position position = {.file = path};
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
        struct stat st;

        if (fd < 0) {
                diagnose(position,
                        errno == EACCES ? "it must be readable by the account sandboxd-config: chmod 0644, "
                                          "or 0755 for a folder"
                                        : NULL,
                        "cannot be opened: %s", strerror(errno));
                return -1;
        }
        if (fstat(fd, &st) < 0 || (st.st_mode & S_IFMT) != type) {
                diagnose(position, NULL, "is not a %s", type == S_IFDIR ? "folder" : "regular file");
                return -1;
        }
        if (st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH)) {
                diagnose(position, "chown root and chmod go-w it",
                        "owner %u, mode %04o: it could be written by another than root", st.st_uid, st.st_mode & 07777);
                return -1;
        }
        return take_fd(&fd);
}

FILE *source_open(const char *path)
{
        int fd = open_trusted(path, 0, S_IFREG);
        FILE *stream = fd < 0 ? NULL : fdopen(fd, "re");

        if (fd >= 0 && !stream) {
                diagnose((struct position){.file = path}, NULL, "cannot be read: %s", strerror(errno));
                close_fd(fd);
        }
        return stream;
}

bool source_check_directory(const char *directory)
{
        _cleanup_close_ int fd = open_trusted(directory, O_DIRECTORY, S_IFDIR);

        return fd >= 0;
}

static int is_wanted(const char *name, const char *suffix)
{
        size_t length = strlen(name), end = strlen(suffix);

        return name[0] != '.' && length > end && strcmp(name + length - end, suffix) == 0;
}

void source_each(
        const char *directory, const char *suffix, void (*visit)(void *context, const char *path), void *context)
{
        struct dirent **entries;
        _cleanup_close_ int fd = open_trusted(directory, O_DIRECTORY, S_IFDIR);
        int n;

        if (fd < 0)
                return;
        n = scandirat(fd, ".", &entries, NULL, alphasort);
        if (n < 0) {
                diagnose((struct position){.file = directory}, NULL, "cannot be listed: %s", strerror(errno));
                return;
        }
        for (int i = 0; i < n; i++) {
                char path[PATH_MAX];

                if (snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name) >= (int)sizeof(path))
                        diagnose((struct position){.file = directory}, NULL, "the path of '%s' is too long",
                                entries[i]->d_name);
                else if (is_wanted(entries[i]->d_name, suffix))
                        visit(context, path);
                free(entries[i]);
        }
        free(entries);
}
