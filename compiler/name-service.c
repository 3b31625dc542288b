/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/name-service.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/memory.h"
#include "compiler/value.h"

/* What is remembered of one name; `name` is the first member, for the comparison. */
struct known_account {
        char *name;
        int error;
        struct name_account account;
        uint32_t groups[];
};

struct known_group {
        char *name;
        int error;
        uint32_t gid;
};

static void *accounts, *groups, *shells; /* of tsearch(3) */
static bool shells_read;

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What is remembered of `name`, or NULL. */
static void *find(void *const *tree, const char *name)
{
        void *const *node = tfind(&name, tree, compare);

        return node ? *node : NULL;
}

static void remember(void **tree, void *known)
{
        if (!tsearch(known, tree, compare))
                memory_exhausted();
}

/* An entry that is not there: some modules of the name service set no errno for that, some one of these; getpwnam(3).
 */
static int absent(int error)
{
        return error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM ? -ENOENT : -error;
}

/* As a tree of names: the file is read once. */
static void read_shells(void)
{
        const char *shell;

        setusershell();
        while ((shell = getusershell()))
                if (!find(&shells, shell)) {
                        char **known = memory_resize(NULL, sizeof(*known));

                        *known = memory_string(shell);
                        remember(&shells, known);
                }
        endusershell();
        shells_read = true;
}

static bool is_listed_shell(const char *shell)
{
        if (!shells_read)
                read_shells();
        return find(&shells, *shell ? shell : "/bin/sh") != NULL; /* passwd(5): an empty one is /bin/sh */
}

/*
 * Returns 0; -E2BIG for too many; or what a part of the name service failed with. That getgrouplist(3) does not return,
 * but its module leaves it in errno: otherwise the account would be without some of its groups until the next reload.
 * ERANGE is from a buffer that was made larger then.
 */
static int list_groups(const char *name, gid_t own, gid_t *list, int *n)
{
        int r;

        errno = 0;
        if (getgrouplist(name, own, list, n) < 0)
                return -E2BIG;
        r = absent(errno);
        return r == -ENOENT || r == -ERANGE ? 0 : r;
}

static struct known_account *ask_account(const char *name)
{
        const struct passwd *entry = (errno = 0, getpwnam(name));
        int error = entry ? 0 : absent(errno), n = INDEX_GROUPS_MAX + 1;
        gid_t list[INDEX_GROUPS_MAX + 1];
        struct known_account *known;

        if (entry && strcmp(entry->pw_name, name) != 0)
                error = -ENOENT;
        else if (entry)
                error = list_groups(name, entry->pw_gid, list, &n);
        if (error < 0) {
                entry = NULL;
                n = 0;
        }
        known = memory_resize(NULL, sizeof(*known) + (size_t)n * sizeof(known->groups[0]));
        *known = (struct known_account){.name = memory_string(name), .error = error, .account.groups = known->groups};
        if (!entry)
                return known;
        known->account.uid = entry->pw_uid;
        known->account.gid = entry->pw_gid;
        known->account.has_shell = is_listed_shell(entry->pw_shell);
        for (int i = 0; i < n; i++)
                if (list[i] != entry->pw_gid)
                        known->groups[known->account.n_groups++] = list[i];
        return known;
}

int name_service_account(const char *name, const struct name_account **ret_account)
{
        struct known_account *known = find(&accounts, name);

        if (!known) {
                known = ask_account(name);
                remember(&accounts, known);
        }
        if (known->error < 0)
                return known->error;
        *ret_account = &known->account;
        return 0;
}

static struct known_group *ask_group(const char *name)
{
        const struct group *entry = (errno = 0, getgrnam(name));
        struct known_group *known = memory_resize(NULL, sizeof(*known));

        *known = (struct known_group){.name = memory_string(name), .error = entry ? -ENOENT : absent(errno)};
        if (entry && strcmp(entry->gr_name, name) == 0) {
                known->error = 0;
                known->gid = entry->gr_gid;
        }
        return known;
}

int name_service_group(const char *name, uint32_t *ret_gid)
{
        struct known_group *known = find(&groups, name);

        if (!known) {
                known = ask_group(name);
                remember(&groups, known);
        }
        if (known->error < 0)
                return known->error;
        *ret_gid = known->gid;
        return 0;
}

int name_service_uid(const char *account, uint32_t *ret_uid)
{
        uint64_t number;
        const struct passwd *entry;

        if (value_number(account, UINT32_MAX - 1, &number) == 0) {
                *ret_uid = (uint32_t)number;
                return 0;
        }
        entry = getpwnam(account);
        if (!entry)
                return -ENOENT;
        *ret_uid = entry->pw_uid;
        return 0;
}

static void forget(void *known)
{
        free(*(char **)known);
        free(known);
}

void name_service_forget(void)
{
        tdestroy(accounts, forget);
        tdestroy(groups, forget);
        tdestroy(shells, forget);
        accounts = groups = shells = NULL;
        shells_read = false;
}
