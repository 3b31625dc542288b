/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "fcgi-bridge/bridge.h"

/*
 * What the service manager hands in at the start: sd_listen_fds_with_names(3).
 *
 * Listening stream sockets become `doors`, whatever their names. Connected stream sockets (Unix, IPv4, IPv6) with the
 * name HANDOVER_NAME become `taken`. Anything else is closed, and said so in the log. Logs and returns a negative
 * errno if there is no door, or one of the calls fails. Needs more system calls than confine_enter() leaves.
 */
int activation_take(struct bridge *bridge);
