/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * Memory, or the end of the program with a message: the compiler is a short-lived helper, and whoever started it keeps
 * the configuration it had.
 */

/* realloc(3); `data` may be NULL. */
void *memory_resize(void *data, size_t size);

/* strdup(3). */
char *memory_string(const char *text);

/* For a library's function that could not have any. */
_Noreturn void memory_exhausted(void);
