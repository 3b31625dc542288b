/* SPDX-License-Identifier: Apache-2.0 */
/* links: compiler/name-service.c compiler/memory.c compiler/value.c */

/* Accounts and groups, with a name service of our own in place of the C library's. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "compiler/name-service.h"

static unsigned asked; /* how often the name service was */

/* Knows alice in any case, as a directory may; "errno-N" sets errno to N and finds nobody. */
struct passwd *getpwnam(const char *name)
{
        static struct passwd entries[] = {
                {.pw_name = (char *)"alice", .pw_uid = 30010, .pw_gid = 30011, .pw_shell = (char *)"/bin/bash"},
                {.pw_name = (char *)"plain", .pw_uid = 30012, .pw_gid = 30012, .pw_shell = (char *)""},
                {.pw_name = (char *)"locked", .pw_uid = 30013, .pw_gid = 30013, .pw_shell = (char *)"/sbin/nologin"},
                {.pw_name = (char *)"joiner", .pw_uid = 30014, .pw_gid = 30014, .pw_shell = (char *)"/bin/sh"},
                {.pw_name = (char *)"groups-5", .pw_uid = 30016, .pw_gid = 30016, .pw_shell = (char *)"/bin/sh"},
                {.pw_name = (char *)"groups-34", .pw_uid = 30017, .pw_gid = 30017, .pw_shell = (char *)"/bin/sh"},
                {.pw_name = (char *)"joiner2", .pw_uid = 30015, .pw_gid = 30015, .pw_shell = (char *)"/bin/sh"},
        };

        asked++;
        if (strncmp(name, "errno-", 6) == 0) {
                errno = atoi(name + 6);
                return NULL;
        }
        for (size_t i = 0; i < ELEMENTS(entries); i++)
                if (strcasecmp(entries[i].pw_name, name) == 0)
                        return &entries[i];
        return NULL;
}

struct group *getgrnam(const char *name)
{
        static struct group staff = {.gr_name = (char *)"staff", .gr_gid = 50};

        asked++;
        if (strncmp(name, "errno-", 6) == 0) {
                errno = atoi(name + 6);
                return NULL;
        }
        return strcasecmp(name, "staff") == 0 ? &staff : NULL;
}

/* joiner is in 64 groups besides its own, joiner2 in one more. For groups-N, errno is N. */
int getgrouplist(const char *user, gid_t group, gid_t *groups, int *n)
{
        int count = strcmp(user, "joiner") == 0 ? 65 : strcmp(user, "joiner2") == 0 ? 66 : 3;
        int room = *n;

        if (strncmp(user, "groups-", 7) == 0)
                errno = atoi(user + 7);
        for (int i = 0; i < count && i < room; i++)
                groups[i] = i == 1 ? group : 40000 + (gid_t)i;
        *n = count;
        return count > room ? -1 : count;
}

static size_t next_shell;

void setusershell(void)
{
        next_shell = 0;
}

char *getusershell(void)
{
        static char *const shells[] = {(char *)"/bin/sh", (char *)"/bin/bash", (char *)"/bin/sh"};

        return next_shell < ELEMENTS(shells) ? shells[next_shell++] : NULL;
}

void endusershell(void)
{
}

static int tear_down(void **state)
{
        (void)state;
        name_service_forget();
        return 0;
}

static void test_account(void **state)
{
        const struct name_account *account;

        (void)state;
        assert_int_equal(name_service_account("alice", &account), 0);
        assert_int_equal(account->uid, 30010);
        assert_int_equal(account->gid, 30011);
        assert_true(account->has_shell);
        assert_int_equal(account->n_groups, 2); /* the gid is not among them */
        assert_int_equal(account->groups[0], 40000);
        assert_int_equal(account->groups[1], 40002);
        assert_int_equal(name_service_account("plain", &account), 0);
        assert_true(account->has_shell);
        assert_int_equal(name_service_account("locked", &account), 0);
        assert_false(account->has_shell);
}

static void test_not_found(void **state)
{
        static const struct {
                const char *name;
                int error;
        } cases[] = {
                {"nobody-here", -ENOENT},
                {"Alice", -ENOENT}, /* it is alice's account, and not of exactly this name */
                {"errno-0", -ENOENT},
                {"errno-2", -ENOENT},
                {"errno-3", -ENOENT},
                {"errno-5", -EIO},
                {"errno-110", -ETIMEDOUT},
                {"joiner2", -E2BIG},
                {"groups-5", -EIO},
        };
        const struct name_account *account = NULL;
        uint32_t gid = 7;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (int again = 0; again < 2; again++)
                        if (name_service_account(cases[i].name, &account) != cases[i].error || account)
                                fail_msg("%s", cases[i].name);
        assert_int_equal(name_service_group("nobody-here", &gid), -ENOENT);
        assert_int_equal(name_service_group("STAFF", &gid), -ENOENT);
        assert_int_equal(name_service_group("errno-5", &gid), -EIO);
        assert_int_equal(gid, 7);
        assert_int_equal(name_service_account("joiner", &account), 0);
        assert_int_equal(account->n_groups, INDEX_GROUPS_MAX);
        assert_int_equal(name_service_account("groups-34", &account), 0); /* ERANGE: a larger buffer was made */
        assert_int_equal(account->n_groups, 2);
}

static void test_group(void **state)
{
        uint32_t gid;

        (void)state;
        assert_int_equal(name_service_group("staff", &gid), 0);
        assert_int_equal(gid, 50);
}

/* Each name once, those that are not there too, until all is forgotten. Accounts and groups may share a name. */
static void test_asked_once(void **state)
{
        const struct name_account *account, *first;
        uint32_t gid;

        (void)state;
        asked = 0;
        assert_int_equal(name_service_account("alice", &first), 0);
        for (int i = 0; i < 5; i++) {
                assert_int_equal(name_service_account("alice", &account), 0);
                assert_ptr_equal(account, first);
                assert_int_equal(name_service_account("staff", &account), -ENOENT);
                assert_int_equal(name_service_group("staff", &gid), 0);
                assert_int_equal(name_service_group("nobody-here", &gid), -ENOENT);
        }
        assert_int_equal(asked, 4);
        name_service_forget();
        assert_int_equal(name_service_account("alice", &account), 0);
        assert_int_equal(asked, 5);
}

static void test_many(void **state)
{
        char name[32];
        const struct name_account *account;

        (void)state;
        asked = 0;
        for (int round = 0; round < 2; round++)
                for (int i = 0; i < 1000; i++) {
                        snprintf(name, sizeof(name), "user%d", i);
                        assert_int_equal(name_service_account(name, &account), -ENOENT);
                }
        assert_int_equal(asked, 1000);
}

static void test_uid(void **state)
{
        uint32_t uid = 7;

        (void)state;
        assert_int_equal(name_service_uid("alice", &uid), 0);
        assert_int_equal(uid, 30010);
        assert_int_equal(name_service_uid("33", &uid), 0);
        assert_int_equal(uid, 33);
        assert_int_equal(name_service_uid("4294967295", &uid), -ENOENT);
        assert_int_equal(name_service_uid("nobody-here", &uid), -ENOENT);
        assert_int_equal(uid, 33);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_account, tear_down),
                cmocka_unit_test_teardown(test_not_found, tear_down),
                cmocka_unit_test_teardown(test_group, tear_down),
                cmocka_unit_test_teardown(test_asked_once, tear_down),
                cmocka_unit_test_teardown(test_many, tear_down),
                cmocka_unit_test_teardown(test_uid, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
