/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/confine.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <syslog.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/landlock.h"
#include "common/log.h"
#include "fcgi-bridge/syscalls.h"

#define HOW_TO_START                                                                                                   \
        "start it as its own account without capabilities: by fcgi-bridge.service, or with setpriv "                   \
        "--reuid= --regid= "                                                                                           \
        "--clear-groups --inh-caps=-all --ambient-caps=-all"

static int refuse(const char *what)
{
        log_message(LOG_ERR, "refusing to run with %s; " HOW_TO_START, what);
        return -EPERM;
}

static int failed(const char *step, int error)
{
        log_message(LOG_ERR, "cannot confine itself: %s: %s", step, strerror(-error));
        return error;
}

static bool in_group_0(void)
{
        gid_t groups[1024];
        int count = getgroups(ELEMENTS(groups), groups);

        for (int i = 0; i < count; i++)
                if (groups[i] == 0)
                        return true;
        return count < 0; /* more than fit: not an account of ours */
}

/* In the permitted, inheritable or ambient set: each is a way to an effective one, now or after an exec. */
static bool has_capability(cap_t caps)
{
        for (cap_value_t cap = 0; cap < cap_max_bits(); cap++) {
                cap_flag_value_t permitted, inheritable;

                if (cap_get_flag(caps, cap, CAP_PERMITTED, &permitted) < 0 ||
                        cap_get_flag(caps, cap, CAP_INHERITABLE, &inheritable) < 0)
                        return true;
                if (permitted == CAP_SET || inheritable == CAP_SET || cap_get_ambient(cap) == CAP_SET)
                        return true;
        }
        return false;
}

int confine_check_identity(void)
{
        uid_t ruid, euid, suid;
        gid_t rgid, egid, sgid;
        cap_t caps;
        bool capable;

        if (getresuid(&ruid, &euid, &suid) < 0 || getresgid(&rgid, &egid, &sgid) < 0)
                return -errno;
        if (ruid == 0 || euid == 0 || suid == 0)
                return refuse("uid 0");
        if (rgid == 0 || egid == 0 || sgid == 0 || in_group_0())
                return refuse("gid 0");
        caps = cap_get_proc();
        if (!caps)
                return failed("cap_get_proc", -errno);
        capable = has_capability(caps);
        cap_free(caps);
        return capable ? refuse("capabilities") : 0;
}

int confine_enter(void)
{
        const struct rlimit none = {0, 0};
        int r;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return failed("PR_SET_NO_NEW_PRIVS", -errno);
        /* Its memory holds other people's requests: not for a debugger of the same account, nor for a core
         * file. */
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return failed("PR_SET_DUMPABLE", -errno);
        if (setrlimit(RLIMIT_CORE, &none) < 0)
                return failed("RLIMIT_CORE", -errno);
        r = landlock_enter(-1);
        if (r < 0)
                return failed("Landlock", r);
        if (r > 0)
                log_message(LOG_NOTICE, "Landlock is not used (%s): only the system-call filter denies files",
                        r == LANDLOCK_SANITIZER ? "sanitizer build" : "this kernel has none");
        r = syscalls_enter();
        if (r < 0)
                return failed("seccomp", r);
        return 0;
}
