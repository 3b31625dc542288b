/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/rehearsal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "warm/fitness.h"
#include "warm/page.h"
#include "warm/private.h"
#include "warm/smaps.h"

/* The kernel's Documentation/admin-guide/mm/pagemap.rst */
#define PAGE_PRESENT   (UINT64_C(1) << 63)
#define PAGE_OF_A_FILE (UINT64_C(1) << 61) /* or shared memory */
#define PAGE_EXCLUSIVE (UINT64_C(1) << 56) /* mapped once */

enum { BATCH = 512 };

void rehearsal_open(struct rehearsal *rehearsal, const struct settings *settings)
{
        int fd = settings->n_requests > 0 ? openat(settings->proc, "self/pagemap", O_RDONLY | O_CLOEXEC) : -1;

        rehearsal->pagemap = fd < 0 ? -1 : settings_move_fd(settings, fd);
}

/* Without an exit signal, and not by libc's fork(): the application's handlers have nothing to do with it. */
static pid_t start_witness(void)
{
        pid_t parent = getpid();
        long pid = syscall(SYS_clone, 0UL, 0UL, 0UL, 0UL, 0UL);

        if (pid != 0)
                return (pid_t)pid;
        if (close_range(0, ~0U, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
                _exit(EXIT_FAILURE);
        for (;;)
                pause();
}

static void end_witness(pid_t witness)
{
        if (kill(witness, SIGKILL) < 0)
                return;
        while (waitpid(witness, NULL, __WALL) < 0 && errno == EINTR)
                ;
}

static void note(struct rehearsal *rehearsal, char *start, size_t size)
{
        size_t last = rehearsal->n_ranges - 1;

        if (rehearsal->n_pages == REHEARSAL_PAGES_MAX)
                return;
        if (rehearsal->n_ranges > 0 && rehearsal->ranges[last].start + rehearsal->ranges[last].size == start) {
                rehearsal->ranges[last].size += size;
        } else if (rehearsal->n_ranges < REHEARSAL_RANGES_MAX) {
                rehearsal->ranges[rehearsal->n_ranges].start = start;
                rehearsal->ranges[rehearsal->n_ranges++].size = size;
        } else {
                return;
        }
        rehearsal->n_pages++;
}

static bool was_written(uint64_t page)
{
        return page & PAGE_PRESENT && page & PAGE_EXCLUSIVE && !(page & PAGE_OF_A_FILE);
}

static int look(const struct smaps_region *found, void *context)
{
        struct rehearsal *rehearsal = context;
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        uint64_t pages[BATCH];

        if (found->anonymous == 0 || !found->plain || !(found->protection & PROT_WRITE))
                return 0;
        for (uintptr_t at = found->start; at < found->end;) {
                size_t wanted = (found->end - at) / page < BATCH ? (found->end - at) / page : BATCH;
                ssize_t n =
                        pread(rehearsal->pagemap, pages, wanted * sizeof(*pages), (off_t)(at / page * sizeof(*pages)));

                if (n < (ssize_t)sizeof(*pages))
                        return -EIO;
                for (size_t i = 0; i < (size_t)n / sizeof(*pages); i++, at += page)
                        if (was_written(pages[i]))
                                note(rehearsal, (char *)at, page);
        }
        return 0;
}

void rehearsal_end(struct rehearsal *rehearsal, const struct settings *settings)
{
        if (rehearsal->pagemap < 0 || rehearsal->witness <= 0)
                return;
        (void)smaps_read(settings->proc, look, rehearsal); /* what has been found until then is found */
        end_witness(rehearsal->witness);
        rehearsal->pagemap = close_fd(rehearsal->pagemap);
}

/* What was shared is private in a child, and so it has to be here. What cannot be so ends this process later. */
static bool begin(struct rehearsal *rehearsal, const struct settings *settings)
{
        unsigned n_threads = 0;
        char reason[200];
        size_t own;

        if (fitness_count_threads(settings->proc, &n_threads) < 0 || n_threads != 1 ||
                private_make(settings->proc, &own, reason, sizeof(reason)) != 0)
                return false;
        rehearsal->witness = start_witness();
        return rehearsal->witness > 0;
}

bool rehearsal_goes_on(struct rehearsal *rehearsal, const struct settings *settings)
{
        if (rehearsal->pagemap < 0)
                return false;
        if (rehearsal->witness == 0 && begin(rehearsal, settings))
                return true;
        rehearsal_end(rehearsal, settings);
        rehearsal->pagemap = close_fd(rehearsal->pagemap);
        return false;
}

void rehearsal_populate(const struct rehearsal *rehearsal)
{
        for (size_t i = 0; i < rehearsal->n_ranges; i++)
                (void)madvise(rehearsal->ranges[i].start, rehearsal->ranges[i].size, MADV_POPULATE_WRITE);
}
