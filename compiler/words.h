/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * A line of an identity map in words. Pure.
 */

enum {
        WORDS_LINE_MAX = 4096, /* bytes of a line */
        WORDS_MAX = 24,        /* more than any rule has */
};

struct word {
        char *text;    /* without quotes and escapes */
        size_t offset; /* in the line, bytes */
        bool quoted;   /* some of it: then it is no keyword */
        bool assigns;  /* it begins NAME=, unquoted */
};

struct words {
        struct word word[WORDS_MAX];
        size_t count;
        size_t end; /* of the last word, in the line */
        char text[WORDS_LINE_MAX + 1];
};

/*
 * Splits a line of at most WORDS_LINE_MAX bytes at blanks, with quotes and escapes as in value_word(), up to a `#` at
 * the beginning of a word. Returns 0; -EINVAL for an unfinished quote, -EILSEQ for an unknown escape, -E2BIG for too
 * many words: `words` then holds those before, and `end` is where the bad one begins.
 */
int words_split(struct words *words, const char *line);
