/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/mman.h>

/* madvise(2), since Linux 5.14; newer than the headers of some. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
