/* SPDX-License-Identifier: Apache-2.0 */
#include "common/load.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/helper.h"

enum { CPU_SECONDS = 60 };

static int start(struct load *load, const char *libexec, const char *directory, const char *controllers,
        const struct accounts *accounts, bool yields)
{
        char config[PATH_MAX], groups[512], reserved[16 + 11 * ACCOUNT_IDS], index_fd[32], map_fd[32];
        const char *const arguments[] = {
                "sandboxd-compile", config, groups, reserved, index_fd, map_fd, yields ? "--yield" : NULL, NULL};
        const struct helper helper = {
                .libexec = libexec,
                .arguments = arguments,
                .uid = accounts->uid[ACCOUNT_CONFIG],
                .gid = accounts->gid[ACCOUNT_CONFIG],
                .fds = {load->index, load->map},
                .n_fds = 2,
                .cpu_seconds = CPU_SECONDS,
                .cgroup = -1,
        };
        int length;

        snprintf(config, sizeof(config), "--config=%s", directory);
        snprintf(groups, sizeof(groups), "--controllers=%s", controllers);
        snprintf(index_fd, sizeof(index_fd), "--output-fd=%d", HELPER_FD_FIRST);
        snprintf(map_fd, sizeof(map_fd), "--map-fd=%d", HELPER_FD_FIRST + 1);
        length = snprintf(reserved, sizeof(reserved), "--reserved=%u", accounts->ids[0]);
        for (size_t i = 1; i < ACCOUNT_IDS; i++)
                length += snprintf(reserved + length, sizeof(reserved) - (size_t)length, ",%u", accounts->ids[i]);
        return helper_start(&helper, &load->pidfd);
}

int load_start(const char *libexec, const char *directory, const char *controllers, const struct accounts *accounts,
        bool yields, struct load *ret_load)
{
        struct load load = {
                .pidfd = -1,
                .index = memfd_create("sandboxd-index", MFD_CLOEXEC | MFD_ALLOW_SEALING),
                .map = memfd_create("sandboxd-map", MFD_CLOEXEC | MFD_ALLOW_SEALING),
        };
        int r = load.index < 0 || load.map < 0 ? -errno
                                               : start(&load, libexec, directory, controllers, accounts, yields);

        if (r < 0) {
                load_cancel(&load);
                return r;
        }
        *ret_load = load;
        return 0;
}

static int wait_for_end(int pidfd)
{
        siginfo_t info;
        int r;

        do
                r = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 ? -errno : 0;
        while (r == -EINTR);
        if (r < 0)
                return r;
        if (info.si_code != CLD_EXITED)
                return -ECHILD;
        return info.si_status == 0 ? 0 : info.si_status == HELPER_NOT_STARTED ? -ENOEXEC : -EINVAL;
}

int load_finish(struct load *load, struct index *ret_index, struct map *ret_map)
{
        struct index index;
        int r = wait_for_end(load->pidfd);

        load->pidfd = close_fd(load->pidfd);
        if (r == 0)
                r = index_open(load->index, &index);
        if (r == 0) {
                load->index = -1;
                r = map_open(load->map, ret_map);
                if (r == 0) {
                        load->map = -1;
                        *ret_index = index;
                } else {
                        index_close(&index);
                }
        }
        load_cancel(load);
        return r;
}

void load_cancel(struct load *load)
{
        load->pidfd = helper_end(load->pidfd);
        load->index = close_fd(load->index);
        load->map = close_fd(load->map);
}
