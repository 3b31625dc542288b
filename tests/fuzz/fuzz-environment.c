/* SPDX-License-Identifier: Apache-2.0 */
/* links: child/environment.c */

/*
 * Any bytes as the environment of a request: what the application gets has a name once, says of the user what the
 * broker says, and never HTTP_PROXY. The first byte chooses the facts.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "child/environment.h"

#define REQUEST_ID "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
        if (!condition)
                abort();
}

static const char *value_of(const struct environment *environment, const char *name)
{
        size_t length = strlen(name);

        for (size_t i = 0; i < environment->n_variables; i++)
                if (strncmp(environment->variables[i], name, length) == 0 && environment->variables[i][length] == '=')
                        return environment->variables[i] + length + 1;
        return NULL;
}

static void check_value(const struct environment *environment, const char *name, const char *expected)
{
        const char *value = value_of(environment, name);

        check(expected[0] ? value && strcmp(value, expected) == 0 : !value);
}

static void check_variables(const struct environment *environment)
{
        check(environment->n_variables <= ENVIRONMENT_MAX);
        check(environment->variables[environment->n_variables] == NULL);
        for (size_t i = 0; i < environment->n_variables; i++) {
                const char *variable = environment->variables[i];
                size_t length = strcspn(variable, "=");

                check(length > 0 && variable[length] == '=');
                check(length != 10 || strncasecmp(variable, "HTTP_PROXY", 10) != 0);
                check(strncmp(variable, "LD_", 3) != 0);
                for (size_t k = 0; k < i; k++)
                        check(strncmp(variable, environment->variables[k], length + 1) != 0);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct environment environment;
        struct environment_facts facts = {.user = "alice", .address = "192.0.2.1", .request_id = REQUEST_ID};
        static const char *const set[] = {"HTTP_FIXED=service", "LANG=C"}, *const pass[] = {"X_ONE", "LANG"};
        const struct environment_policy policy = {.pass = pass, .n_pass = 2, .set = set, .n_set = 2};
        char *block;

        if (size < 1)
                return 0;
        facts.user = data[0] & 1 ? "alice" : "";
        facts.address = data[0] & 2 ? "192.0.2.1" : "";
        facts.host = data[0] & 4 ? "example.org" : "";
        facts.script = data[0] & 8 ? "/srv/a.cgi" : "";
        block = malloc(size);
        memcpy(block, data + 1, size - 1);
        if (environment_build(&environment, &policy, block, size - 1, &facts) == 0) {
                check_variables(&environment);
                check_value(&environment, "REMOTE_USER", facts.user);
                check_value(&environment, "REMOTE_ADDR", facts.address);
                check_value(&environment, "SERVER_NAME", facts.host);
                if (facts.script[0])
                        check_value(&environment, "SCRIPT_FILENAME", facts.script);
                check_value(&environment, "SANDBOXD_REQUEST_ID", REQUEST_ID);
                check_value(&environment, "GATEWAY_INTERFACE", "CGI/1.1");
                check_value(&environment, "HTTP_FIXED", "service");
                check_value(&environment, "LANG", "C");
                check_value(&environment, "PATH", "/usr/local/bin:/usr/bin:/bin");
        }
        /* The block is as it was: names are cut off and put back in place. */
        check(memcmp(block, data + 1, size - 1) == 0);
        free(block);
        return 0;
}
