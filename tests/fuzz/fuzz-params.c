/* SPDX-License-Identifier: Apache-2.0 */
/* links: fcgi-bridge/params.c fcgi-bridge/selectors.c fcgi-bridge/record.c common/wire.c */

/*
 * Any bytes as a PARAMS stream: cut in pieces it gives what it gives whole, and the environment block
 * that comes of it is one that can be read in one way only.
 */

#include <stdlib.h>
#include <string.h>

#include "fcgi-bridge/selectors.h"

enum { MAX_BYTES = 4096, MAX_COUNT = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
        if (!condition)
                abort();
}

static int decode(struct params *params, const uint8_t *data, size_t size, size_t step)
{
        int r = 0;

        params_init(params, MAX_BYTES, MAX_COUNT);
        for (size_t done = 0; done < size && r == 0; done += step)
                r = params_feed(params, data + done, size - done < step ? size - done : step);
        return r < 0 ? r : params_end(params);
}

/* The block is exactly the parameters listed: "NAME=VALUE\0", one after the other. */
static void check_block(const struct params *params)
{
        size_t at = 0;

        check(params->count <= MAX_COUNT && params->length <= MAX_BYTES);
        for (size_t i = 0; i < params->count; i++) {
                const struct param *param = &params->list[i];
                const char *text = params->block + at;

                check(param->name == at && param->name_length > 0);
                check(strcspn(text, "=") == param->name_length);
                check(param->value == at + param->name_length + 1);
                check(strlen(text) == param->name_length + 1 + param->value_length);
                at += strlen(text) + 1;
        }
        check(at == params->length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct params whole, pieces;
        struct wire_request request;
        const char *name;
        uint64_t length;
        size_t step;
        int r;

        if (size < 1)
                return 0;
        step = (size_t)data[0] + 1;
        data++;
        size--;
        r = decode(&whole, data, size, size ? size : 1);
        check(decode(&pieces, data, size, step) == r);
        if (r == 0) {
                check(whole.length == pieces.length);
                check(whole.length == 0 || memcmp(whole.block, pieces.block, whole.length) == 0);
                check_block(&whole);
                wire_init_request(&request);
                memset(request.request_id, 'a', sizeof(request.request_id) - 1);
                (void)selectors_content_length(&whole, &length);
                if (selectors_fill(&whole, &request, &name) == 0)
                        check(wire_check_request(&request, sizeof(request), WIRE_FDS) == 0);
                check_block(&whole);
        }
        params_clear(&whole);
        params_clear(&pieces);
        return 0;
}
