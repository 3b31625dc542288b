/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the reader of identity maps stands on, for tests: a few accounts and groups, a policy, and a writer that hands
 * each rule to sample_rule(), which the test defines.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "compiler/compile.h"
#include "compiler/name-service.h"

/* Takes a rule; the return value is map_writer_add()'s. */
int sample_rule(const struct map_rule *rule, struct map_place *ret_shadow);

int map_writer_add(struct map_writer *writer, const struct map_rule *rule, struct map_place *ret_shadow)
{
        (void)writer;
        return sample_rule(rule, ret_shadow);
}

int name_service_account(const char *name, const struct name_account **ret_account)
{
        static const uint32_t groups[] = {30001, 30002}, system_groups[] = {27};
        static const struct {
                const char *name;
                struct name_account account;
        } accounts[] = {
                {"alice", {.uid = 30010, .gid = 30010, .has_shell = true, .n_groups = 2, .groups = groups}},
                {"bob", {.uid = 30011, .gid = 30011, .has_shell = true}},
                {"carol", {.uid = 30012, .gid = 30012, .has_shell = true, .n_groups = 1, .groups = system_groups}},
                {"locked", {.uid = 30013, .gid = 30013}},
                {"root", {.has_shell = true}},
                {"www-data", {.uid = 33, .gid = 33}},
        };

        if (strcmp(name, "many") == 0)
                return -E2BIG;
        if (strcmp(name, "unanswered") == 0)
                return -EIO;
        for (size_t i = 0; i < ELEMENTS(accounts); i++)
                if (strcmp(accounts[i].name, name) == 0) {
                        *ret_account = &accounts[i].account;
                        return 0;
                }
        return -ENOENT;
}

int name_service_group(const char *name, uint32_t *ret_gid)
{
        if (strcmp(name, "unanswered") == 0)
                return -EIO;
        if (strcmp(name, "staff") != 0)
                return -ENOENT;
        *ret_gid = 50;
        return 0;
}

/* Knows domains whose names end in _t, and the categories up to c1023. */
int security_check_context_raw(const char *context)
{
        const char *type = strstr(context, "_t:");

        return type && !strstr(context, "c1024") ? 0 : -1;
}

static inline void sample_map_service(struct compile *compile, const char *name, const char *context)
{
        struct index_service service = {.name = builder_string(&compile->builder, name)};

        service.source = builder_string(&compile->builder, "services.d/php.service");
        service.context = context ? builder_string(&compile->builder, context) : 0;
        list_append(&compile->builder.services, &service, sizeof(service));
}

/* wiki has a context, cgi has none. */
static inline void sample_map_begin(struct compile *compile)
{
        *compile = (struct compile){.directory = "/etc/sandboxd", .reserved = {30099}, .n_reserved = 1};
        compile->header = (struct index_header){.min_uid = 30,
                .min_gid = 20,
                .dynamic_first = 2000000,
                .dynamic_last = 2099999,
                .category_first = 100,
                .category_last = 1023};
        builder_init(&compile->builder);
        sample_map_service(compile, "wiki", "system_u:system_r:wiki_t:s0");
        sample_map_service(compile, "cgi", NULL);
}

static inline void sample_map_end(struct compile *compile)
{
        compile_forget_contexts(compile);
        list_clear(&compile->builder.services);
        free(compile->builder.data);
}
