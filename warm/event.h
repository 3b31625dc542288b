/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "common/warm.h"

/* What an application zygote and its spare children say to the broker: struct warm_event on the control socket. */

enum { EVENT_WAIT = 10 * 1000 }; /* ms; a broker that has not read for so long hangs */

/*
 * Sends an event; a kind without a slot, value or number has 0 there. `detail` is cut to fit, and what is not printable
 * in it replaced. Waits while the socket is full, EVENT_WAIT at most. Returns 0, -ETIMEDOUT, or another negative errno
 * of sendmsg(2).
 */
int event_send(
        int control, enum warm_event_kind kind, uint32_t slot, int32_t value, uint64_t number, const char *detail);

/* Says why the zygote ends, with WARM_UNFIT or WARM_TROUBLE, and ends it. */
__attribute__((format(printf, 3, 4))) _Noreturn void event_end(
        int control, enum warm_event_kind kind, const char *format, ...);
