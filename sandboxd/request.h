/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandboxd/broker.h"

/*
 * A request's way through the broker: received, admitted, spawned, running, reaped, answered.
 */

/*
 * Takes over a connection from the bridge. When there are too many, it is answered "busy" and closed at once.
 * Returns 0 or a negative errno; the descriptor is taken in any case.
 */
int request_accept(struct broker *broker, int connection);

/* The zygote's answers. The pidfd becomes the request's. */
void request_spawned(struct request *request, int pidfd);
void request_spawn_failed(struct request *request, enum step step, int error, const char *detail);

/* Ends every request there is, with the outcome "busy": the broker is stopping and has waited long enough. */
void request_end_all(struct broker *broker);
