/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "common/decision.h"

/*
 * The one line that the broker logs when a request has ended: what it asked for, who it became and by which rule, and
 * how it ended. sandboxd(8) documents the fields, and `sandboxctl map explain --request=` reads them. Pure.
 */

struct summary {
        const char *outcome;
        uint32_t detail;
        const struct decision *decision; /* or one that never began */
        uint64_t wall;                   /* µs */
        const struct rusage *usage;      /* NULL: it had no process */
        const char *reason;              /* or NULL */
};

enum { SUMMARY_SIZE = 6144 };

/*
 * Writes "outcome=… detail=… user="…" address="…" host="…" identity=… [rule=FILE:LINE] [variables=unknown]
 * [variable="NAME=VALUE" …] wall=… cpu=… maxrss=… [reason=…]", cut to `size`.
 */
void summary_format(const struct summary *summary, char *text, size_t size);
