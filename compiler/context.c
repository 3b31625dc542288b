/* SPDX-License-Identifier: Apache-2.0 */
#include <selinux/selinux.h>
#include <string.h>

#include "compiler/compile.h"

static bool are_applied(const struct compile *compile)
{
        return compile->header.selinux >= INDEX_SELINUX_APPLY;
}

/* The range of a context, or NULL: what stands after the third colon. */
static const char *range_of(const char *context)
{
        for (int i = 0; i < 3 && context; i++) {
                context = strchr(context, ':');
                if (context)
                        context++;
        }
        return context;
}

/* A process with two levels writes its files at the lower one, where every category may read them. */
static bool has_two_levels(const char *context)
{
        const char *low = range_of(context), *dash = low ? strchr(low, '-') : NULL;
        size_t length = dash ? (size_t)(dash - low) : 0;

        return dash && (strlen(dash + 1) != length || memcmp(low, dash + 1, length) != 0);
}

index_string compile_context(struct compile *compile, const char *context, struct position position)
{
        int colons = 0;

        for (const char *c = context; *c; c++)
                colons += *c == ':';
        if (colons < 2 || strlen(context) > INDEX_CONTEXT_MAX) {
                diagnose(position, "write user:role:type, with MCS :range", "'%s' is not a context", context);
                return 0;
        }
        if (has_two_levels(context)) {
                diagnose(position, "write one level, as in s0:c1,c2",
                        "the range '%s' has two levels, and files would be made at the lower one", range_of(context));
                return 0;
        }
        if (!are_applied(compile))
                compile->header.contexts_unused++;
        else if (security_check_context_raw(context) < 0) {
                diagnose(position, "is the policy module of the domain loaded? semodule -l",
                        "the policy in force does not know the context '%s'", context);
                return 0;
        }
        return builder_string(&compile->builder, context);
}

index_string compile_label(struct compile *compile, const char *path)
{
        index_string string;
        char *label = NULL;

        if (!are_applied(compile))
                return 0;
        if (getfilecon_raw(path, &label) < 0) {
                diagnose((struct position){.file = path}, "restorecon it", "the file has no SELinux label: %m");
                return 0;
        }
        string = builder_string(&compile->builder, label);
        freecon(label);
        return string;
}

static void check_rule(const struct builder *builder, const struct index_rule *rule)
{
        const struct index_service *services = builder->services.items;

        for (size_t i = 0; i < builder->services.count; i++) {
                const char *name = builder_text(builder, services[i].name);

                if (services[i].context || (rule->service && strcmp(builder_text(builder, rule->service), name) != 0))
                        continue;
                diagnose((struct position){builder_text(builder, rule->source), rule->line},
                        "add one, or SELinuxContext= to the service; SELinux=off in sandboxd.conf runs without",
                        "the rule gives no context, and service %s has none", name);
                return;
        }
}

void compile_check_contexts(const struct compile *compile)
{
        const struct index_rule *rules = compile->builder.rules.items;

        for (size_t i = 0; are_applied(compile) && i < compile->builder.rules.count; i++)
                if (rules[i].action == INDEX_BECOME && !rules[i].context)
                        check_rule(&compile->builder, &rules[i]);
}
