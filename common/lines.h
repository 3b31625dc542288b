/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Cuts what an application writes to its stderr into lines for the log, within bounds: a line longer than
 * LINES_LENGTH is cut into several, and after LINES_TOTAL bytes there is one last line that says so. Pure.
 */

enum {
        LINES_LENGTH = 2048,
        LINES_TOTAL = 64 * 1024,
};

typedef void (*lines_emit_fn)(const char *line, void *userdata);

struct lines {
        char line[LINES_LENGTH + 1];
        size_t length;
        size_t total; /* bytes emitted */
        bool suppressed;
};

/* Takes the next bytes and calls `emit` for each line that is complete. Empty lines are left out. */
void lines_feed(struct lines *lines, const char *data, size_t length, lines_emit_fn emit, void *userdata);

/* Emits what is left of a last line without its line end. */
void lines_end(struct lines *lines, lines_emit_fn emit, void *userdata);
