/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandboxd/broker.h"

/*
 * The broker's end. By SIGTERM or SIGINT: no more connections are accepted, the requests that were accepted go on, and
 * what is left after the drain time is ended with 503. Connections that wait stay in the launch socket, which is
 * systemd's, for the next broker. By idleness (--idle-exit=): likewise, with nothing to wait for, and only while the
 * configuration on disk is one that the next broker can start with.
 */

/* Begins the end; once begun, does nothing. Returns 0 or a negative errno, as an event handler does. */
int stop_begin(struct broker *broker);

/* Adds the signals, which must be blocked, and the idle timer to the loop. Returns 0 or a negative errno. */
int stop_set_up(struct broker *broker);
