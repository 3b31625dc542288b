/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/question.h"
#include "sandboxd/broker.h"

/*
 * What the broker itself must not wait for is asked of a process that may: sandboxd-names asks the name service,
 * sandboxd-allot writes to disk (common/question.h). Each is started with the first question and again, with the first
 * one after a pause, when it has failed and its process is gone.
 */

/*
 * Asks for the request. What is answered is told to its decision, and admit_decide() goes on. When the resolver fails,
 * or says nothing in time, that is an ANSWER_UNAVAILABLE of our own; a sandboxd-names that says nothing in time has
 * failed, and so has a sandboxd-allot that answers nobody meanwhile. `question` needs its kind and what it is about;
 * the rest is filled in. Returns 0, or a negative errno: nothing will be answered. -EAGAIN: as many wait as can.
 */
int resolver_ask(struct request *request, struct question *question);

/* Ends both. */
void resolver_close(struct broker *broker);
