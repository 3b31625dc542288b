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
 * The zygote for a request's identity, which is started where there is none. Returns 0; -EAGAIN when all are busy;
 * -EHOSTDOWN when they fail to start, for which service->failure says why; another negative errno.
 */
int pool_zygote(struct request *request, struct zygote **ret_zygote);

/*
 * Sends it the request. `spawn` and `fds` as for zygote_send(). Returns 0, after which exactly one of request_spawned()
 * and request_spawn_failed() is called; -EAGAIN when the zygote is too far behind; another negative errno.
 */
int pool_spawn(
        struct zygote *zygote, struct request *request, struct spawn_request *spawn, const int *fds, size_t n_fds);

/* Ends all zygotes of a service; requests that wait for one are told. */
void pool_close(struct service *service);
