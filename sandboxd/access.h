/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <systemd/sd-event.h>

#include "common/index.h"

/*
 * The broker as an object manager: services are objects, labelled by their files, and the policy says which front end
 * and which bridge may `start` them (class `service`). selinux_check_access(3) asks through libselinux' access vector
 * cache; denials are audited as USER_AVC.
 *
 * One in a process, as libselinux' state is.
 */

/*
 * Begins to notice reloads of the policy and changes of mode. Returns 0, also where
 * the kernel runs no SELinux, or a negative errno after a message.
 */
int access_open(sd_event *event);
void access_close(void);

/*
 * Returns NULL when a configuration with this `header` can be enforced, or why not: a class or permission that the
 * policy does not know would be "allowed" to everybody.
 */
const char *access_unenforceable(const struct index_header *header);

/*
 * Whether the peer of `bridge`, the launch connection, and the peer of `front`, the connection from the web server,
 * may start `service`. A front end on a network without labels counts as the initial context `unlabeled`. Returns NULL,
 * or why not. NULL as well where the index says that contexts are not applied.
 */
const char *access_refusal(
        const struct index *index, const struct index_service *service, const char *request_id, int bridge, int front);
