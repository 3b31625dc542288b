/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/map.h"

/*
 * What the records of a compiled identity map hold (docs/map-format.md): fixed structs in native byte order, as writer
 * and reader are from one build; strings follow, each with its NUL. Records are not aligned. Pure.
 */

struct map_header_record {
        uint32_t magic;
        uint32_t version;
        uint32_t n_rules;
};

/*
 * A rule. Behind it: `n_groups` of uint32_t; source, service, user, host, account and context, empty for NULL; for each
 * condition its name and then "=VALUE" or "*".
 */
struct map_rule_record {
        uint64_t runtime_max;
        uint32_t line;
        uint32_t uid;
        uint32_t gid;
        uint32_t group;
        uint32_t max_connections;
        int32_t nice;
        uint8_t address[16];
        uint8_t family; /* 0, 4 or 6 */
        uint8_t prefix;
        uint8_t user_match;
        uint8_t host_match;
        uint8_t action;
        uint8_t flags;
        uint8_t n_groups;
        uint8_t n_conditions;
};
_Static_assert(sizeof(struct map_rule_record) == 56, "it has no padding");

/*
 * The root of a service's tree: what its rules use, so that nothing else is tried. Behind it: `n_shapes` of uint16_t,
 * which are sets of conditions on the variables (in the low byte a bit for each that must have a value, in the high
 * byte for each that must not be empty); the names of the variables, sorted.
 */
struct map_service_record {
        uint32_t first; /* the number of the first of its rules */
        uint16_t n_shapes;
        uint8_t n_names;
        uint8_t groups;       /* whether there are rules for groups */
        uint8_t ipv4[8];      /* bit set of prefixes */
        uint8_t ipv6[24];     /* bit set of prefixes */
        uint8_t suffixes[32]; /* bit set of lengths */
};
_Static_assert(sizeof(struct map_service_record) == 72, "it has no padding");

/* One of at most four conditions on each of at most eight variables, each of two kinds: no shape is there twice. */
enum { MAP_SHAPES_MAX = 1 + 8 * 2 + 28 * 4 + 56 * 8 + 70 * 16 };

struct map_service {
        struct map_service_record record;
        const void *shapes; /* unaligned: map_service_shape() */
        const char *names[MAP_VARIABLES_MAX];
};

uint16_t map_service_shape(const struct map_service *service, size_t i);

static inline bool map_bit(const uint8_t *set, size_t bit)
{
        return set[bit / 8] & (1U << (bit % 8));
}

/*
 * Whether a rule is one that a map may hold: every kind is known, every string has a length that is allowed and no
 * control characters, hosts are in lower case, a suffix begins with a dot, a network has no bits beyond its prefix,
 * conditions are sorted. Returns 0 or -EINVAL.
 */
int map_record_check(const struct map_rule *rule);

/*
 * Decode a record of `size` bytes. The strings of the result lie in the record. Return 0, or -EBADMSG when it is not
 * well-formed from its first byte to its last.
 */
int map_record_rule(const void *record, size_t size, struct map_rule *ret_rule);
int map_record_service(const void *record, size_t size, struct map_service *ret_service);
