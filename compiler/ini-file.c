/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/ini-file.h"

#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "compiler/source.h"

struct reading {
        FILE *stream;
        struct position position;
        ini_file_assign assign;
        void *context;
};

/* Gives inih one line at a time, so that the line number is known when it calls back. */
static char *read_line(char *line, int size, void *stream)
{
        struct reading *reading = stream;
        size_t length;

        if (!fgets(line, size, reading->stream))
                return NULL;
        reading->position.line++;
        length = strlen(line);
        if (length > INI_FILE_LINE_MAX && line[length - 1] != '\n') {
                int c;

                diagnose(reading->position, "repeat the key: list values add up", "line longer than %d bytes",
                        INI_FILE_LINE_MAX);
                do
                        c = fgetc(reading->stream);
                while (c != EOF && c != '\n');
                line[0] = '\0';
        }
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
        if (line != 0)
                diagnose((struct position){.file = path, .line = line > 0 ? (unsigned)line : 0}, NULL,
                        "neither a [Section], a Key=Value nor a comment");
}
