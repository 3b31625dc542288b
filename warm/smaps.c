/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/smaps.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "common/cleanup.h"

/* "start-end perms offset device inode   path": the first line of a region. Other lines begin with a capital. */
static bool begin_region(char *line, struct smaps_region *ret_region)
{
        struct smaps_region region = {0};
        unsigned long start, end;
        char permissions[5];
        int path = 0;

        if (sscanf(line, "%lx-%lx %4s %" SCNx64 " %15s %" SCNu64 " %n", &start, &end, permissions, &region.offset,
                    region.device, &region.inode, &path) < 6 ||
                path == 0)
                return false;
        line[strcspn(line, "\n")] = '\0';
        region.start = start;
        region.end = end;
        region.protection = (permissions[0] == 'r' ? PROT_READ : 0) | (permissions[1] == 'w' ? PROT_WRITE : 0) |
                            (permissions[2] == 'x' ? PROT_EXEC : 0);
        region.path = line + path;
        *ret_region = region;
        return true;
}

/* VmFlags: two letters each; "sh" shared, "mw" may be made writable. */
static bool has_flag(const char *line, const char *flag)
{
        for (const char *word = strchr(line, ' '); word; word = strchr(word + 1, ' '))
                if (strncmp(word + 1, flag, 2) == 0)
                        return true;
        return false;
}

/* Those of readable, writable and executable memory; "ac" and "nr" are about accounting, "sd" about tracing, "gd" the
 * stack's. */
static bool are_plain(const char *line)
{
        static const char *const plain[] = {"rd", "wr", "ex", "mr", "mw", "me", "ac", "nr", "sd", "gd"};

        for (const char *word = strchr(line, ' '); word && word[1] >= 'a'; word = strchr(word + 1, ' ')) {
                size_t i = 0;

                while (i < ELEMENTS(plain) && strncmp(word + 1, plain[i], 2) != 0)
                        i++;
                if (i == ELEMENTS(plain))
                        return false;
        }
        return true;
}

/* A shared mapping of a file that was opened for reading has neither flag, and nobody can give them to it. */
static bool read_field(const char *line, struct smaps_region *region)
{
        unsigned long kilobytes;

        if (sscanf(line, "Private_Dirty: %lu", &kilobytes) == 1)
                region->private_dirty = kilobytes * 1024;
        else if (sscanf(line, "Anonymous: %lu", &kilobytes) == 1 || sscanf(line, "Swap: %lu", &kilobytes) == 1)
                region->anonymous += kilobytes * 1024; /* in memory, and elsewhere */
        if (strncmp(line, "VmFlags:", 8) != 0)
                return false;
        region->shared_writable = has_flag(line, "sh") && has_flag(line, "mw");
        region->plain = are_plain(line);
        return true;
}

int smaps_read(int proc, int (*visit)(const struct smaps_region *region, void *context), void *context)
{
        _cleanup_free_ char *first = NULL, *line = NULL;
        size_t first_size = 0, line_size = 0;
        _cleanup_fclose_ FILE *file = NULL;
        struct smaps_region region;
        int fd = openat(proc, "self/smaps", O_RDONLY | O_CLOEXEC);

        file = fd < 0 ? NULL : fdopen(fd, "re");
        if (!file) {
                close_fd(fd);
                return -errno;
        }
        while (getline(&first, &first_size, file) > 0) {
                bool whole = false;
                int r;

                if (!begin_region(first, &region))
                        return -ENODATA;
                while (!whole && getline(&line, &line_size, file) > 0)
                        whole = read_field(line, &region); /* the flags are the last line of a region */
                if (!whole)
                        return -ENODATA;
                r = visit(&region, context);
                if (r != 0)
                        return r;
        }
        return ferror(file) ? -EIO : 0;
}
