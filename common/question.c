/* SPDX-License-Identifier: Apache-2.0 */
#include "common/question.h"

#include <errno.h>
#include <string.h>

void question_init(struct question *question, enum question_kind kind, uint64_t number)
{
        memset(question, 0, sizeof(*question));
        question->magic = QUESTION_MAGIC;
        question->kind = kind;
        question->number = number;
}

void answer_init(struct answer *answer, enum answer_status status, uint64_t number)
{
        memset(answer, 0, sizeof(*answer));
        answer->magic = ANSWER_MAGIC;
        answer->status = status;
        answer->number = number;
}

int question_check(const struct question *question, size_t length)
{
        if (length != sizeof(*question) || question->magic != QUESTION_MAGIC || question->kind >= QUESTION_KINDS ||
                question->number == 0)
                return -EBADMSG;
        if (!wire_is_string(question->name, sizeof(question->name)) || question->last < question->first)
                return -EBADMSG;
        return question->kind == QUESTION_CATEGORIES || question->name[0] ? 0 : -EBADMSG;
}

int answer_check(const struct answer *answer, size_t length)
{
        if (length != sizeof(*answer) || answer->magic != ANSWER_MAGIC || answer->status >= ANSWER_STATUSES ||
                answer->number == 0)
                return -EBADMSG;
        if (!wire_is_string(answer->detail, sizeof(answer->detail)) || answer->n_groups > ANSWER_GROUPS_MAX)
                return -EBADMSG;
        return 0;
}
