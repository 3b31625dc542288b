/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "warm/settings.h"

/*
 * Files that the application has open when it is forked. A child that inherits one shares position and locks with every
 * sibling: one that took opcache's lock and stalled, or read on in a script's __DATA__, would be noticed by the next.
 * So each child gets its own: a file that still has its name is opened again, one that has none is copied into a memfd.
 */

enum {
        FILES_MAX = 64,
        FILES_COPY_MAX = 1024 * 1024, /* bytes of a file without a name */
        FILES_STRANGE = 1,
};

struct files_one {
        int fd;
        int flags; /* F_GETFL */
        bool close_on_exec;
        off_t position;
        dev_t device;
        ino_t inode;
        char *path;    /* NULL: it has no name */
        char *content; /* then: `size` bytes */
        size_t size;
};

struct files {
        struct files_one list[FILES_MAX];
        size_t count;
};

/*
 * Looks at every open descriptor. Allowed are the standard streams, ours, regular files, folders, and the devices that
 * keep nothing; anything else, a socket above all, would be shared by requests. `proc` is a descriptor of a procfs.
 * Returns 0 with `files` filled in (memory in it is kept for good); FILES_STRANGE with the reason; or a negative errno.
 */
int files_find(const struct settings *settings, struct files *files, char *reason, size_t size);

/* In a child: gives it its own. Returns 0 or a negative errno, -ESTALE when a name leads to another file now. */
int files_replace(const struct files *files);
