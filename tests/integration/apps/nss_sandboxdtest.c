/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A name service for tests: a module for nsswitch.conf(5), "sandboxdtest", that does as the name says.
 *
 *   user-N             uid and gid 40000 + N, shell /bin/sh, in the groups 50000 + N % 10 and 50100
 *   noshell-N          the same with a shell that is none; emptyshell-N: with an empty one
 *   member-N           no account, but in the groups 50000 + N % 10 and 50100
 *   case               uid and gid 39500, in any case: the answer is in lower case. In group 50042
 *   slow-MS-NAME       NAME, after so many milliseconds
 *   hang-NAME          never answers
 *   fail-NAME          NSS_STATUS_UNAVAIL, ECONNREFUSED; tryagain-NAME: NSS_STATUS_TRYAGAIN, EAGAIN
 *   failgroups-NAME    NAME, but fails when it is asked for groups
 *   many-M-NAME        NAME, and in M more groups, from 100000
 *   huge-NAME          NAME, with 200,000 bytes of comment
 *   crash-NAME         abort(3)
 *   group-N            a group with the gid 50000 + N; without members: ask for those of a user
 *
 * Other accounts are lines "NAME UID GID" in the file `table` beside the module, read each time.
 */

#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <nss.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_UID = 40000, CASE_UID = 39500, FIRST_GROUP = 50000, ALL_GROUP = 50100, CASE_GROUP = 50042, MANY = 100000 };

/* What a name asks for, prefix by prefix. */
struct wish {
        const char *name; /* what is left of it */
        bool fail, try_again, fail_groups, huge;
        unsigned many;
};

struct account {
        const char *shell; /* NULL: it is in groups alone */
        unsigned uid, gid;
        gid_t groups[2];
        size_t n_groups;
};

enum nss_status _nss_sandboxdtest_getpwnam_r(
        const char *name, struct passwd *entry, char *buffer, size_t size, int *errnop);
enum nss_status _nss_sandboxdtest_initgroups_dyn(
        const char *name, gid_t own, long *start, long *size, gid_t **groups, long limit, int *errnop);
enum nss_status _nss_sandboxdtest_getgrnam_r(
        const char *name, struct group *entry, char *buffer, size_t size, int *errnop);

static bool take(const char **name, const char *prefix)
{
        size_t length = strlen(prefix);

        if (strncmp(*name, prefix, length) != 0)
                return false;
        *name += length;
        return true;
}

/* A number, and what is behind it if that is not the end. */
static unsigned take_number(const char **name)
{
        char *end;
        unsigned long number = strtoul(*name, &end, 10);

        *name = *end == '-' ? end + 1 : end;
        return (unsigned)number;
}

static void wait_ms(unsigned ms)
{
        struct timespec rest = {ms / 1000, (long)(ms % 1000) * 1000000};

        while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
                ;
}

static struct wish read_wish(const char *name)
{
        struct wish wish = {.name = name};

        for (;;)
                if (take(&wish.name, "slow-"))
                        wait_ms(take_number(&wish.name));
                else if (take(&wish.name, "hang-"))
                        for (;;)
                                pause();
                else if (take(&wish.name, "crash-"))
                        abort();
                else if (take(&wish.name, "failgroups-"))
                        wish.fail_groups = true;
                else if (take(&wish.name, "fail-"))
                        wish.fail = true;
                else if (take(&wish.name, "tryagain-"))
                        wish.try_again = true;
                else if (take(&wish.name, "huge-"))
                        wish.huge = true;
                else if (take(&wish.name, "many-"))
                        wish.many = take_number(&wish.name);
                else
                        return wish;
}

static bool find_in_table(const char *name, struct account *account)
{
        char path[PATH_MAX + 8], line[512], found[256];
        Dl_info own;
        FILE *table;
        bool is_found = false;

        if (!dladdr((void *)find_in_table, &own) || !strrchr(own.dli_fname, '/'))
                return false;
        snprintf(path, sizeof(path), "%.*s/table", (int)(strrchr(own.dli_fname, '/') - own.dli_fname), own.dli_fname);
        table = fopen(path, "re");
        while (table && !is_found && fgets(line, sizeof(line), table))
                is_found = sscanf(line, "%255s %u %u", found, &account->uid, &account->gid) == 3 &&
                           strcmp(found, name) == 0;
        if (table)
                fclose(table);
        account->shell = "/bin/sh";
        return is_found;
}

