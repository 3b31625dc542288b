/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/private.h"

#include <stdbool.h>
#include <string.h>

#include "common/cleanup.h"
#include "warm/page.h"
#include "warm/smaps.h"

enum {
        REGIONS_MAX = 256,
        CHUNK = 2 * 1024 * 1024, /* copied at once; a multiple of every page size */
};

struct region {
        char *start;
        size_t size;
        int protection;
        uint64_t offset, inode;
        char device[16];
        bool anonymous; /* only our relatives can have it as well */
        char path[128];
};

struct regions {
        struct region list[REGIONS_MAX];
        size_t count;
        size_t own;
        bool too_many;
};

static int collect(const struct smaps_region *found, void *context)
{
        struct regions *regions = context;
        struct region *region = &regions->list[regions->count];

        regions->own += found->private_dirty;
        if (!found->shared_writable)
                return 0;
        if (regions->count == REGIONS_MAX) {
                regions->too_many = true;
                return 0;
        }
        *region = (struct region){
                .start = (char *)found->start,
                .size = found->end - found->start,
                .protection = found->protection,
                .offset = found->offset,
                .inode = found->inode,
                .anonymous = strcmp(found->path, "/dev/zero (deleted)") == 0,
        };
        memcpy(region->device, found->device, sizeof(region->device));
        snprintf(region->path, sizeof(region->path), "%s", found->path);
        regions->count++;
        return 0;
}

static bool is_zero(const char *page, size_t size)
{
        return page[0] == '\0' && memcmp(page, page + 1, size - 1) == 0;
}

/*
 * Pages of zeroes are left out: most of opcache's memory is not used, and what a fork costs grows with the pages that
 * are there. Reading gives memory to each page of a shared mapping, so it is given back as we go. MADV_POPULATE_READ
 * fails where a plain read would be a fatal signal, behind the end of a file for example.
 */
static int copy(const struct region *from, char *to)
{
        size_t page = (size_t)sysconf(_SC_PAGESIZE);

        for (size_t done = 0; done < from->size; done += CHUNK) {
                size_t chunk = from->size - done < CHUNK ? from->size - done : CHUNK;

                if (madvise(from->start + done, chunk, MADV_POPULATE_READ) < 0)
                        return -errno;
                for (size_t at = done; at < done + chunk; at += page)
                        if (!is_zero(from->start + at, page))
                                memcpy(to + at, from->start + at, page);
                if (from->anonymous && from->protection & PROT_WRITE)
                        (void)madvise(from->start + done, chunk, MADV_REMOVE); /* only spares memory */
        }
        return 0;
}

/* mremap(2) puts the copy into the original's place in one step. */
static int replace(const struct region *region)
{
        char *to = mmap(NULL, region->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        int r = 0;

        if (to == MAP_FAILED)
                return -errno;
        if (!(region->protection & PROT_READ) &&
                mprotect(region->start, region->size, region->protection | PROT_READ) < 0)
                r = -errno;
        if (r == 0)
                r = copy(region, to);
        if (r == 0 && mprotect(to, region->size, region->protection) < 0)
                r = -errno;
        if (r == 0 &&
                mremap(to, region->size, region->size, MREMAP_MAYMOVE | MREMAP_FIXED, region->start) == MAP_FAILED)
                r = -errno;
        if (r < 0)
                munmap(to, region->size);
        return r;
}

static int impossible(char *reason, size_t size, const struct region *region, const char *why)
{
        snprintf(reason, size, "its memory at %p is shared and writable, and cannot be made private: %s%s%s",
                (void *)region->start, why, region->path[0] ? ": " : "", region->path);
        return PRIVATE_IMPOSSIBLE;
}

/* What is written in one place is to be seen in the other, of which two copies know nothing. */
static const struct region *mapped_twice(const struct regions *regions)
{
        for (size_t i = 0; i < regions->count; i++) {
                const struct region *one = &regions->list[i];

                for (size_t j = 0; j < i; j++) {
                        const struct region *other = &regions->list[j];

                        if (one->inode == other->inode && strcmp(one->device, other->device) == 0 &&
                                one->offset < other->offset + other->size && other->offset < one->offset + one->size)
                                return one;
                }
        }
        return NULL;
}

int private_make(int proc, size_t *ret_own, char *reason, size_t size)
{
        static struct regions regions;
        const struct region *twice;
        int r;

        memset(&regions, 0, sizeof(regions));
        r = smaps_read(proc, collect, &regions);
        if (r < 0)
                return r;
        if (regions.too_many) {
                snprintf(reason, size, "it has more than %d shared writable mappings", REGIONS_MAX);
                return PRIVATE_IMPOSSIBLE;
        }
        twice = mapped_twice(&regions);
        if (twice)
                return impossible(reason, size, twice, "it is mapped twice");
        for (size_t i = 0; i < regions.count; i++) {
                r = replace(&regions.list[i]);
                if (r < 0)
                        return impossible(reason, size, &regions.list[i], strerrordesc_np(-r));
        }
        memset(&regions, 0, sizeof(regions));
        r = smaps_read(proc, collect, &regions);
        if (r == 0 && regions.count > 0)
                return impossible(reason, size, &regions.list[0], "it still is");
        *ret_own = regions.own;
        return r;
}
