/* SPDX-License-Identifier: Apache-2.0 */
#include "common/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/sanitizer.h"

/* As <linux/landlock.h> of ABI 6 has it; the headers of a build may be older than the kernel that runs. */
struct ruleset {
        uint64_t handled_access_fs;
        uint64_t handled_access_net;
        uint64_t scoped;
};

#define SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0)
#define SCOPE_SIGNAL               (UINT64_C(1) << 1)

#define RIGHTS(count)   ((UINT64_C(1) << (count)) - 1)
#define CREATE_VERSION  1U
#define TCP_RIGHTS      RIGHTS(2) /* bind and connect */
#define ABI_WITH_REFER  2
#define ABI_WITH_NET    4
#define ABI_WITH_SCOPES 6

/*
 * What a process needs that keeps regular files in a directory; READ_DIR, because a directory is opened to be synced.
 * TRUNCATE is newer than the headers of Debian 12.
 */
#define ACCESS_TRUNCATE (UINT64_C(1) << 14)
#define ACCESS_FILES                                                                                                   \
        (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR |                  \
                LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | ACCESS_TRUNCATE)

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

static int allow_files(int ruleset, int directory, uint64_t handled)
{
        const struct landlock_path_beneath_attr rule = {
                .allowed_access = ACCESS_FILES & handled, .parent_fd = directory};

        return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

/* The ABI, 0 where there is none, or a negative errno. */
static long find_abi(void)
{
        long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, CREATE_VERSION);

        if (abi >= 0)
                return abi;
        return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
}

int landlock_enter(int directory)
{
        struct ruleset ruleset = {0};
        size_t size = offsetof(struct ruleset, handled_access_net);
        _cleanup_close_ int fd = -1;
        long abi;
        int r;

        if (SANITIZER)
                return LANDLOCK_SANITIZER;
        abi = find_abi();
        if (abi <= 0)
                return abi == 0 ? LANDLOCK_MISSING : (int)abi;
        ruleset.handled_access_fs = file_rights(abi);
        if (abi >= ABI_WITH_NET) {
                /* An accepted TCP socket can be disconnected (connect(2), AF_UNSPEC) and connected elsewhere.
                 */
                ruleset.handled_access_net = TCP_RIGHTS;
                size = offsetof(struct ruleset, scoped);
        }
        fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
        if (fd < 0)
                return -errno;
        r = directory < 0 ? 0 : allow_files(fd, directory, ruleset.handled_access_fs);
        if (r < 0)
                return r;
        return syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
}

int landlock_open_apart(int *ret_ruleset)
{
        /* It must handle some file right; making devices is one that no application has anyway. REFER, which every
         * ruleset denies unasked, is given back. */
        struct ruleset ruleset = {
                .handled_access_fs =
                        LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_REFER,
        };
        struct landlock_path_beneath_attr refer = {.allowed_access = LANDLOCK_ACCESS_FS_REFER};
        size_t size = offsetof(struct ruleset, handled_access_net);
        _cleanup_close_ int root = -1, fd = -1;
        long abi = find_abi();

        if (abi < ABI_WITH_REFER)
                return abi < 0 ? (int)abi : LANDLOCK_MISSING;
        if (abi >= ABI_WITH_SCOPES) {
                ruleset.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
                size = sizeof(ruleset);
        }
        root = refer.parent_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
        if (root < 0 || fd < 0 || syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &refer, 0) < 0)
                return -errno;
        *ret_ruleset = take_fd(&fd);
        return 0;
}

bool landlock_scopes_signals(void)
{
        return find_abi() >= ABI_WITH_SCOPES;
}
