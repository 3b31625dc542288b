/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/map.h"

/*
 * Writes the identity map that common/map.h reads: docs/map-format.md. Out of memory, or of room in the file, is fatal
 * with a message, as in compiler/builder.h.
 */

struct map_writer;

/* `fd` is an empty memfd, read and written. */
struct map_writer *map_writer_new(int fd);

/* Where an earlier rule stands. `source` is valid until map_writer_finish(). */
struct map_place {
        const char *source;
        uint32_t line;
        bool same; /* it asks for just the same: the later one is a duplicate */
};

enum map_added {
        MAP_ADDED,
        MAP_SHADOWED,             /* an earlier rule, by itself, always decides first: this one can never match */
        MAP_SHADOWED_WHERE_KNOWN, /* likewise, but for requests with something unknown, which this one denies */
};

/*
 * Adds a rule after those before it (`number` is assigned here) and copies all that it points to. Returns an enum
 * map_added, with *ret_shadow for a shadowed one, which is listed by map_each() all the same. A rule on the wrong side
 * of what is unknown (common/map.h) does not shadow altogether: one that admits 10.0.0.0/8 does not hide a later one
 * that denies it from requests without an address. -E2BIG: more than MAP_RULES_MAX; -ENOSPC: more than
 * MAP_VARIABLES_MAX variables for a service; -EINVAL: no map may hold this rule (common/map-record.h). Nothing is added
 * then.
 */
int map_writer_add(struct map_writer *writer, const struct map_rule *rule, struct map_place *ret_shadow);

/* Writes what is left, and frees the writer. The file is not sealed yet. Returns 0 or a negative errno. */
int map_writer_finish(struct map_writer *writer);
