/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "compiler/diagnostics.h"

/*
 * Reads a file of "[Section]" and "Key=Value" lines with inih: `#` and `;` begin comments, a line that begins
 * with white space continues the one before. Lines may be INI_FILE_LINE_MAX bytes long; keys that list things
 * can be repeated instead. `assign` is called for each value, and complains by itself.
 */
enum { INI_FILE_LINE_MAX = 190 };

typedef void (*ini_file_assign)(
        void *context, const char *section, const char *key, const char *value, struct position position);

/* Complains about a file that cannot be read, or a line that is neither section, assignment nor comment. */
void ini_file_read(const char *path, ini_file_assign assign, void *context);
