/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "names/names.h"

/*
 * The conversation with the broker, at QUESTION_FD_QUESTIONS and QUESTION_FD_ANSWERS. It ends the program, with success
 * when the broker closes it and with -EBADMSG when the broker, which is of the same build, sends what is no question.
 *
 * While the broker does not take answers, it is asked for no questions: what waits stays bounded.
 */

/* Returns 0 or a negative errno. */
int server_start(struct names *names);

/*
 * Answers the question of this number; that of `answer` is not looked at. A broker that is gone is no error: the end of
 * the conversation is about to be seen. Returns 0 or a negative errno.
 */
int server_answer(struct names *names, uint64_t number, const struct answer *answer);

/* Frees what was not sent. */
void server_finish(struct names *names);
