/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "compiler/compile.h"
#include "compiler/filter.h"

struct key;

/* A service while its file is read. */
struct draft {
        struct compile *compile;
        struct position position; /* of the assignment at hand */
        const struct key *key;    /* likewise */
        struct index_service service;
        struct filter filter;
        struct list doors, argv, environment, pass_environment, warm_up, warm_watch; /* of index_string */
        struct list binds;                                                           /* of struct index_bind */
        struct list front_end_users;                                                 /* of uint32_t */
        struct list trusted;                                                         /* of struct index_network */
        unsigned door_line, exec_line, warm_line; /* of the last FrontDoor=, ExecStart= and Warm= */
        bool has_section;
};

/* Takes one assignment of a service file into `draft`, a struct draft; an ini_file_assign. Complains by itself. */
void draft_assign(void *draft, const char *section, const char *name, const char *value, struct position position);
