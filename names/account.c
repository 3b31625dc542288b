/* SPDX-License-Identifier: Apache-2.0 */
#include "names/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

enum { ENTRY_MAX = 1024 * 1024 }; /* bytes of an account's strings */

/* getgrouplist(3) always lists the account's own group. This one stands for none: no group has it (chown(2)). */
#define NO_GROUP ((gid_t)-1)

/* The errors that mean "there is none" as well as 0: getpwnam(3), RETURN VALUE. */
static bool means_unknown(int error)
{
        return error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
}

static void set_unavailable(struct answer *answer, const char *what, const char *why)
{
        answer_init(answer, ANSWER_UNAVAILABLE, answer->number);
        snprintf(answer->detail, sizeof(answer->detail), "%s: %s", what, why);
}

static bool is_login_shell(const char *shell)
{
        const char *listed;

        if (!*shell)
                shell = "/bin/sh"; /* passwd(5) */
        setusershell();
        while ((listed = getusershell()))
                if (strcmp(listed, shell) == 0)
                        break;
        endusershell();
        return listed;
}

/*
 * Returns 1, 0 when there is none of exactly this name, or a negative errno. *ret_group is the group that it has of its
 * own: also where the directory knows the account by another spelling, for then the groups count all the same.
 */
static int find_account(const char *name, struct answer *answer, gid_t *ret_group)
{
        static char buffer[ENTRY_MAX];
        struct passwd entry, *found = NULL;
        int r = getpwnam_r(name, &entry, buffer, sizeof(buffer), &found);

        if (r != 0 || !found)
                return means_unknown(r) ? 0 : -r;
        *ret_group = entry.pw_gid;
        if (strcmp(entry.pw_name, name) != 0)
                return 0;
        answer->uid = entry.pw_uid;
        answer->gid = entry.pw_gid;
        answer->has_shell = is_login_shell(entry.pw_shell);
        return 1;
}

/*
 * Returns 0, -E2BIG for too many, or another negative errno. getgrouplist(3) does not return that a part of the name
 * service failed; its module leaves that in errno. ERANGE is from a buffer that was made larger then.
 */
static int find_groups(const char *name, gid_t own, struct answer *answer)
{
        gid_t groups[ANSWER_GROUPS_MAX + 2];
        int n_groups = ELEMENTS(groups);
        uint32_t n = 0;

        errno = 0;
        if (getgrouplist(name, own, groups, &n_groups) < 0)
                return -E2BIG;
        if (!means_unknown(errno) && errno != ERANGE)
                return -errno;
        for (int i = 0; i < n_groups; i++) {
                if (groups[i] == NO_GROUP)
                        continue;
                if (n == ANSWER_GROUPS_MAX)
                        return -E2BIG;
                answer->groups[n++] = groups[i];
        }
        answer->n_groups = n;
        return 0;
}

void account_look_up(const char *name, struct answer *ret_answer)
{
        gid_t own = NO_GROUP;
        int r;

        answer_init(ret_answer, ANSWER_UNKNOWN, 0);
        r = find_account(name, ret_answer, &own);
        if (r < 0) {
                set_unavailable(ret_answer, "account", strerror(-r));
                return;
        }
        if (r > 0)
                ret_answer->status = ANSWER_FOUND;
        r = find_groups(name, own, ret_answer);
        if (r == -E2BIG)
                set_unavailable(ret_answer, "groups", "there are more than an answer holds, 256");
        else if (r < 0)
                set_unavailable(ret_answer, "groups", strerror(-r));
}
