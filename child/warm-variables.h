/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "child/environment.h"
#include "common/index.h"

/*
 * What an application zygote finds in its environment besides Environment=: LD_PRELOAD, which brings in the stand-in
 * for accept(2), and what that is told (common/warm.h). The stand-in takes all of it out again before the application
 * begins. Neither a request nor Environment= can set these: SANDBOXD_ is reserved, and a warm service with LD_PRELOAD
 * is refused. Pure.
 */

/*
 * Adds them to `environment`. They are written into `buffer`, which must live as long. Returns 0; -E2BIG when they do
 * not fit; -EINVAL for a service that is not warm.
 */
int warm_variables_add(struct environment *environment, const struct index *index, const struct index_service *service,
        char *buffer, size_t size);
