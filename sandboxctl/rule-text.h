/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "common/map.h"

/*
 * Identity rules as text, in the syntax of sandboxd-maps(5): what is written here can be put into a map again, and
 * means the same there. Pure.
 */

enum rule_column {
        RULE_SERVICE,
        RULE_USER,
        RULE_ADDRESS,
        RULE_HOST,
        RULE_VARIABLES,
        RULE_IDENTITY,
        RULE_CONTEXT,
        RULE_OPTIONS,
        RULE_COLUMNS,
};

enum {
        RULE_WORD_SIZE = 2 * MAP_WORD_MAX + 3, /* every byte escaped, in quotes */
        RULE_COLUMN_SIZE = 2560,               /* the longest are four conditions, and an identity with 64 groups */
};

/* A rule, column by column; a column that it leaves out is empty. */
struct rule_text {
        char columns[RULE_COLUMNS][RULE_COLUMN_SIZE];
};

/*
 * Writes `text`, of at most MAP_WORD_MAX bytes, as one word: in quotes where it would otherwise be a keyword, a
 * condition or a comment, or end too early. Returns `word`.
 */
const char *rule_word(const char *text, char word[RULE_WORD_SIZE]);

void rule_text(const struct map_rule *rule, struct rule_text *ret_text);

/* The columns that are there, with one blank between them. Returns `line`. */
enum { RULE_LINE_SIZE = RULE_COLUMNS * RULE_COLUMN_SIZE };
const char *rule_line(const struct map_rule *rule, char line[RULE_LINE_SIZE]);
