/* SPDX-License-Identifier: Apache-2.0 */
#include <selinux/selinux.h>
#include <string.h>

#include "compiler/compile.h"
#include "compiler/context-text.h"

static bool are_applied(const struct compile *compile)
{
        return compile->header.selinux >= INDEX_SELINUX_APPLY;
}

index_string compile_context(struct compile *compile, const char *context, struct position position)
{
        int colons = 0;

        for (const char *c = context; *c; c++)
                colons += *c == ':';
        if (colons < 2 || strlen(context) > INDEX_CONTEXT_MAX || strpbrk(context, "*%")) {
                diagnose(position, "write user:role:type, with MCS :range", "'%s' is not a context", context);
                return 0;
        }
        if (context_text_has_two_levels(context)) {
                diagnose(position, "write one level, as in s0:c1,c2",
                        "the range '%s' has two levels, and files would be made at the lower one",
                        context_text_range(context));
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
