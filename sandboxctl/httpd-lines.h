/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdio.h>

/*
 * Lines as httpd reads them from its files: a backslash at the end continues a line. They are no longer there than
 * MAX_STRING_LEN, and comments are not its matter.
 */

enum { HTTPD_LINE_MAX = 8191 }; /* bytes, with those that continue it */

struct httpd_lines {
        FILE *stream;
        char text[HTTPD_LINE_MAX + 1]; /* the line, without its end */
        size_t length;
        unsigned line; /* its number, that of the first one if it is continued */
        unsigned next;
};

/* Begins, or begins once more, at the beginning of a file. */
void httpd_lines_begin(struct httpd_lines *lines, FILE *stream);

/*
 * Takes the next line with those that continue it. Returns 1; 0 at the end; -E2BIG for one that is too long; -EBADMSG
 * for one with control characters; -EIO.
 */
int httpd_lines_next(struct httpd_lines *lines);
