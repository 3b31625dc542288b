/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/door.h"
#include "common/index.h"
#include "common/wire.h"

/*
 * Who stands at the front door: what the broker finds out about a web server's connection by asking the
 * kernel, so that neither the front end nor the front door is the bridge's hearsay.
 */
struct front {
        char door[DOOR_NAME_MAX];     /* the local address by name, see door.h */
        char wildcard[DOOR_NAME_MAX]; /* the same for a socket that listens on every address; empty: none */
        bool is_unix;
        uid_t uid;                  /* of the front end, on a Unix door (unix(7), SO_PEERCRED) */
        char ip[WIRE_ADDRESS_SIZE]; /* of the front end, on a TCP door */
};

/*
 * Inspects the connection `fd`. Returns 0; -EBADMSG when it is no connected stream socket of a kind with doors, or
 * lives in another network namespace than the socket `reference`: in a namespace of its own, anybody can have any
 * address.
 */
int front_inspect(int fd, int reference, struct front *ret_front);

/* Whether the process that connected the Unix socket `fd` runs as one of `n` uids (unix(7), SO_PEERCRED). */
bool front_peer_is(int fd, const uint32_t *uids, size_t n);

/* The service that the door belongs to, or NULL. */
const struct index_service *front_service(const struct index *index, const struct front *front);

enum front_trust {
        FRONT_STRANGER, /* may not use this door at all */
        FRONT_NETWORK,  /* a TCP peer whose word on user and address does not count */
        FRONT_TRUSTED,
};

/* FrontEndUser= and TrustNetworkFrontEnd= of the service, applied. */
enum front_trust front_trust(const struct index *index, const struct index_service *service, const struct front *front);
