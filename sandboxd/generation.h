/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandboxd/broker.h"

/*
 * The configuration in force, and the change to a new one: all or nothing, without waiting. A generation that
 * has been replaced goes on for the requests that began under it.
 */

/*
 * Starts the compiler, or notes that it is to run again when it is running. When it ends, the new
 * configuration takes over, or what is in force stays. The first to fail ends the event loop with -EINVAL.
 */
int generation_load(struct broker *broker);

void generation_hold(struct generation *generation);
void generation_release(struct generation *generation);

/* The same for the generation's map alone, which is closed when nobody holds it any more. */
void generation_hold_map(struct generation *generation);
void generation_release_map(struct generation *generation);
