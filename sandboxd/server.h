/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandboxd/broker.h"

/* The launch socket: SOCK_SEQPACKET, one connection a launch. */

/*
 * Begins to accept on broker->listen_fd once there is a configuration. When descriptors run out, accepting
 * pauses for a moment; the kernel's backlog holds the rest, and the bridge answers 503 when that is full.
 */
int server_start(struct broker *broker);

/* Stops accepting, for good. Requests that were accepted go on. */
void server_stop(struct broker *broker);
