/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "compiler/builder.h"
#include "compiler/diagnostics.h"
#include "compiler/map-writer.h"

enum { COMPILE_RESERVED_MAX = 16 };

/* A rule's place, kept after its file has been read; `file` NULL: none. */
struct compile_place {
        char *file, *text;
        unsigned line;
        size_t offset;
};

/*
 * What the parts of the compiler share: the options it was started with, and the index and map being built.
 */
struct compile {
        const char *directory;                   /* of the configuration */
        const char *controllers;                 /* cgroup v2 controllers that can be had, separated by blanks */
        uint32_t reserved[COMPILE_RESERVED_MAX]; /* ids of the project's own accounts */
        size_t n_reserved;
        struct index_header header;
        struct builder builder;
        struct map_writer *map;
        bool selinux_enabled;                           /* the kernel runs SELinux */
        bool services_refused;                          /* so a rule may name a service that is not there */
        void *contexts;                                 /* what has been found out about the contexts of rules */
        struct compile_place with_mcs, with_categories; /* the first rule with %mcs, and with categories of its own */
};

/* Reads sandboxd.conf, where there is one, into compile->header. */
void compile_main_file(struct compile *compile);

/* Reads services.d/ into compile->builder.services. */
void compile_services(struct compile *compile);

/* Reads maps/ into compile->map. The services must have been read, and none may be added afterwards. */
void compile_maps(struct compile *compile);

/*
 * Checks the context of a service: its form, that its range is one level, and where contexts are applied, that the
 * policy knows it. Says what is wrong. Counts it in header.contexts_unused where contexts are not applied. Returns its
 * index_string, or 0.
 */
index_string compile_context(struct compile *compile, const char *context, struct position position);

/*
 * Checks the context that a rule gives (see identity_context(); NULL: none) for `service` (NULL: for all): as above,
 * completed with that of each service, and for %mcs with the first and the last categories of MCSCategories=. Where
 * contexts are applied, a rule without one needs services that have one. Looks each pair of context and service up
 * once, however many rules have it.
 */
void compile_rule_context(struct compile *compile, const char *context, const char *service, struct position position);

/* Warns when %mcs could give somebody the categories that a context names. The maps must have been read. */
void compile_check_categories(const struct compile *compile);

/* Frees what is known about contexts. */
void compile_forget_contexts(struct compile *compile);

/*
 * The label of a service file, which is what the policy judges front ends by. Returns its index_string, 0 where
 * contexts are not applied, or 0 after saying what is wrong.
 */
index_string compile_label(struct compile *compile, const char *path);
