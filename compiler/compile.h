/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "compiler/builder.h"
#include "compiler/diagnostics.h"

/*
 * What the parts of the compiler share: the options it was started with, and the index being built.
 */
struct compile {
        const char *directory;   /* of the configuration */
        const char *controllers; /* cgroup v2 controllers that can be had, separated by blanks */
        struct index_header header;
        struct builder builder;
        bool selinux_enabled;  /* the kernel runs SELinux */
        bool services_refused; /* so a rule may name a service that is not there for that reason */
};

/* Reads sandboxd.conf, where there is one, into compile->header. */
void compile_main_file(struct compile *compile);

/* Reads services.d/ into compile->builder.services. */
void compile_services(struct compile *compile);

/* Reads maps/ into compile->builder.rules. The services must have been read. */
void compile_maps(struct compile *compile);

/*
 * Checks a context: its form, that its range is one level, and where contexts are applied, that the policy knows it.
 * Says what is wrong. Counts it in header.contexts_unused where contexts are not applied. Returns its index_string, or
 * 0.
 */
index_string compile_context(struct compile *compile, const char *context, struct position position);

/*
 * The label of a service file, which is what the policy judges front ends by. Returns its index_string, 0 where
 * contexts are not applied, or 0 after saying what is wrong.
 */
index_string compile_label(struct compile *compile, const char *path);

/* Where contexts are applied, every rule has one, or every service that it is for. The maps must have been read. */
void compile_check_contexts(const struct compile *compile);

/* The uid of an account: a name or a number. Returns 0, or -ENOENT. */
int compile_uid(const char *account, uint32_t *ret_uid);
