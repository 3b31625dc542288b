/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandboxd/broker.h"

/*
 * May this request be run, and as whom: from the launch request to the launch. What has to be asked (the bridge for
 * request variables, the name service, the store of what has been allotted) is asked without waiting, and the decision
 * goes on when the answer comes. Each of these functions may end, answer and free the request.
 */

/* A launch request that was checked; request->fds are its descriptors. */
void admit_begin(struct request *request);

/* Goes on with the decision: the bridge has sent the variables, or a resolver's answer was told to it. */
void admit_decide(struct request *request);
