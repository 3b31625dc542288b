/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void memory_exhausted(void)
{
        fputs("sandboxd-compile: out of memory\n", stderr);
        exit(EXIT_FAILURE);
}

void *memory_resize(void *data, size_t size)
{
        data = realloc(data, size);
        if (!data)
                memory_exhausted();
        return data;
}

char *memory_string(const char *text)
{
        size_t size = strlen(text) + 1;

        return memcpy(memory_resize(NULL, size), text, size);
}
