/* SPDX-License-Identifier: Apache-2.0 */
#include "common/accounts.h"

#include <errno.h>
#include <pwd.h>
#include <stddef.h>

int accounts_find(struct accounts *ret_accounts, const char **ret_missing)
{
        static const char *const names[ACCOUNTS] = {
                [ACCOUNT_ZYGOTE] = "sandboxd-zygote",
                [ACCOUNT_CONFIG] = "sandboxd-config",
                [ACCOUNT_BRIDGE] = "fcgi-bridge",
                [ACCOUNT_NAMES] = "sandboxd-names",
                [ACCOUNT_ALLOT] = "sandboxd-allot",
        };
        struct accounts accounts;

        for (int i = 0; i < ACCOUNTS; i++) {
                const struct passwd *entry = getpwnam(names[i]);

                /* What is started as an account of root's would keep all rights. */
                if (!entry || entry->pw_uid == 0 || entry->pw_gid == 0) {
                        *ret_missing = names[i];
                        return -ENOENT;
                }
                accounts.uid[i] = entry->pw_uid;
                accounts.gid[i] = entry->pw_gid;
        }
        *ret_accounts = accounts;
        return 0;
}
