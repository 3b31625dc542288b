/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandboxd/broker.h"

/*
 * Launches an admitted request: gathers what its process needs, and asks a zygote for it. May end, answer and free the
 * request. Its descriptors are closed.
 */
void launch_request(struct request *request);

/* From now on the request has as long as its rule or service says. Returns 0 or a negative errno. */
int launch_set_deadline(struct request *request);
