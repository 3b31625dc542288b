/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "warm/settings.h"

/*
 * inotify(7) on what an application zygote was made of: the program, every file that it has mapped, words of its
 * command line that are files, the folders beneath ScriptDirectory=, and WarmWatch=. Folders beneath ScriptDirectory=
 * that the identity itself may write are left out: what applications keep there changes with every request.
 */

enum {
        WATCH_FOLDERS_MAX = 4096,
        WATCH_DEPTH_MAX = 32,
};

struct watch {
        bool incomplete; /* a bound or a limit of the host left something out */
        int fd;          /* settings->inotify */
        char *names;     /* of what is watched, for messages; not in children */
        size_t names_used;
};

/*
 * Watches one file or folder more, at any time before watch_begin(). Returns 0, or a negative errno: -EMFILE, for
 * example, when the identity has too many inotify instances. What is not there or cannot be read is no failure.
 */
int watch_one(struct watch *watch, struct settings *settings, const char *path);

/* Watches the rest. `settings->proc` must still be open. Returns 0 or a negative errno, likewise. */
int watch_begin(struct watch *watch, struct settings *settings);

/*
 * `settings->inotify` is readable. Returns true when something has changed, with what in `detail`, and watches no more:
 * once is enough.
 */
bool watch_changed(struct watch *watch, struct settings *settings, char *detail, size_t size);
