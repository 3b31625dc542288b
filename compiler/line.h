/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdio.h>
#include <sys/types.h>

#include "compiler/diagnostics.h"

/*
 * Reads the next line, without its newline, into *line as getline(3) does, and counts position->line up. Complains
 * about a NUL in it and about a read that fails: half a file is not a configuration. Returns the line's length, or
 * -1 at the end.
 */
ssize_t line_read(FILE *stream, struct position *position, char **line, size_t *capacity);
