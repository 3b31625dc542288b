/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "warm/child.h"
#include "warm/settings.h"

/*
 * A child's request, from the first byte that a client wrote to where the application takes it: the environment is
 * filtered and the script judged, as for one that is executed (child/environment.h, child/program.h). What fails here
 * is answered from here, as the bridge answers it, with a line on stderr that says why, and ends the process.
 *
 * Calls that are made: recvfrom, sendto, openat2, openat, fstat, pread64, getuid, chdir, dup3, close, write.
 */

/* Before there is a request: writes once to each page that most requests write to here. */
void request_prepare(void);

/* For accept(2): a connection on which the application finds BEGIN_REQUEST and PARAMS. */
int request_connection(const struct settings *settings, struct child *child);

/* For sandboxd_warm_take(): streams at 0 to 2, and the environment, "NAME=VALUE\0" each, in memory that is static. */
void request_streams(const struct settings *settings, struct child *child, const char **ret_block, size_t *ret_size);

/*
 * Builds the environment of `request` from `size` bytes at `block`, which the result points into. Returns 0 or a
 * negative errno of environment_build().
 */
int request_environment(const struct settings *settings, const struct warm_request *request, char *block, size_t size,
        struct environment *ret_environment);

/* Copies variables one after the other, with their NULs, into memory that is static. Returns 0 or -E2BIG. */
int request_pack(const struct environment *environment, const char **ret_block, size_t *ret_size);
