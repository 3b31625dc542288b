/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdio.h>

#include "common/map.h"

/*
 * Why a rule does not match, or does: in words, for an administrator. Pure but for the stream.
 */

/* `column` is what map_mismatch() has found. Prints one line. */
void reason_print(FILE *stream, const struct map_rule *rule, const struct map_query *query, enum map_column column);
