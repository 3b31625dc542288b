/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/index.h"

/*
 * Accounts and groups of the name service (NSS). What has been asked once is remembered, failures too: a map may name
 * one account a million times.
 */

struct name_account {
        uint32_t uid;
        uint32_t gid;
        bool has_shell; /* its shell is one of /etc/shells: getusershell(3) */
        uint32_t n_groups;
        const uint32_t *groups; /* as initgroups(3) would set them, without the gid */
};

/*
 * The account of exactly this name. Returns 0; -ENOENT if there is none; -E2BIG if it is in more than INDEX_GROUPS_MAX
 * groups; another negative errno when the name service does not answer. The account stays until name_service_forget().
 */
int name_service_account(const char *name, const struct name_account **ret_account);

/* The gid of a group, likewise. */
int name_service_group(const char *name, uint32_t *ret_gid);

/* The uid of an account: a name or a number. Returns 0, or -ENOENT. Not remembered. */
int name_service_uid(const char *account, uint32_t *ret_uid);

/* Frees what is remembered. */
void name_service_forget(void);
