/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/*
 * Configuration files and folders: read only if nobody but root can have written them.
 */

/* Opens a file. Complains and returns NULL when it cannot be read or could be written by another than root.
 */
FILE *source_open(const char *path);

/* Complains about a folder that does not exist or that another than root could write. Returns whether it is fit. */
bool source_check_directory(const char *directory);

/*
 * Calls `visit` with the path of each file in `directory` whose name ends with `suffix`, in the order of
 * their names. Complains about a folder that another than root could write, or that does not exist.
 */
void source_each(
        const char *directory, const char *suffix, void (*visit)(void *context, const char *path), void *context);
