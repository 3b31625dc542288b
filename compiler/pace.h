/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A large configuration takes seconds of processor time. Even at the lowest priority that slows down what runs beside
 * it: processors share caches, memory and often their own units. A compiler that is to yield therefore works in short
 * strokes, once it has compiled what a small configuration has, and rests in between.
 */

/* From now on the processor is whoever else's that wants it (sched(7), SCHED_IDLE), and pace() rests. */
void pace_begin(void);

/* To be called once for each line of a map. Does nothing before pace_begin(). */
void pace(void);
