/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "warm/settings.h"
#include "warm/watch.h"

/*
 * An application zygote once it is ready: keeps a child in every slot that the broker gave it, and tells how they end.
 * It reads no queue and no request. All signals but SIGCHLD must be blocked as well as that one, and SIGCHLD have a
 * handler.
 *
 * Returns only in a child, with its slot. The process ends when the broker closes the control socket; and, once it has
 * no children left, when the broker has closed the queue or forking does not work, which it says with WARM_TROUBLE.
 */
uint32_t zygote_run(struct settings *settings, struct watch *watch);
