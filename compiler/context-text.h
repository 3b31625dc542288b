/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The text of SELinux contexts. Pure.
 */

/* The range of "user:role:type:range", or NULL. */
const char *context_text_range(const char *context);

/*
 * Whether the range of a complete context has two levels that differ: a process then writes its files at the lower
 * one, where every category may read them.
 */
bool context_text_has_two_levels(const char *context);

/*
 * Whether a context as a rule gives it (identity_context()) names a category from `first` to `last`: "s0:c1,c3",
 * "s0:c1.c3".
 */
bool context_text_has_category(const char *context, uint32_t first, uint32_t last);

/*
 * What someone should have written who wrote a context that is none: a hint that knows the forms of mod_selinux and of
 * ranges alone. NULL: the context has the right form.
 */
const char *context_text_hint(const char *context);
