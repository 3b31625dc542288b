/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <limits.h>

#include "common/wire.h"
#include "sandboxctl/identity.h"

/*
 * A request that has been: what the broker's line about its end says of who asked, and what was decided. See
 * common/summary.h for the line, and common/log.h for what is before it.
 */

enum { LOGGED_VARIABLE_SIZE = WIRE_VARIABLE_NAME_SIZE + WIRE_VARIABLE_VALUE_SIZE };

struct logged {
        char service[NAME_MAX + 1];
        char outcome[32];
        char user[WIRE_USER_SIZE];
        char address[WIRE_ADDRESS_SIZE];
        char host[WIRE_HOST_SIZE];
        char variables[MAP_VARIABLES_MAX][LOGGED_VARIABLE_SIZE]; /* NAME, NUL, value */
        struct map_condition conditions[MAP_VARIABLES_MAX];      /* into them */
        size_t n_variables;
        bool variables_unknown;
        char rule[PATH_MAX + 16]; /* FILE:LINE; "-" or empty: none */
        char identity[32];        /* uid:gid; "-": none */
        bool altered;             /* the log has a '?' where there may have been something else */
};

/*
 * Finds the line about the end of the request options->request, the last one if there are several: in the file
 * options->log, of lines as the broker writes them to stderr; or in the journal, among what root has written. Returns
 * 0, or a negative errno after saying what is wrong.
 */
int logged_find(const struct options *options, struct logged *ret_logged);

/*
 * Takes the fields out of a line that begins with "outcome=". Pure. Returns 0; -EBADMSG when it is no such line, or a
 * field is missing, too long or there twice. *ret_logged is all zeroes before; its service is left so.
 */
int logged_parse(const char *line, struct logged *ret_logged);

/* Who asked, as the map is asked. The strings are those of `logged`. */
void logged_query(const struct logged *logged, struct map_query *ret_query);

/* Prints what was decided then, and whether it is decided the same now. */
void logged_compare(const struct logged *logged, const struct inquiry *inquiry);
