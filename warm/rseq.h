/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * In a child: registers libc's area for restartable sequences. fork(2) hands the registration on, but the one who
 * forked had none: who shares memory with another process loses it (kernel/rseq.c), and libc does not expect that.
 * Without, sched_getcpu(3) would tell for ever where the zygote ran. Where it cannot be registered, libc is told so.
 */
void rseq_register(void);
