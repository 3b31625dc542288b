/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/index.h"

/*
 * IP addresses and networks. Pure.
 */

/*
 * Parses "192.0.2.1", "192.0.2.0/24", "2001:db8::/32" into a network; an IPv4-mapped IPv6 address becomes the
 * IPv4 address that it stands for (RFC 4291, 2.5.5.2). Returns 0; -EINVAL if it is none; -ERANGE when bits
 * beyond the prefix are set.
 */
int network_parse(const char *text, struct index_network *ret_network);

/* The same, of an address alone: without "/". */
int network_parse_address(const char *text, struct index_network *ret_address);

/* Whether an address (a network with its full prefix) lies in `network`; one of family 0 contains all. */
bool network_contains(const struct index_network *network, const struct index_network *address);

enum { NETWORK_TEXT_SIZE = 64 };

/* Writes it as network_parse() reads it, without the prefix if it is a single address; "any" for family 0. */
const char *network_text(const struct index_network *network, char text[NETWORK_TEXT_SIZE]);
