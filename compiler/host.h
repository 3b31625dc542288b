/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Names of virtual hosts as the maps give them. Pure.
 */

/*
 * Brings "WWW.Example.org.", "*.Example.org" or "[2001:DB8::1]" into its canonical form, in place: lower case, without
 * the dot at the end. Returns NULL; or what is wrong with it, with a *ret_hint or NULL, and `host` may be changed.
 * Names are at most 253 bytes long, their labels 63 (RFC 1035, 2.3.4).
 */
const char *host_canonical(char *host, const char **ret_hint);