static bool find(const char *name, struct account *ret_account)
{
        struct account account = {.n_groups = 2};
        unsigned n;

        if (strcasecmp(name, "case") == 0) {
                *ret_account = (struct account){"/bin/sh", CASE_UID, CASE_UID, {CASE_GROUP}, 1};
                return true;
        }
        if (take(&name, "user-"))
                account.shell = "/bin/sh";
        else if (take(&name, "noshell-"))
                account.shell = "/nonexistent/shell";
        else if (take(&name, "emptyshell-"))
                account.shell = "";
        else if (!take(&name, "member-")) {
                account.n_groups = 0;
                *ret_account = account;
                return find_in_table(name, ret_account);
        }
        n = take_number(&name);
        account.uid = account.gid = FIRST_UID + n;
        account.groups[0] = FIRST_GROUP + n % 10;
        account.groups[1] = ALL_GROUP;
        *ret_account = account;
        return true;
}

static enum nss_status fail(enum nss_status status, int error, int *errnop)
{
        *errnop = error;
        return status;
}

static char *put(char **buffer, const char *text)
{
        char *at = *buffer;

        *buffer = stpcpy(at, text) + 1;
        return at;
}

enum nss_status _nss_sandboxdtest_getpwnam_r(
        const char *name, struct passwd *entry, char *buffer, size_t size, int *errnop)
{
        struct wish wish = read_wish(name);
        size_t comment = wish.huge ? 200000 : 0;
        struct account account;

        if (wish.fail)
                return fail(NSS_STATUS_UNAVAIL, ECONNREFUSED, errnop);
        if (wish.try_again)
                return fail(NSS_STATUS_TRYAGAIN, EAGAIN, errnop);
        if (!find(wish.name, &account) || !account.shell)
                return fail(NSS_STATUS_NOTFOUND, ENOENT, errnop);
        if (size < strlen(name) + strlen(account.shell) + comment + 64)
                return fail(NSS_STATUS_TRYAGAIN, ERANGE, errnop);
        entry->pw_name = put(&buffer, account.uid == CASE_UID ? "case" : name);
        entry->pw_passwd = put(&buffer, "x");
        entry->pw_dir = put(&buffer, "/");
        entry->pw_shell = put(&buffer, account.shell);
        entry->pw_uid = account.uid;
        entry->pw_gid = account.gid;
        entry->pw_gecos = buffer;
        memset(buffer, 'x', comment);
        buffer[comment] = '\0';
        return NSS_STATUS_SUCCESS;
}

/* Appends a group that is not the account's own. */
static bool add(gid_t group, gid_t own, long *start, long *size, gid_t **groups, long limit)
{
        if (group == own || (limit > 0 && *start >= limit))
                return true;
        if (*start == *size) {
                gid_t *larger = reallocarray(*groups, (size_t)*size * 2, sizeof(gid_t));

                if (!larger)
                        return false;
                *groups = larger;
                *size *= 2;
        }
        (*groups)[(*start)++] = group;
        return true;
}

enum nss_status _nss_sandboxdtest_initgroups_dyn(
        const char *name, gid_t own, long *start, long *size, gid_t **groups, long limit, int *errnop)
{
        struct wish wish = read_wish(name);
        struct account account;

        if (wish.fail || wish.fail_groups)
                return fail(NSS_STATUS_UNAVAIL, ECONNREFUSED, errnop);
        if (!find(wish.name, &account))
                return fail(NSS_STATUS_NOTFOUND, ENOENT, errnop);
        for (size_t i = 0; i < account.n_groups + wish.many; i++) {
                gid_t group = i < account.n_groups ? account.groups[i] : (gid_t)(MANY + i - account.n_groups);

                if (!add(group, own, start, size, groups, limit))
                        return fail(NSS_STATUS_TRYAGAIN, ENOMEM, errnop);
        }
        return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_sandboxdtest_getgrnam_r(
        const char *name, struct group *entry, char *buffer, size_t size, int *errnop)
{
        struct wish wish = read_wish(name);
        const char *number = wish.name;
        static char *nobody[] = {NULL};

        if (wish.fail)
                return fail(NSS_STATUS_UNAVAIL, ECONNREFUSED, errnop);
        if (wish.try_again)
                return fail(NSS_STATUS_TRYAGAIN, EAGAIN, errnop);
        if (!take(&number, "group-"))
                return fail(NSS_STATUS_NOTFOUND, ENOENT, errnop);
        if (size < strlen(name) + 64)
                return fail(NSS_STATUS_TRYAGAIN, ERANGE, errnop);
        entry->gr_gid = FIRST_GROUP + take_number(&number);
        entry->gr_name = put(&buffer, name);
        entry->gr_passwd = put(&buffer, "x");
        entry->gr_mem = nobody;
        return NSS_STATUS_SUCCESS;
}
