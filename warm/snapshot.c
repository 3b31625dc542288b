/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/snapshot.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "common/cleanup.h"
#include "warm/page.h"
#include "warm/smaps.h"

enum { REGIONS_MAX = 1024 }; /* what is beyond stays as it is */

struct region {
        char *start;
        size_t size;
        int protection;
};

static struct {
        struct region list[REGIONS_MAX];
        size_t count;
} regions;

/* A file that is loaded: others the application has mapped for a purpose of its own. */
static int collect(const struct smaps_region *found, void *context)
{
        Dl_info info;

        (void)context;
        if (found->path[0] != '/' || found->anonymous == 0 || !found->plain || !(found->protection & PROT_READ) ||
                found->protection & PROT_EXEC || regions.count == REGIONS_MAX ||
                !dladdr((const void *)found->start, &info))
                return 0;
        regions.list[regions.count++] =
                (struct region){(char *)found->start, found->end - found->start, found->protection};
        return 0;
}

/* MADV_POPULATE_READ fails where a plain read would be a fatal signal, behind the end of a file for example. */
static int make_copy(const struct region *region, int *ret_fd)
{
        _cleanup_close_ int fd = memfd_create("sandboxd-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0 || madvise(region->start, region->size, MADV_POPULATE_READ) < 0)
                return -errno;
        for (size_t done = 0; done < region->size;) {
                ssize_t n = write(fd, region->start + done, region->size - done);

                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
                done += (size_t)n;
        }
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

/*
 * mremap(2) puts the copy into the original's place in one step, or leaves that as it is. From the copy on nothing may
 * be written that could be a part of it: no variable but the stack's, no errno.
 */
static void replace(const struct region *region)
{
        _cleanup_close_ int fd = -1;
        void *copy;

        if (make_copy(region, &fd) < 0)
                return;
        copy = mmap(NULL, region->size, region->protection, MAP_PRIVATE, fd, 0);
        if (copy == MAP_FAILED)
                return;
        if (mremap(copy, region->size, region->size, MREMAP_MAYMOVE | MREMAP_FIXED, region->start) == MAP_FAILED)
                munmap(copy, region->size);
}

/* LimitFSIZE= holds for a copy too, by a signal. */
static bool fits(const struct region *region)
{
        struct rlimit limit;

        return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur >= region->size;
}

void snapshot_take(int proc)
{
        sigset_t all, before;

        regions.count = 0;
        sigfillset(&all);
        if (smaps_read(proc, collect, NULL) < 0 || sigprocmask(SIG_SETMASK, &all, &before) < 0)
                return;
        for (size_t i = 0; i < regions.count; i++)
                if (fits(&regions.list[i]))
                        replace(&regions.list[i]);
        sigprocmask(SIG_SETMASK, &before, NULL);
}
