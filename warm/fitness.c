/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/fitness.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "warm/private.h"

/* proc(5): /proc/self/task has a folder for each thread, and so one link more. */
int fitness_count_threads(int proc, unsigned *ret_count)
{
        struct stat st;

        if (fstatat(proc, "self/task", &st, 0) < 0)
                return -errno;
        *ret_count = (unsigned)st.st_nlink - 2;
        return 0;
}

static bool has_children(void)
{
        siginfo_t info;

        return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

int fitness_check(const struct settings *settings, struct files *files, int32_t *ret_memory, char *reason, size_t size)
{
        unsigned n_threads = 0;
        size_t own = 0;
        int r = fitness_count_threads(settings->proc, &n_threads);

        if (r < 0)
                return r;
        if (n_threads != 1) {
                snprintf(reason, size, "it has %u threads, and a fork keeps only one", n_threads);
                return FITNESS_UNFIT;
        }
        if (has_children()) {
                snprintf(reason, size, "it has a child process of its own");
                return FITNESS_UNFIT;
        }
        r = files_find(settings, files, reason, size);
        if (r != 0)
                return r;
        r = private_make(settings->proc, &own, reason, size);
        *ret_memory = own / 1024 < INT32_MAX ? (int32_t)(own / 1024) : INT32_MAX;
        return r;
}
