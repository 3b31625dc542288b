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

/* One that nothing has come for yet. Returns NULL without memory. */
struct request *request_new(struct broker *broker);

/* Answers with the outcome, logs and frees: nothing of the request is left afterwards. Only before it has a process. */
void request_refuse(struct request *request, enum wire_outcome outcome, const char *reason);
void request_fail(struct request *request, enum wire_outcome outcome, uint32_t detail, const char *reason);

/*
 * Has `handler` called after `usec`, in place of what was set before; without one once `deadline` is 0. Returns 0 or a
 * negative errno.
 */
int request_set_deadline(struct request *request, uint64_t usec, void (*handler)(struct request *request));

/* The bridge is to send something: a request that waits for it too long is refused. Returns 0 or a negative errno. */
int request_await_bridge(struct request *request);

/*
 * Calls the request off. One that has no process yet and waits for no zygote is refused at once; else what belongs to
 * it is killed, and `outcome` is told when its process is reaped.
 */
void request_end(struct request *request, enum wire_outcome outcome, const char *reason);

/* The zygote's answers. The pidfd becomes the request's. */
void request_spawned(struct request *request, int pidfd);
void request_spawn_failed(struct request *request, enum step step, int error, const char *detail);

/* An application zygote's child that served it has ended with this status, as of waitpid(2). */
void request_ended(struct request *request, int status);

/* Ends every request there is, with the outcome "busy": the broker is stopping and has waited long enough. */
void request_end_all(struct broker *broker);
