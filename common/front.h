/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/door.h"
#include "common/index.h"
#include "common/wire.h"

/*
 * Who stands at the front door, and what that is worth: which service it is, and whether the front end's word counts.
 * Pure; the broker asks the kernel for the facts (sandboxd/peer.h).
 */
struct front {
        char door[DOOR_NAME_MAX];     /* the local address by name, see door.h */
        char wildcard[DOOR_NAME_MAX]; /* the same for a socket that listens on every address; empty: none */
        bool is_unix;
        uid_t uid;                  /* of the front end, on a Unix door (unix(7), SO_PEERCRED) */
        char ip[WIRE_ADDRESS_SIZE]; /* of the front end, on a TCP door */
};

/* The service that the door belongs to, or NULL. */
const struct index_service *front_service(const struct index *index, const struct front *front);

enum front_trust {
        FRONT_STRANGER, /* may not use this door at all */
        FRONT_NETWORK,  /* a TCP peer whose word on user, address, host and variables does not count */
        FRONT_TRUSTED,
};

/* FrontEndUser= and TrustNetworkFrontEnd= of the service, applied. */
enum front_trust front_trust(const struct index *index, const struct index_service *service, const struct front *front);

/* Whether `uid` is one of `n` uids. */
bool front_has_uid(const uint32_t *uids, size_t n, uid_t uid);
