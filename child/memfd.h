/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* Reads a memfd whole into `buffer`. Returns 0, -E2BIG when it does not fit, or another negative errno. */
int memfd_read(int fd, char *buffer, size_t size, size_t *ret_size);
