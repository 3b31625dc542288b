/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * What the compiler says about configuration, on stderr:
 *
 *     FILE:LINE:COLUMN: error: what is wrong
 *     the line of the file
 *         ^
 *         hint: what was expected
 *
 * with the column, the line and the caret where the position has them, and the hint where there is one. Errors are
 * counted; an index is written only when there are none. Warnings do not prevent it. Of each kind the first
 * DIAGNOSTICS_SHOWN are written. Control characters are written as '?'.
 */

enum { DIAGNOSTICS_SHOWN = 20 };

struct position {
        const char *file;
        unsigned line;    /* 0: the file as a whole */
        const char *text; /* the line, when a place in it is meant; else NULL */
        size_t offset;    /* of that place, in bytes */
};

/*
 * Makes each of them one write(2) from now on: the broker, and with it the requests that run meanwhile, writes to the
 * same log. For a program, once, before anything is written to stderr.
 */
void diagnose_begin(void);

/* `hint` may be NULL. */
__attribute__((format(printf, 3, 4))) void diagnose(
        struct position position, const char *hint, const char *format, ...);
__attribute__((format(printf, 3, 4))) void diagnose_warning(
        struct position position, const char *hint, const char *format, ...);

/* How many errors there were, those that were not written too. */
unsigned diagnose_errors(void);

/* Whether another error will be written: what costs much to find out for a hint is in vain otherwise. */
bool diagnose_is_shown(void);

/* Says how many errors and warnings were not written, if any. */
void diagnose_end(void);

/* The word of `words` that is nearest to `word` (edit distance at most one more than a third of its length), or NULL.
 */
const char *nearest_word(const char *word, const char *const *words, size_t n_words);
