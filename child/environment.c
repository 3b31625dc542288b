/* SPDX-License-Identifier: Apache-2.0 */
#include "child/environment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"

/* Sorted, for bsearch(3). REMOTE_USER, REMOTE_ADDR, SERVER_NAME and GATEWAY_INTERFACE are ours. */
static const char *const allowed[] = {
        "AUTH_TYPE",
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "DOCUMENT_ROOT",
        "DOCUMENT_URI",
        "HTTPS",
        "PATH_INFO",
        "PATH_TRANSLATED",
        "QUERY_STRING",
        "REDIRECT_STATUS",
        "REMOTE_HOST",
        "REMOTE_IDENT",
        "REMOTE_PORT",
        "REQUEST_METHOD",
        "REQUEST_SCHEME",
        "REQUEST_URI",
        "SCRIPT_FILENAME",
        "SCRIPT_NAME",
        "SERVER_ADDR",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "SERVER_SOFTWARE",
};

static int compare_name(const void *key, const void *element)
{
        return strcmp(key, *(const char *const *)element);
}

static bool is_passed(const struct environment_policy *policy, const char *name)
{
        for (size_t i = 0; i < policy->n_pass; i++)
                if (strcmp(policy->pass[i], name) == 0)
                        return true;
        return false;
}

static bool is_ours(const char *name)
{
        return strcmp(name, "REMOTE_USER") == 0 || strcmp(name, "REMOTE_ADDR") == 0 ||
               strcmp(name, "SERVER_NAME") == 0 || strcmp(name, "GATEWAY_INTERFACE") == 0 ||
               strncmp(name, "SANDBOXD_", 9) == 0;
}

static bool is_allowed(const struct environment_policy *policy, const char *name)
{
        if (is_ours(name) || strcasecmp(name, "HTTP_PROXY") == 0)
                return false;
        if (strncmp(name, "HTTP_", 5) == 0)
                return true;
        return bsearch(name, allowed, ELEMENTS(allowed), sizeof(allowed[0]), compare_name) || is_passed(policy, name);
}

/* Where the variable called by the first `length` bytes of `name` stands, or NULL. */
static char **find(struct environment *environment, const char *name, size_t length)
{
        for (size_t i = 0; i < environment->n_variables; i++)
                if (strncmp(environment->variables[i], name, length) == 0 && environment->variables[i][length] == '=')
                        return &environment->variables[i];
        return NULL;
}

static int append(struct environment *environment, char *variable)
{
        if (environment->n_variables >= ENVIRONMENT_MAX)
                return -E2BIG;
        environment->variables[environment->n_variables++] = variable;
        environment->variables[environment->n_variables] = NULL;
        return 0;
}

int environment_set(struct environment *environment, char *variable)
{
        char **slot = find(environment, variable, strcspn(variable, "="));

        if (!slot)
                return append(environment, variable);
        *slot = variable;
        return 0;
}

/* By hand: formatted output would take a fork several pages that nothing else of it touches. */
static int set_own(struct environment *environment, const char *name, const char *value)
{
        size_t n_name = strlen(name), size = n_name + 1 + strlen(value) + 1;
        char *variable = environment->own + environment->own_left - size;

        if (size > environment->own_left)
                return -E2BIG;
        environment->own_left -= size;
        memcpy(variable, name, n_name + 1);
        variable[n_name] = '=';
        memcpy(variable + n_name + 1, value, size - n_name - 1);
        return environment_set(environment, variable);
}

/* A fact: set when it is known, and otherwise absent, whoever else named it. */
static int set_fact(struct environment *environment, const char *name, const char *value)
{
        char **slot = find(environment, name, strlen(name));

        if (*value)
                return set_own(environment, name, value);
        if (slot) {
                *slot = environment->variables[--environment->n_variables];
                environment->variables[environment->n_variables] = NULL;
        }
        return 0;
}

static int copy_request(
        struct environment *environment, const struct environment_policy *policy, char *block, size_t size)
{
        if (size > 0 && block[size - 1] != '\0')
                return -EBADMSG;
        for (char *variable = block; variable < block + size; variable += strlen(variable) + 1) {
                char *equals = strchr(variable, '=');
                bool wanted;
                int r;

                if (!equals || equals == variable)
                        return -EBADMSG;
                *equals = '\0';
                wanted = is_allowed(policy, variable);
                *equals = '=';
                if (wanted && find(environment, variable, (size_t)(equals - variable)))
                        return -EBADMSG; /* which of the two an application believes is not for us to guess */
                r = wanted ? append(environment, variable) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int set_facts(struct environment *environment, const struct environment_facts *facts)
{
        int r = facts->request_id[0] ? set_own(environment, "GATEWAY_INTERFACE", "CGI/1.1") : 0;

        if (r == 0)
                r = set_fact(environment, "SANDBOXD_REQUEST_ID", facts->request_id);
        if (r == 0)
                r = set_fact(environment, "REMOTE_USER", facts->user);
        if (r == 0)
                r = set_fact(environment, "REMOTE_ADDR", facts->address);
        if (r == 0)
                r = set_fact(environment, "SERVER_NAME", facts->host);
        if (r == 0 && facts->script[0])
                r = set_own(environment, "SCRIPT_FILENAME", facts->script);
        if (r == 0 && !find(environment, "PATH", 4))
                r = set_own(environment, "PATH", "/usr/local/bin:/usr/bin:/bin");
        return r;
}

int environment_build(struct environment *environment, const struct environment_policy *policy, char *block,
        size_t size, const struct environment_facts *facts)
{
        int r;

        environment->n_variables = 0;
        environment->variables[0] = NULL;
        environment->own_left = sizeof(environment->own);
        r = copy_request(environment, policy, block, size);
        for (size_t i = 0; r == 0 && i < policy->n_set; i++)
                r = environment_set(environment, (char *)(uintptr_t)policy->set[i]);
        return r < 0 ? r : set_facts(environment, facts);
}
