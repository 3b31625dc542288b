/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdio.h>

/*
 * Configuration files and folders: read only if nobody but root can have written them.
 */

/* Opens a file. Complains and returns NULL when it cannot be read or could be written by another than root.
 */
FILE *source_open(const char *path);

/*
 * Calls `visit` with the path of each file in `directory` whose name ends with `suffix`, in the order of
 * their names. Complains about a folder that another than root could write, or that does not exist.
 */
void source_each(
        const char *directory, const char *suffix, void (*visit)(void *context, const char *path), void *context);
