/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The compiler for fuzzing: compiler/source.h with one file in memory in place of folders and owners. The diagnostics
 * are compiled in here, so that the counts can begin anew and every message is written.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "compiler/compile.h"
#include "compiler/source.h"
/* NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "compiler/diagnostics.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct {
        const char *path;
        const uint8_t *data;
        size_t size;
} source;

FILE *source_open(const char *path)
{
        (void)path;
        return fmemopen((void *)(uintptr_t)source.data, source.size, "r");
}

void source_each(
        const char *directory, const char *suffix, void (*visit)(void *context, const char *path), void *context)
{
        (void)directory;
        (void)suffix;
        visit(context, source.path);
}

static inline void check(int condition)
{
        if (!condition)
                abort();
}

/* Complaints go nowhere; libFuzzer has taken the real stderr already, and sanitizers write to descriptor 2. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
        (void)argc;
        (void)argv;
        stderr = fopen("/dev/null", "we");
        check(stderr != NULL);
        return 0;
}

/* Compiles the bytes as the file `path`. */
static inline void give(const char *path, const uint8_t *data, size_t size)
{
        errors = warnings = 0;
        source.path = path;
        source.data = data;
        source.size = size;
}
