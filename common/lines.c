/* SPDX-License-Identifier: Apache-2.0 */
#include "common/lines.h"

static void emit_line(struct lines *lines, lines_emit_fn emit, void *userdata)
{
        if (lines->length == 0 || lines->suppressed)
                return;
        if (lines->total + lines->length > LINES_TOTAL) {
                lines->suppressed = true;
                emit("(further lines suppressed)", userdata);
                return;
        }
        lines->line[lines->length] = '\0';
        lines->total += lines->length;
        lines->length = 0;
        emit(lines->line, userdata);
}

void lines_feed(struct lines *lines, const char *data, size_t length, lines_emit_fn emit, void *userdata)
{
        for (size_t i = 0; i < length && !lines->suppressed; i++) {
                if (data[i] == '\n') {
                        emit_line(lines, emit, userdata);
                        continue;
                }
                if (lines->length == LINES_LENGTH)
                        emit_line(lines, emit, userdata);
                if (lines->suppressed)
                        break;
                /* A NUL would end the line for whoever prints it. */
                lines->line[lines->length++] = data[i] == '\0' ? '?' : data[i];
        }
}

void lines_end(struct lines *lines, lines_emit_fn emit, void *userdata)
{
        emit_line(lines, emit, userdata);
}
