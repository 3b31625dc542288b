/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The sockets of the warm protocol, from the side that makes them; common/warm.h says what they are for.
 */

struct warm_sockets {
        int control, queue; /* ours */
        int theirs[2];      /* control and queue of the zygote */
        int errors;         /* read end of what it writes to standard output and error; does not block */
        int streams[3];     /* the zygote's standard streams: an unconnected Unix stream socket, and that pipe's end */
};

/* All -1. */
void warm_sockets_init(struct warm_sockets *sockets);

/*
 * Makes them all, close-on-exec. `queue` bytes of requests can wait, as far as net.core.wmem_max goes. Returns 0, or a
 * negative errno; what there is then is closed by the caller either way: warm_sockets_close().
 */
int warm_sockets_open(struct warm_sockets *sockets, int queue);

/* Closes the zygote's ends, when it has them. */
void warm_sockets_close_theirs(struct warm_sockets *sockets);
void warm_sockets_close(struct warm_sockets *sockets);
