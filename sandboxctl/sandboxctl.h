/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdio.h>

#include "common/load.h"
#include "common/map.h"

/* What the verbs of sandboxctl share. */

struct options {
        const char *config;
        const char *libexec;
        const char *state; /* the folder of what is allotted */
        const char *service;
        const char *user;    /* "": nobody is logged in */
        const char *address; /* "": unknown */
        const char *host;    /* "": unknown */
        struct map_condition variables[MAP_VARIABLES_MAX];
        size_t n_variables;
        const char *request; /* the id of one in a log */
        const char *log;     /* the file to look for it in; NULL: the journal */
        const char *from;
        const char *identity;
        bool all;
        char **operands; /* what follows the options, ends with NULL */
};

/* Exit statuses beside EXIT_SUCCESS and EXIT_FAILURE. */
enum { CONTROL_USAGE = 2, CONTROL_CONTRADICTION = 3 };

/*
 * Reads the options up to the first operand or "--". Returns how many words they are, the program's name or verb before
 * them included; -EINVAL for one that does not exist or has no proper value, after saying so.
 */
int options_parse(int argc, char **argv, struct options *options);

/* The request that the options describe. The strings are theirs. */
void options_query(const struct options *options, struct map_query *ret_query);

/* Prints the summary that --help gives. */
void options_usage(FILE *stream);

/* The configuration, compiled. */
struct configuration {
        struct accounts accounts;
        struct index index;
        struct map map;
};

/* Compiles the configuration and opens it; complaints are on stderr. Returns 0 or a negative errno. */
int control_load(const struct options *options, struct configuration *ret_configuration);
void control_unload(struct configuration *configuration);

/* The service of that name, or NULL after saying that there is none. */
const struct index_service *control_find_service(const struct index *index, const char *name);

/* The verbs, each in a file of its own: they return an exit status. */
int control_check(const struct options *options);
int control_explain(const struct options *options);
int control_run(const struct options *options);
int control_map_explain(const struct options *options);
int control_list(const struct options *options);
int control_import(const struct options *options);
int control_who(const struct options *options);
