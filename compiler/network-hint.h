/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What someone may have meant by a text that network_parse() refuses: "10.1.", "10.1", "10.1.0.0/255.255.0.0", as
 * httpd takes them, and networks with bits beyond the prefix. Pure.
 */

enum { NETWORK_HINT_SIZE = 64 };

/* Writes the network in the form address/prefix, and returns `hint`; NULL when there is no telling. */
const char *network_hint(const char *text, char hint[NETWORK_HINT_SIZE]);
