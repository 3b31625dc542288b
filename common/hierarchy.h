/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * Where the control groups of version 2 are: cgroups(7).
 */

/* The folder where the hierarchy is mounted: at the top, or beside version 1. Returns 0, or -ENOENT: nowhere. */
int hierarchy_mount(char *ret_path, size_t size);

/* The folder of our own group. Returns 0, -ENOENT, -ENAMETOOLONG or another negative errno. */
int hierarchy_own(char *ret_path, size_t size);
