/* SPDX-License-Identifier: Apache-2.0 */
/* links: fcgi-bridge/response.c */

/*
 * Any bytes as an application's output: cut in pieces they give what they give whole, and a header that is
 * passed on has no line that a web server could read differently.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi-bridge/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
        if (!condition)
                abort();
}

static int feed(struct response *response, const char *data, size_t size, size_t step, size_t *ret_body)
{
        int r = 0;

        response_init(response);
        for (size_t done = 0; done < size && r == 0; done += step) {
                size_t used = 0;

                r = response_feed(response, data + done, size - done < step ? size - done : step, &used);
                *ret_body = done + used;
        }
        return r;
}

/* "Name: value\r\n" lines, one empty line at the very end, no control character but tab. */
static void check_header(const struct response *response)
{
        const char *line = response->header, *end = response->header + response->header_length;
        bool last = false;

        check(response->header_length <= RESPONSE_HEADER_MAX);
        check(response->status >= 200 && response->status <= 599);
        while (line < end) {
                const char *stop = memchr(line, '\r', (size_t)(end - line));

                check(!last && stop && stop + 1 < end && stop[1] == '\n');
                for (const char *c = line; c < stop; c++)
                        check(*c == '\t' || ((unsigned char)*c >= 0x20 && *c != 0x7f));
                last = stop == line;
                check(last || memchr(line, ':', (size_t)(stop - line)));
                check(last || (line[0] != ' ' && line[0] != '\t' && line[0] != ':'));
                line = stop + 2;
        }
        check(last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct response whole, pieces;
        size_t whole_body = 0, pieces_body = 0, step;
        char excerpt[RESPONSE_EXCERPT_SIZE];
        int r;

        if (size < 1)
                return 0;
        step = (size_t)data[0] + 1;
        data++;
        size--;
        r = feed(&whole, (const char *)data, size, size ? size : 1, &whole_body);
        check(feed(&pieces, (const char *)data, size, step, &pieces_body) == r);
        if (r == 1) {
                check(whole_body == pieces_body && whole_body <= size);
                check(whole.header_length == pieces.header_length);
                check(memcmp(whole.header, pieces.header, whole.header_length) == 0);
                check_header(&whole);
        }
        response_excerpt(&whole, excerpt);
        check(strlen(excerpt) < sizeof(excerpt));
        response_clear(&whole);
        response_clear(&pieces);
        return 0;
}
