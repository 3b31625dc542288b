/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <systemd/sd-event.h>

#include "common/index.h"

/*
 * The broker as an object manager: services are objects, labelled by their files, and the policy says which front end
 * and which bridge may `start` them (class `service`). It is asked through libselinux' access vector cache; denials are
 * audited as USER_AVC.
 *
 * One in a process, as libselinux' state is.
 */

/*
 * Makes ready to enforce a configuration with this header, and returns NULL; or returns why it cannot be enforced:
 * the policy does not know class or permission, or the compiler saw no SELinux where there is one. From the first
 * configuration with contexts on, reloads of the policy and changes of mode are noticed, in `event`, and logged.
 */
const char *access_prepare(sd_event *event, const struct index_header *header);
void access_close(void);

/*
 * Whether the peer of `bridge`, the launch connection, and the peer of `front`, the connection from the web server,
 * may start `service`. A front end on a network without labels counts as the initial context `unlabeled`. Returns NULL,
 * or why not. NULL as well where contexts are not applied.
 */
const char *access_refusal(
        const struct index *index, const struct index_service *service, const char *request_id, int bridge, int front);
