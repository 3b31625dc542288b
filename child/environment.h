/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * The application's environment: an empty one, into which is copied what is allowed. Pure.
 *
 * From the request: the meta-variables of RFC 3875 section 4.1, those that web servers commonly add, HTTP_*
 * (but never HTTP_PROXY, which programs take for a proxy to use), and the names in PassEnvironment=. Then
 * Environment= of the service. Then what only we may say: REMOTE_USER, REMOTE_ADDR and
 * SERVER_NAME as the broker judged them, SCRIPT_FILENAME of the script that was checked, GATEWAY_INTERFACE,
 * SANDBOXD_REQUEST_ID, and PATH where nothing else gave one.
 */

enum {
        ENVIRONMENT_MAX = 1024, /* variables */
        ENVIRONMENT_OWN = 4096, /* bytes for the variables that we write */
};

struct environment {
        char own[ENVIRONMENT_OWN]; /* from its end backwards: what is written of all this lies together, in few pages */
        size_t own_left;
        size_t n_variables;
        char *variables[ENVIRONMENT_MAX + 1]; /* ends with NULL: an envp for execve(2) */
};

/* What the service says. */
struct environment_policy {
        const char *const *pass; /* PassEnvironment=: names */
        size_t n_pass;
        const char *const *set; /* Environment=: NAME=VALUE */
        size_t n_set;
};

/* What the broker says of the request; strings, never NULL. */
struct environment_facts {
        const char *user;       /* empty: nobody is logged in, no REMOTE_USER */
        const char *address;    /* empty: no REMOTE_ADDR */
        const char *host;       /* empty: no SERVER_NAME */
        const char *script;     /* empty: SCRIPT_FILENAME as the request has it; else the one that was checked */
        const char *request_id; /* empty: no request, an application zygote; no GATEWAY_INTERFACE then either */
};

/*
 * Fills `environment`. `block` holds `size` bytes, "NAME=VALUE\0" each, and must live as long as the result; what the
 * policy points to likewise. Returns 0; -E2BIG for too many variables; -EBADMSG for a block that does not end with
 * NUL, holds an entry without a name, or names a variable twice.
 */
int environment_build(struct environment *environment, const struct environment_policy *policy, char *block,
        size_t size, const struct environment_facts *facts);

/* Sets NAME=VALUE, whatever it was before; it must live as long as the result. Returns 0 or -E2BIG. */
int environment_set(struct environment *environment, char *variable);
