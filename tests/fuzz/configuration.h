/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The compiler for fuzzing: compiler/source.h with one file in memory in place of folders and owners, and a check of
 * the index that comes of it.
 */

#include <pwd.h>
#include <stdio.h>

#include "compiler/compile.h"
#include "compiler/source.h"
#include "tests/unit/index-sample.h"

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

static void check(int condition)
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

static void start(struct compile *compile)
{
        *compile = (struct compile){.directory = "/etc/sandboxd", .controllers = "cpuset cpu io memory pids"};
        compile->header = (struct index_header){.min_uid = 1000, .min_gid = 1000, .max_connections = 256};
        builder_init(&compile->builder);
}

/* What is compiled without a complaint, the broker takes. */
static void finish(struct compile *compile, unsigned errors, void (*examine)(const struct index *index))
{
        struct index index = builder_finish(&compile->builder, compile->header), opened;

        if (errors == 0) {
                int fd = sample_memfd(index.header, index.size, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);

                check(index_open(fd, &opened) == 0);
                sample_walk(&opened);
                examine(&opened);
                index_close(&opened);
        }
        sample_free(&compile->builder);
}
