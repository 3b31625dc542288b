/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rseq.h"

#if __has_include(<sys/rseq.h>)
#include <stdint.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The size with which every glibc so far registers, whatever __rseq_size says is in use. */
enum { RSEQ_SIZE = 32 };

static struct rseq *own_area(void)
{
        return (struct rseq *)(void *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

void rseq_register(void)
{
        struct rseq *area = own_area();

        if (__rseq_size == 0)
                return; /* libc has none either */
        if (syscall(SYS_rseq, area, RSEQ_SIZE, 0, RSEQ_SIG) < 0)
                area->cpu_id = (uint32_t)RSEQ_CPU_ID_REGISTRATION_FAILED;
}

void rseq_unregister(void)
{
        if (__rseq_size > 0)
                (void)syscall(SYS_rseq, own_area(), RSEQ_SIZE, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
}
#else
void rseq_register(void)
{
}

void rseq_unregister(void)
{
}
#endif
