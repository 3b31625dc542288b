/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Cleanup attributes: what a function acquired is released on every way out of it.
 *
 * The error convention of the whole project is stated here, once:
 *   - a function that can fail returns int: 0 for success, a negative errno for failure;
 *   - a positive return is a condition that the function's header names and every caller handles;
 *   - output parameters are named ret_…, and are untouched on failure;
 *   - library code never logs; the program layer (main.c and the event handlers) does.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

/* Closes `fd` if it is one, keeps errno, returns -1: `fd = close_fd(fd);`. close(2) is never retried on
 * Linux. */
static inline int close_fd(int fd)
{
        if (fd >= 0) {
                int saved = errno;

                close(fd);
                errno = saved;
        }
        return -1;
}

/* Hands a descriptor over: returns it, and leaves -1 behind. */
static inline int take_fd(int *fd)
{
        int taken = *fd;

        *fd = -1;
        return taken;
}

static inline void cleanup_close(int *fd)
{
        *fd = close_fd(*fd);
}

static inline void cleanup_free(void *pointer)
{
        free(*(void **)pointer);
}

static inline void cleanup_fclose(FILE **stream)
{
        if (*stream)
                fclose(*stream);
}

#define _cleanup_close_  _cleanup_(cleanup_close)
#define _cleanup_free_   _cleanup_(cleanup_free)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
