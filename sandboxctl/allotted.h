/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandboxctl/sandboxctl.h"

/*
 * What sandboxd-allot has allotted, as its --list prints it (allot/list.h). It is run as the account sandboxd-allot
 * when we are root. Each function complains on stderr when that fails.
 */

enum { ALLOTTED_NONE = 1 };

struct allotted {
        uint32_t uid;
        const char *name;       /* who has the uid; or NULL: */
        uint32_t first, second; /* the categories that the uid has */
};

/*
 * Visits all of it, by uid, a name before its uid's categories, until `visit` returns other than 0. Returns that, 0, or
 * a negative errno. Where there is no store yet, nothing is allotted.
 */
int allotted_each(
        const struct options *options, int (*visit)(void *context, const struct allotted *allotted), void *context);

/* The uid of a name, and the categories of a uid. Return 0, ALLOTTED_NONE, or a negative errno. */
int allotted_uid(const struct options *options, const char *name, uint32_t *ret_uid);
int allotted_categories(const struct options *options, uint32_t uid, uint32_t *ret_first, uint32_t *ret_second);
