/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/line.h"

#include <errno.h>
#include <string.h>

ssize_t line_read(FILE *stream, struct position *position, char **line, size_t *capacity)
{
        ssize_t length = getline(line, capacity, stream);

        if (length < 0) {
                if (ferror(stream))
                        diagnose(*position, NULL, "cannot be read on from here: %s", strerror(errno));
                return -1;
        }
        position->line++;
        if (length > 0 && (*line)[length - 1] == '\n')
                (*line)[--length] = '\0';
        if (strlen(*line) != (size_t)length)
                diagnose(*position, NULL, "a NUL byte in the line");
        return length;
}
