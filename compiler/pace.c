/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/pace.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum {
        FREE = 100000,     /* calls without a rest */
        CALLS = 4,         /* then, between two looks at the clock: of a map, some 10 µs of work */
        STROKE_USEC = 400, /* work so long */
        RESTS = 119,       /* and rest so many times as long */
};

_Static_assert(FREE % CALLS == 0, "the clock is looked at when the free calls are over");

static struct {
        bool active;
        uint64_t calls; /* of pace() */
        int64_t rested; /* processor time at the end of the last rest, µs */
        int64_t due;    /* monotonic time, µs: before this the stroke is not over */
} state;

/* In microseconds; clock_gettime(2). */
static int64_t read_clock(clockid_t clock)
{
        struct timespec now = {0};

        clock_gettime(clock, &now);
        return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void pace_begin(void)
{
        /* Refused to nobody; and without it a configuration would still be one. */
        (void)sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
        state.active = true;
}

/*
 * What others have of the processor in the middle of a stroke is no work of ours: the processor time counts. To ask for
 * it is a system call, and to look at the other clock is none.
 */
void pace(void)
{
        int64_t now, worked;

        if (!state.active || ++state.calls < FREE || state.calls % CALLS > 0)
                return;
        if (state.calls == FREE)
                state.rested = read_clock(CLOCK_PROCESS_CPUTIME_ID);
        now = read_clock(CLOCK_MONOTONIC);
        if (now < state.due)
                return;
        worked = read_clock(CLOCK_PROCESS_CPUTIME_ID) - state.rested;
        if (worked >= STROKE_USEC) {
                const int64_t rest = worked * RESTS;

                /* One that a signal cuts short is as good. */
                nanosleep(&(struct timespec){rest / 1000000, rest % 1000000 * 1000}, NULL);
                worked = 0;
                state.rested = read_clock(CLOCK_PROCESS_CPUTIME_ID);
                now = read_clock(CLOCK_MONOTONIC);
        }
        state.due = now + STROKE_USEC - worked;
}
