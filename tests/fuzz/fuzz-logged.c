/* SPDX-License-Identifier: Apache-2.0 */
/* links: sandboxctl/logged.c common/wire.c */

/* Any bytes as the broker's line about a request: what is accepted are strings that fit, and variables with names. */

#include <stdlib.h>
#include <string.h>

#include "sandboxctl/logged.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
        if (!condition)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct logged logged;
        struct map_query query;
        char *line = malloc(size + 1);

        if (!line)
                return 0;
        memcpy(line, data, size);
        line[size] = '\0';
        memset(&logged, 0, sizeof(logged));
        if (logged_parse(line, &logged) == 0) {
                logged_query(&logged, &query);
                check(strlen(query.user) < sizeof(logged.user) && strlen(query.host) < sizeof(logged.host));
                check(query.n_variables <= MAP_VARIABLES_MAX);
                for (size_t i = 0; i < query.n_variables; i++)
                        check(query.variables[i].name[0] && !strpbrk(query.variables[i].name, "=\"") &&
                                !strchr(query.variables[i].value, '"'));
        }
        free(line);
        return 0;
}
