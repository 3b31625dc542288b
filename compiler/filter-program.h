/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <seccomp.h>
#include <stdbool.h>

#include "compiler/builder.h"
#include "compiler/filter.h"

/*
 * For the parts of compiler/filter.h: one filter program, from libseccomp's rules to bytes in the index. libseccomp
 * fails here for want of memory or by a mistake of ours; without a whole filter there is no index, and the program
 * ends.
 */

/* Ends the program if `r` is negative. */
void filter_must(int r, const char *what);

/* A filter that answers `action` to what no rule names; calls by another architecture's numbers kill. */
scmp_filter_ctx filter_new(uint32_t action);

/* Adds a rule for a call, and one for a call with a certain argument. Calls of other architectures are left out. */
void filter_rule(scmp_filter_ctx context, uint32_t action, const char *name);
void filter_rule_if(scmp_filter_ctx context, uint32_t action, const char *name, struct scmp_arg_cmp comparison);
struct scmp_arg_cmp filter_compare(unsigned argument, enum scmp_compare operator, uint64_t a, uint64_t b);

/* Writes the filter into the index, and releases it. */
struct index_span filter_export(scmp_filter_ctx context, struct builder *builder);

/* Whether nobody gets that call, whatever a service asks for. */
bool filter_is_forbidden(const char *name);

/* The filter `deny`, by the address families of the service. */
struct index_span filter_deny(uint64_t families, const struct filter_purpose *purpose, struct builder *builder);

/*
 * The filter `last`, which refuses these calls. *ret_keyed: it lets them pass with a key (common/keyed.h), and can be
 * attached by the zygote; otherwise, where zygote or jail need one of them that has no room for a key, by each
 * application.
 */
struct index_span filter_last(const struct syscalls *refused, struct builder *builder, bool *ret_keyed);

/* What the stand-in of a warm service calls, into the set. */
void filter_warm_put(struct syscalls *set);

/* Whether the stand-in needs that call when the application's own last filter is in force. */
bool filter_warm_needs(const char *name);

/* The filter `warm`, for a service that has asked for `allowed`. */
struct index_span filter_warm(
        const struct syscalls *allowed, const struct filter_purpose *purpose, struct builder *builder);
