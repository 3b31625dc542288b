/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/diagnostics.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 64 };

static unsigned errors;

void diagnose(struct position position, const char *hint, const char *format, ...)
{
        va_list arguments;

        errors++;
        fprintf(stderr, "%s:", position.file);
        if (position.line > 0)
                fprintf(stderr, "%u:", position.line);
        fputs(" error: ", stderr);
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputc('\n', stderr);
        if (hint)
                fprintf(stderr, "    hint: %s\n", hint);
}

unsigned diagnose_errors(void)
{
        return errors;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
        size_t least = a < b ? a : b;

        return least < c ? least : c;
}

/* Levenshtein's distance, one row at a time, without regard to case. */
static size_t distance(const char *a, const char *b)
{
        size_t row[WORD_MAX + 1], length = strlen(b);

        for (size_t j = 0; j <= length; j++)
                row[j] = j;
        for (size_t i = 1; a[i - 1]; i++) {
                size_t diagonal = row[0];

                row[0] = i;
                for (size_t j = 1; j <= length; j++) {
                        size_t above = row[j];
                        size_t substitute =
                                diagonal + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));

                        row[j] = smallest(above + 1, row[j - 1] + 1, substitute);
                        diagonal = above;
                }
        }
        return row[length];
}

const char *nearest_word(const char *word, const char *const *words, size_t n_words)
{
        const char *nearest = NULL;
        size_t best = strlen(word) / 3 + 1;

        if (strlen(word) > WORD_MAX)
                return NULL;
        for (size_t i = 0; i < n_words; i++) {
                size_t d = strlen(words[i]) <= WORD_MAX ? distance(word, words[i]) : best + 1;

                if (d <= best) {
                        if (d < best || !nearest)
                                nearest = words[i];
                        best = d;
                }
        }
        return nearest;
}
