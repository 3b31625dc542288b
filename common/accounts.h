/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* The project's own accounts: static, made by sysusers.d(5). Nobody's requests ever run as one of them. */
enum account {
        ACCOUNT_ZYGOTE,
        ACCOUNT_CONFIG,
        ACCOUNT_BRIDGE,
        ACCOUNT_NAMES,
        ACCOUNT_ALLOT,
        ACCOUNTS,
};

enum { ACCOUNT_IDS = 2 * ACCOUNTS };

struct accounts {
        union {
                struct {
                        uint32_t uid[ACCOUNTS], gid[ACCOUNTS];
                };
                uint32_t ids[ACCOUNT_IDS]; /* all of them, for identity_refusal() */
        };
};

/* Looks the accounts up. Returns 0, or -ENOENT with the name of one in *ret_missing that is missing, or root's. */
int accounts_find(struct accounts *ret_accounts, const char **ret_missing);
