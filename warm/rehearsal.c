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
#include "warm/snapshot.h"

/* The kernel's Documentation/admin-guide/mm/pagemap.rst */
#define PAGE_PRESENT   (UINT64_C(1) << 63)
#define PAGE_OF_A_FILE (UINT64_C(1) << 61) /* or shared memory */
#define PAGE_EXCLUSIVE (UINT64_C(1) << 56) /* mapped once */

enum {
        BATCH = 512,
        WINDOW = 64 * 1024, /* the kernel's default of fault_around_bytes: what one fault on a file maps at most */
};

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

static void note(struct rehearsal_pages *pages, char *start, size_t size)
{
        size_t last = pages->n_ranges - 1;

        if (pages->n_pages == REHEARSAL_PAGES_MAX)
                return;
        if (pages->n_ranges > 0 && pages->ranges[last].start + pages->ranges[last].size == start) {
                pages->ranges[last].size += size;
        } else if (pages->n_ranges < REHEARSAL_RANGES_MAX) {
                pages->ranges[pages->n_ranges].start = start;
                pages->ranges[pages->n_ranges++].size = size;
        } else {
                return;
        }
        pages->n_pages++;
}

/* Memory of the process's own, in which a fork has to copy what it writes to. */
static bool is_written(const struct smaps_region *found)
{
        return found->plain && found->protection & PROT_WRITE && found->anonymous > 0;
}

/* A file that is read or executed: nothing is lost when its pages are unmapped. */
static bool is_read(const struct smaps_region *found)
{
        return found->plain && !(found->protection & PROT_WRITE) && found->anonymous == 0 && found->path[0] == '/';
}

/* Of `count` pages from `at` on: notes those that were written to or, in a file, the first that is there of each
 * window. */
static void note_some(
        struct rehearsal *rehearsal, bool of_file, uintptr_t at, size_t size, const uint64_t *pages, size_t count)
{
        bool window_noted = false;

        for (size_t i = 0; i < count; i++, at += size) {
                if (at % WINDOW == 0)
                        window_noted = false;
                if (!(pages[i] & PAGE_PRESENT) || window_noted)
                        continue;
                if (of_file) {
                        note(&rehearsal->read, (char *)at, size);
                        window_noted = true;
                } else if (pages[i] & PAGE_EXCLUSIVE && !(pages[i] & PAGE_OF_A_FILE)) {
                        note(&rehearsal->written, (char *)at, size);
                }
        }
}

static int look(const struct smaps_region *found, void *context)
{
        struct rehearsal *rehearsal = context;
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        uint64_t pages[BATCH];

        if (!is_written(found) && !is_read(found))
                return 0;
        for (uintptr_t at = found->start; at < found->end;) {
                size_t wanted = (found->end - at) / page < BATCH ? (found->end - at) / page : BATCH;
                ssize_t n =
                        pread(rehearsal->pagemap, pages, wanted * sizeof(*pages), (off_t)(at / page * sizeof(*pages)));

                if (n < (ssize_t)sizeof(*pages))
                        return -EIO;
                note_some(rehearsal, is_read(found), at, page, pages, (size_t)n / sizeof(*pages));
                at += (size_t)n / sizeof(*pages) * page;
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

static int forget(const struct smaps_region *found, void *context)
{
        (void)context;
        if (is_read(found))
                (void)madvise((void *)found->start, found->end - found->start, MADV_DONTNEED);
        return 0;
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
        snapshot_take(settings->proc); /* so that it is seen what of these files requests read, too */
        rehearsal->witness = start_witness();
        (void)smaps_read(settings->proc, forget, NULL); /* what is not unmapped, children get for nothing */
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

static void populate(const struct rehearsal_pages *pages, int advice)
{
        for (size_t i = 0; i < pages->n_ranges; i++)
                (void)madvise(pages->ranges[i].start, pages->ranges[i].size, advice);
}

void rehearsal_populate(const struct rehearsal *rehearsal)
{
        populate(&rehearsal->read, MADV_POPULATE_READ);
        populate(&rehearsal->written, MADV_POPULATE_WRITE);
}
