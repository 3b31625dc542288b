/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/index.h"

/*
 * Who runs a request: the first rule of the identity map that matches. Pure: no system call; the broker and
 * `sandboxctl explain` call the same function.
 */

struct identity_query {
        const char *service;
        const char *user;    /* empty: nobody is logged in */
        const char *address; /* text; empty or not an address: only ADDRESS any admits, and every deny rule
                                denies */
        const char *host;    /* any case; empty: unknown, as for the address */
};

/* The first rule that matches, or NULL: refused. */
const struct index_rule *identity_match(const struct index *index, const struct identity_query *query);

/*
 * Parses "192.0.2.1", "192.0.2.0/24", "2001:db8::/32" into a network; an IPv4-mapped IPv6 address becomes the
 * IPv4 address that it stands for (RFC 4291, 2.5.5.2). Returns 0; -EINVAL if it is none; -ERANGE when bits
 * beyond the prefix are set.
 */
int identity_parse_network(const char *text, struct index_network *ret_network);

/* Whether an address (a network with its full prefix) lies in `network`. */
bool identity_in_network(const struct index_network *network, const struct index_network *address);

/*
 * The one place where an identity is refused whatever the map says: uid or gid 0, 65534 or -1, or below the
 * configured minimum, a supplementary group likewise, or one of `n_reserved` ids, which belong to the
 * project's own accounts. Returns NULL when it may be used, or the reason.
 */
const char *identity_refusal(
        const struct index *index, const struct index_rule *rule, const uint32_t *reserved, size_t n_reserved);
