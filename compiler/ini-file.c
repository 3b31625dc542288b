/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/ini-file.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "compiler/line.h"
#include "compiler/source.h"

struct reading {
        FILE *stream;
        struct position position;
        ini_file_assign assign;
        void *context;
        char *line; /* as getline(3) has it */
        size_t capacity;
};

/* Gives inih one line at a time, so that the line number is known when it calls back. */
static char *read_line(char *line, int size, void *stream)
{
        struct reading *reading = stream;
        ssize_t length = line_read(reading->stream, &reading->position, &reading->line, &reading->capacity);

        if (length < 0)
                return NULL;
        if (length > INI_FILE_LINE_MAX || length + 2 > size) {
                diagnose(reading->position, "repeat the key: list values add up", "line longer than %d bytes",
                        INI_FILE_LINE_MAX);
                length = 0;
        }
        memcpy(line, reading->line, (size_t)length);
        memcpy(line + length, "\n", 2);
        return line;
}

static int handle(void *user, const char *section, const char *key, const char *value)
{
        struct reading *reading = user;

        reading->assign(reading->context, section, key, value, reading->position);
        return 1;
}

void ini_file_read(const char *path, ini_file_assign assign, void *context)
{
        _cleanup_fclose_ FILE *stream = source_open(path);
        struct reading reading = {.stream = stream, .position = {.file = path}, .assign = assign, .context = context};
        int line;

        if (!stream)
                return;
        line = ini_parse_stream(read_line, &reading, handle, &reading);
        free(reading.line);
        if (line != 0)
                diagnose((struct position){.file = path, .line = line > 0 ? (unsigned)line : 0}, NULL,
                        "neither a [Section], a Key=Value nor a comment");
}
