/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/pace.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum {
        CALLS = 64,         /* between two looks at the clock */
        FREE_USEC = 250000, /* of processor time, without a rest */
        STROKE_USEC = 1000, /* then work so long */
        RESTS = 24,         /* and rest so many times as long */
};

static struct {
        bool active;
        unsigned calls;
        uint64_t rested; /* processor time at the end of the last rest, µs */
} state;

/* Microseconds of processor time that this process has had; clock_gettime(2). */
static uint64_t used(void)
{
        struct timespec now = {0};

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void pace_begin(void)
{
        /* Refused to nobody; and without it a configuration would still be one. */
        (void)sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
        state.active = true;
        state.rested = FREE_USEC;
}

void pace(void)
{
        struct timespec rest;
        uint64_t now, worked;

        if (!state.active || ++state.calls % CALLS > 0)
                return;
        now = used();
        if (now < state.rested + STROKE_USEC)
                return;
        worked = (now - state.rested) * RESTS;
        rest = (struct timespec){(time_t)(worked / 1000000), (long)(worked % 1000000) * 1000};
        nanosleep(&rest, NULL); /* one that a signal cuts short is as good */
        state.rested = used();
}
