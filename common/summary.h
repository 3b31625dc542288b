/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
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
        bool is_warm;                    /* a fork, whose CPU time and memory nobody has counted */
};

enum { SUMMARY_SIZE = 6144 };

/*
 * Writes "outcome=… detail=… user="…" address="…" host="…" identity=… [rule=FILE:LINE] [variables=unknown]
 * [variable="NAME=VALUE" …] wall=… cpu=… maxrss=… [reason=…]", cut to `size`.
 * Where the request is warm, "warm=yes" stands in place of cpu and maxrss.
 */
void summary_format(const struct summary *summary, char *text, size_t size);

/* How urgent that line is, as of syslog(3): a request that ended as requests do, one that is launched again, or other.
 */
int summary_priority(enum wire_outcome outcome);
