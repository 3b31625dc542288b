/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandboxd/broker.h"

/*
 * The zygotes of a service: one, or one for each identity where identities could meet in its namespaces
 * (INDEX_PER_IDENTITY), started when first needed and kept while used.
 */

enum { POOL_ZYGOTES_MAX = 32 }; /* of one service */

/* Makes the service's control group, if it has none yet. Call it before anything else of the service's is
 * used. */
int pool_open(struct service *service);

/*
 * Sends the request to the zygote for its identity, and starts one where there is none. `spawn` and `fds` as
 * for zygote_send(). Returns 0, after which exactly one of request_spawned() and request_spawn_failed() is
 * called; -EAGAIN when the zygotes are all busy or too far behind; -EHOSTDOWN when they fail to start, for
 * which service->failure says why; another negative errno.
 */
int pool_spawn(struct request *request, struct spawn_request *spawn, const int *fds, size_t n_fds);

/* Ends all zygotes of a service; requests that wait for one are told. */
void pool_close(struct service *service);
