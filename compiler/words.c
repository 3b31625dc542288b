/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/words.h"

#include <errno.h>
#include <string.h>

#include "compiler/value.h"

static const char blanks[] = " \t\n\v\f\r"; /* as isspace(3), which value_word() goes by */

int words_split(struct words *words, const char *line)
{
        const char *cursor = line;
        size_t used = 0;

        words->count = words->end = 0;
        for (;;) {
                struct word *word = &words->word[words->count];
                const char *begin = cursor + strspn(cursor, blanks);
                int r;

                if (!*begin || *begin == '#')
                        return 0;
                words->end = (size_t)(begin - line);
                if (words->count == WORDS_MAX)
                        return -E2BIG;
                *word = (struct word){
                        .text = words->text + used,
                        .offset = words->end,
                        .assigns = begin[strcspn(begin, "=\"'\\ \t\n\v\f\r")] == '=',
                };
                r = value_word(&cursor, word->text, sizeof(words->text) - used, &word->quoted);
                if (r < 0)
                        return r;
                used += strlen(word->text) + 1;
                words->end = (size_t)(cursor - line);
                words->count++;
        }
}
