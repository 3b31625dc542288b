/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * What the compiler says about configuration: "file:line: error: message", one a line on stderr, and a second
 * line with a hint where there is one. Errors are counted; an index is written only when there are none.
 */

struct position {
        const char *file;
        unsigned line; /* 0: the file as a whole */
};

/* `hint` may be NULL. */
__attribute__((format(printf, 3, 4))) void diagnose(
        struct position position, const char *hint, const char *format, ...);

unsigned diagnose_errors(void);

/* The word of `words` that is nearest to `word` (edit distance at most one more than a third of its length), or NULL.
 */
const char *nearest_word(const char *word, const char *const *words, size_t n_words);
