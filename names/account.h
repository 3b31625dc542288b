/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/question.h"

/*
 * Asks the name service (NSS, nsswitch.conf(5)) about an account. May take any time, and runs whatever modules the
 * system has: for worker processes only.
 *
 * Fills in *ret_answer, but for the number:
 *   ANSWER_FOUND        there is an account whose name is the same byte by byte. A directory that does not tell cases
 *                       apart knows "Alice" by "alice" too, which is not to become her.
 *   ANSWER_UNKNOWN      there is none: getpwnam(3), with the errors that its manual lists for that
 *   ANSWER_UNAVAILABLE  another error, of accounts or groups, or more groups than ANSWER_GROUPS_MAX; `detail` says so
 *
 * The groups are those of getgrouplist(3), for ANSWER_UNKNOWN those that the name service lists the name in.
 */
void account_look_up(const char *name, struct answer *ret_answer);
