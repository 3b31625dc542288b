/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "fcgi-bridge/bridge.h"

/*
 * What the service manager hands in at the start: sd_listen_fds_with_names(3).
 *
 * Listening stream sockets become `doors`, whatever their names but HANDOVER_NAME. Connected stream sockets with that
 * name become `taken`, if they have the local address that a door (Unix, IPv4, IPv6) gives, as many as
 * --max-connections= allows and `room` descriptors hold beside the doors. Anything else is closed, and said so in the
 * log. All names go to `names`. Logs and returns a negative errno if there is no door, or one of the calls fails. Needs
 * more system calls than confine_enter() leaves.
 */
int activation_take(struct bridge *bridge, size_t room);

/* Frees `names`, `taken` and `doors`. */
void activation_release(struct bridge *bridge);
