/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/index.h"
#include "sandboxd/load.h"

/* What the verbs of sandboxctl share. Each verb returns an exit status. */

struct options {
        const char *config;
        const char *libexec;
        const char *service;
        const char *user;    /* "": nobody is logged in */
        const char *address; /* "": unknown */
        const char *host;
        char **command; /* of run, ends with NULL */
};

/* Compiles the configuration and opens the index; complaints are on stderr. Returns 0 or a negative errno. */
int control_load(const struct options *options, struct accounts *ret_accounts, struct index *ret_index);

/* The service of that name, or NULL after saying that there is none. */
const struct index_service *control_find_service(const struct index *index, const char *name);

int control_check(const struct options *options);
int control_explain(const struct options *options);
int control_run(const struct options *options);
