/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

/*
 * Sees to it that the timer at *source goes off no later than `at` (µs, CLOCK_MONOTONIC), making it if it is NULL. A
 * timer that goes off earlier stays as it is: most of what is waited for comes long before, and setting a timer costs
 * system calls each time. So the handler asks first whether anything is due, and otherwise calls this again.
 * Returns 0 or a negative errno. The caller owns *source.
 */
int timer_by(sd_event *event, sd_event_source **source, uint64_t at, sd_event_time_handler_t handler, void *userdata);
