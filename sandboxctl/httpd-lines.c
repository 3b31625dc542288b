/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxctl/httpd-lines.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

void httpd_lines_begin(struct httpd_lines *lines, FILE *stream)
{
        rewind(stream);
        lines->stream = stream;
        lines->next = 1;
}

static bool has_control(const char *text, size_t length)
{
        for (size_t i = 0; i < length; i++)
                if (iscntrl((unsigned char)text[i]) && text[i] != '\t')
                        return true;
        return false;
}

int httpd_lines_next(struct httpd_lines *lines)
{
        _cleanup_free_ char *piece = NULL;
        size_t size = 0, length;
        ssize_t n;

        lines->line = lines->next;
        lines->length = 0;
        lines->text[0] = '\0';
        while ((n = getline(&piece, &size, lines->stream)) > 0) {
                length = (size_t)n;
                lines->next++;
                length -= piece[length - 1] == '\n';
                length -= length > 0 && piece[length - 1] == '\r';
                if (lines->length + length > HTTPD_LINE_MAX)
                        return -E2BIG;
                if (has_control(piece, length))
                        return -EBADMSG;
                memcpy(lines->text + lines->length, piece, length);
                lines->length += length;
                lines->text[lines->length] = '\0';
                if (lines->length == 0 || lines->text[lines->length - 1] != '\\')
                        return 1;
                lines->text[--lines->length] = '\0';
        }
        if (ferror(lines->stream))
                return -EIO;
        return lines->length > 0;
}
