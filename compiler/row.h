/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "compiler/compile.h"
#include "compiler/words.h"

/*
 * One line of an identity map while it becomes a rule:
 *
 *     SERVICE USER ADDRESS HOST [VARIABLE=VALUE ...] IDENTITY [CONTEXT] [OPTION ...]
 *
 * The readers say by themselves what is wrong. The strings of the rule lie in the row.
 */

struct row {
        struct compile *compile;
        const char *const *services; /* names, sorted */
        size_t n_services;
        struct position position; /* of the line */
        struct words words;
        bool service_known;
        struct map_rule rule;
};

enum { ROW_SERVICE, ROW_USER, ROW_ADDRESS, ROW_HOST, ROW_VARIABLES };

/* Whether a word is this keyword: in quotes it never is. */
bool row_is_keyword(const struct word *word, const char *keyword);

/* The place of a word. */
struct position row_at(const struct row *row, const struct word *word);

/* Reads who asks: SERVICE, USER, ADDRESS, HOST and the variables. Returns the number of words that they are. */
size_t row_read_query(struct row *row);

/* Reads what the rule gives, from the word with number `next` on, which is there: IDENTITY, CONTEXT and options. */
void row_read_result(struct row *row, size_t next);

/* Whether `name` is an option's, which stands at the end of a rule. */
bool row_is_option(const char *name);
