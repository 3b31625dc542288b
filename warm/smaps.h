/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The process's own mappings: proc(5), /proc/self/smaps. */

struct smaps_region {
        uintptr_t start, end;
        int protection;       /* PROT_… */
        uint64_t offset;      /* in the file, */
        char device[16];      /* which has this device, "08:01", */
        uint64_t inode;       /* and inode; that of shared memory without a name as well */
        bool shared_writable; /* what is written to it others see; also if it is only mprotect(2) away from that */
        bool plain;           /* private, and nothing was asked for it beyond mmap(2) and mprotect(2) */
        size_t private_dirty; /* bytes that are this process's own */
        size_t anonymous;     /* bytes that are no file's, or not any more; with those that are swapped out */
        const char *path;     /* of the file; empty, or a name in brackets, for other memory */
};

/*
 * Calls visit() for each mapping, in order, with what is valid until it returns; stops when it returns other than 0,
 * and returns that. `proc` is a descriptor of a procfs. Returns 0; -ENODATA when the kernel does not tell enough; or
 * another negative errno. The visitor must not change mappings.
 */
int smaps_read(int proc, int (*visit)(const struct smaps_region *region, void *context), void *context);
