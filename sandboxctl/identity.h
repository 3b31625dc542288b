/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/decision.h"
#include "sandboxctl/sandboxctl.h"

/*
 * From a request to whom it becomes, by the broker's own function (common/decision.h). What the broker asks its
 * resolvers is asked here and now: of the name service directly, and of the store by its list. Nothing is allotted.
 */

/* A request to decide about, and its decision. */
struct inquiry {
        struct decision decision;
        struct map_condition variables[MAP_VARIABLES_MAX];
        bool uid_missing;        /* the user has no uid yet: the broker would allot one */
        bool categories_missing; /* the identity has no pair of categories yet: likewise */
};

/*
 * Begins one about the request in `query`, whose strings and variables must outlive it: which service it is, and which
 * variables count there. Complains of variables that no rule for the service asks for. Returns 0, or -ENOENT after
 * saying that there is no such service; -EBADMSG likewise for a map that contradicts itself.
 */
int inquiry_init(struct inquiry *inquiry, struct configuration *configuration, const struct map_query *query);

/*
 * Decides. Returns 0: decision.reason is empty, or says why the request is refused; what is missing is told above. Or a
 * negative errno after saying what could not be found out.
 */
int inquiry_decide(struct inquiry *inquiry, const struct options *options);

/* Looks up the groups of who is logged in, if that has not been done. Returns 0, or a negative errno after saying why.
 */
int inquiry_find_groups(struct inquiry *inquiry);

/* Prints who asks for what. */
void inquiry_print_request(const struct inquiry *inquiry);

/* Prints the refusal; or the identity, the context and the service's label. */
void inquiry_print_identity(const struct inquiry *inquiry);

/* Prints the limits of one request, those that a rule may set, each as a line that is indented. */
void inquiry_print_limits(const struct inquiry *inquiry);
