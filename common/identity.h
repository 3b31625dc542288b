/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/index.h"

/*
 * Who a request becomes, and who nobody becomes whatever a map says. Pure.
 */

struct identity {
        uint32_t uid;
        uint32_t gid;
        uint32_t n_groups;
        uint32_t groups[INDEX_GROUPS_MAX];
        char context[INDEX_CONTEXT_MAX + 1]; /* empty: none is set */
};

bool identity_equal(const struct identity *a, const struct identity *b);

enum {
        IDENTITY_ALLOW_SYSTEM = 1 << 0, /* the rule says allow-system */
        IDENTITY_NO_SHELL = 1 << 1,     /* the account's shell is not in /etc/shells */
        IDENTITY_DYNAMIC = 1 << 2,      /* allotted from DynamicUID= */
};

/*
 * The one place where an identity is refused whatever the map says, with `n_reserved` ids that belong to the project's
 * own accounts. Returns NULL when it may be used, or the reason:
 *   - uid, gid or a group 0, 65534 or -1 (the overflow id: user_namespaces(7));
 *   - a uid below MinUID=, a gid or group below MinGID=;
 *   - a system account or group, unless IDENTITY_ALLOW_SYSTEM: below 1000, or in 60000 to 65535, which are Debian's
 *     and systemd's own (Debian Policy 9.2.2; systemd's DynamicUser=, https://systemd.io/UIDS-GIDS);
 *   - one of the project's own accounts;
 *   - IDENTITY_NO_SHELL, with RequireShell=yes;
 *   - in the range of DynamicUID= without being allotted from it, or allotted and outside (a group is never allotted).
 * Of several reasons the first of this list, for the uid before the gid before the groups, and the shell last.
 */
const char *identity_refusal(const struct index_header *header, const struct identity *identity, unsigned flags,
        const uint32_t *reserved, size_t n_reserved);

/*
 * Whether an HTTP user's name is fit to be looked up as an account (%user, @group) or to have a uid allotted: not
 * empty, at most 255 bytes, printable ASCII or UTF-8 without control characters, no '/' or ':', not "." or "..", not
 * beginning with '-', without blanks at its ends, not digits only (it would be taken for a uid);
 * https://systemd.io/USER_NAMES, "relaxed mode". Returns NULL or the reason.
 */
const char *identity_name_refusal(const char *name);

/* Whether `%mcs` is in a context, a rule's or a service's; see identity_context(). NULL: no. */
bool identity_context_needs_categories(const char *context);

/*
 * Completes the context that a rule gives: "user:role:type[:range]"; or "type[:range]", the rest of which comes from
 * `base`, the service's; `*` for a type or a range keeps that of `base`; `%mcs` in the range, of either, becomes the
 * two categories. A second word that is `*` or begins like a level, s0, is a range. Either may be NULL. Writes an empty
 * string when neither gives one. Returns 0, or -EINVAL when something is to be kept and `base` has none, or the text is
 * no context; -ENAMETOOLONG.
 */
int identity_context(const char *context, const char *base, uint32_t first_category, uint32_t second_category,
        char ret_context[INDEX_CONTEXT_MAX + 1]);
