/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/front.h"

/*
 * Who is at the other end of a connection: the broker asks the kernel, so that neither the front end nor the front door
 * is the bridge's hearsay.
 */

/*
 * Inspects the connection `fd` from a web server. Returns 0; -EBADMSG when it is no connected stream socket of a kind
 * with doors, or lives in another network namespace than the socket `reference`: in a namespace of its own, anybody can
 * have any address.
 */
int peer_inspect(int fd, int reference, struct front *ret_front);

/* Whether the process that connected the Unix socket `fd` runs as one of `n` uids (unix(7), SO_PEERCRED). */
bool peer_is(int fd, const uint32_t *uids, size_t n);
