/* SPDX-License-Identifier: Apache-2.0 */
#include "common/timer.h"

#include <time.h>

int timer_by(sd_event *event, sd_event_source **source, uint64_t at, sd_event_time_handler_t handler, void *userdata)
{
        uint64_t set = 0;
        int r;

        if (!*source)
                return sd_event_add_time(event, source, CLOCK_MONOTONIC, at, 0, handler, userdata);
        r = sd_event_source_get_time(*source, &set);
        if (r < 0 || (set <= at && sd_event_source_get_enabled(*source, NULL) > 0))
                return r;
        r = sd_event_source_set_time(*source, at);
        return r < 0 ? r : sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
}
