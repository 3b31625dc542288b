/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Values as systemd writes them: systemd.syntax(7), systemd.time(7), systemd.exec(5). Pure. Each returns 0,
 * or -EINVAL for what is not such a value, -ERANGE for one that does not fit.
 */

int value_boolean(const char *text, bool *ret);                  /* yes true on 1, no false off 0 */
int value_number(const char *text, uint64_t max, uint64_t *ret); /* decimal */
int value_octal(const char *text, uint64_t max, uint64_t *ret);  /* a mode */
int value_size(const char *text, uint64_t *ret);                 /* bytes; K M G T; infinity = UINT64_MAX */
int value_timespan(const char *text, uint64_t *ret);             /* in µs; "90", "1min 30s", "500ms" */

/*
 * Takes the next word off *cursor, with quotes and backslash escapes as in systemd.syntax(7), "Quoting".
 * Returns 1 with the word in `word`, and whether any of it was quoted; 0 at the end; -EINVAL for an
 * unfinished quote, -EILSEQ for an unknown escape; -ERANGE when it does not fit.
 */
int value_word(const char **cursor, char *word, size_t size, bool *ret_quoted);

/* An absolute path without "." and "..", without doubled or trailing slashes. Edits `path` in place. */
int value_path(char *path);
