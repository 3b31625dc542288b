/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Restartable sequences: rseq(2), sched_getcpu(3). The kernel writes into libc's area whenever it lets a process that
 * has registered one go on.
 */

/*
 * In a child of an application zygote: registers libc's area. fork(2) hands the registration on, but the one who
 * forked had none: who shares memory with another process loses it (kernel/rseq.c), and libc does not expect that.
 * Without, sched_getcpu(3) would tell for ever where the zygote ran. Where it cannot be registered, libc is told so.
 */
void rseq_register(void);

/*
 * In a process that forks much and has no use for them: else each child has a page copied, as soon as it runs. What
 * fails leaves them as they are.
 */
void rseq_unregister(void);
