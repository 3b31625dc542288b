/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "warm/settings.h"

/*
 * A WarmUpRequest=: the application serves a request of the operator's before it is forked, so that its caches are
 * filled. A helper, forked from it, is at the other end. It writes the request, drains and judges the answer, and where
 * that is not one, with a status below 400, within WARM_UP_SECONDS, it says WARM_UNFIT and ends the application, which
 * may hang in the request.
 */

enum { WARM_UP_SECONDS = 60 };

struct warm_up {
        pid_t helper; /* 0: none */
        int saved;    /* with streams: what standard output was; otherwise -1 */
};

/* With a connection. Returns it; a failure ends the process as unfit. */
int warm_up_connect(struct warm_up *warm_up, const struct settings *settings, const char *request);

/*
 * With streams: standard input at its end, standard output to the helper, standard error as it is. The environment is
 * that of request_pack().
 */
void warm_up_stream(struct warm_up *warm_up, const struct settings *settings, const char *request,
        const char **ret_block, size_t *ret_size);

/* The application has come back: puts standard output back and waits for the helper's judgement. */
void warm_up_end(struct warm_up *warm_up, const struct settings *settings);
