/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/landlock.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "fcgi-bridge/sanitizer.h"

/* As <linux/landlock.h> of ABI 4 has it; the headers of a build may be older than the kernel that runs. */
struct ruleset {
        uint64_t handled_access_fs;
        uint64_t handled_access_net;
};

#define RIGHTS(count)  ((UINT64_C(1) << (count)) - 1)
#define CREATE_VERSION 1U
#define TCP_RIGHTS     RIGHTS(2) /* bind and connect */
#define ABI_WITH_NET   4

/*
 * landlock(7): how many file rights each ABI knows. A later ABI is treated as the last one listed: what it
 * adds is not known here, and could be a right that sockets need.
 */
static uint64_t file_rights(long abi)
{
        if (abi == 1)
                return RIGHTS(13);
        if (abi == 2)
                return RIGHTS(14); /* REFER */
        if (abi <= 4)
                return RIGHTS(15); /* TRUNCATE */
        return RIGHTS(16);         /* IOCTL_DEV */
}

int landlock_enter(void)
{
        struct ruleset ruleset = {0};
        size_t size = offsetof(struct ruleset, handled_access_net);
        _cleanup_close_ int fd = -1;
        long abi;

        if (SANITIZER)
                return LANDLOCK_SANITIZER;
        abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, CREATE_VERSION);
        if (abi < 0)
                return errno == ENOSYS || errno == EOPNOTSUPP ? LANDLOCK_MISSING : -errno;
        ruleset.handled_access_fs = file_rights(abi);
        if (abi >= ABI_WITH_NET) {
                /* An accepted TCP socket can be disconnected (connect(2), AF_UNSPEC) and connected elsewhere.
                 */
                ruleset.handled_access_net = TCP_RIGHTS;
                size = sizeof(ruleset);
        }
        fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
        if (fd < 0)
                return -errno;
        return syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
}
