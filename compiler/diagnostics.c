/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/diagnostics.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 64, MESSAGE_MAX = 1024, WHOLE_MAX = 32768 };

static unsigned errors, warnings;

/* A byte that no UTF-8 sequence begins anew: column and caret count characters. */
static bool is_continuation(char c)
{
        return ((unsigned char)c & 0xc0) == 0x80;
}

static void put_safely(const char *text)
{
        for (; *text; text++)
                fputc(iscntrl((unsigned char)*text) && *text != '\t' ? '?' : *text, stderr);
}

static unsigned column(const struct position *position)
{
        unsigned characters = 1;

        for (size_t i = 0; i < position->offset; i++)
                characters += !is_continuation(position->text[i]);
        return characters;
}

static void put_place(const struct position *position)
{
        put_safely(position->file);
        if (position->line > 0)
                fprintf(stderr, ":%u", position->line);
        if (position->text)
                fprintf(stderr, ":%u", column(position));
        fputs(": ", stderr);
}

/* Tabs are copied, so that the caret stands right however wide they are. */
static void put_line(const struct position *position)
{
        put_safely(position->text);
        fputc('\n', stderr);
        for (size_t i = 0; i < position->offset; i++)
                if (!is_continuation(position->text[i]))
                        fputc(position->text[i] == '\t' ? '\t' : ' ', stderr);
        fputs("^\n", stderr);
}

static void put(
        const struct position *position, const char *kind, const char *hint, const char *format, va_list arguments)
{
        char message[MESSAGE_MAX];

        vsnprintf(message, sizeof(message), format, arguments);
        put_place(position);
        fprintf(stderr, "%s: ", kind);
        put_safely(message);
        fputc('\n', stderr);
        if (position->text)
                put_line(position);
        if (hint) {
                fputs("    hint: ", stderr);
                put_safely(hint);
                fputc('\n', stderr);
        }
        fflush(stderr);
}

void diagnose_begin(void)
{
        static char whole[WHOLE_MAX];

        setvbuf(stderr, whole, _IOFBF, sizeof(whole));
}

void diagnose(struct position position, const char *hint, const char *format, ...)
{
        va_list arguments;

        if (++errors > DIAGNOSTICS_SHOWN)
                return;
        va_start(arguments, format);
        put(&position, "error", hint, format, arguments);
        va_end(arguments);
}

void diagnose_warning(struct position position, const char *hint, const char *format, ...)
{
        va_list arguments;

        if (++warnings > DIAGNOSTICS_SHOWN)
                return;
        va_start(arguments, format);
        put(&position, "warning", hint, format, arguments);
        va_end(arguments);
}

unsigned diagnose_errors(void)
{
        return errors;
}

bool diagnose_is_shown(void)
{
        return errors < DIAGNOSTICS_SHOWN;
}

static void put_rest(unsigned count, const char *kind)
{
        if (count > DIAGNOSTICS_SHOWN)
                fprintf(stderr, "%u more %s%s\n", count - DIAGNOSTICS_SHOWN, kind,
                        count - DIAGNOSTICS_SHOWN == 1 ? "" : "s");
}

void diagnose_end(void)
{
        put_rest(errors, "error");
        put_rest(warnings, "warning");
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
