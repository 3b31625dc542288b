/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <search.h>
#include <selinux/selinux.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/identity.h"
#include "compiler/compile.h"
#include "compiler/context-text.h"
#include "compiler/memory.h"

enum { KEY_MAX = INDEX_CONTEXT_MAX + NAME_MAX + 2 };

/* What has been found out about a context and whom it is for. `key` is the first member, for the comparison. */
struct verdict {
        char *key;       /* the context, a newline, and the service or nothing */
        char *complaint; /* NULL: none */
        const char *hint;
};

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool are_applied(const struct compile *compile)
{
        return compile->header.selinux >= INDEX_SELINUX_APPLY;
}

__attribute__((format(printf, 3, 4))) static void complain(
        struct verdict *verdict, const char *hint, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        if (vasprintf(&verdict->complaint, format, arguments) < 0)
                memory_exhausted();
        va_end(arguments);
        verdict->hint = hint;
}

static void judge_pair(const struct compile *compile, struct verdict *verdict, const char *context,
        const struct index_service *service, uint32_t first_category, uint32_t second_category)
{
        const char *base = service && service->context ? builder_text(&compile->builder, service->context) : NULL;
        char completed[INDEX_CONTEXT_MAX + 1];
        int r = identity_context(context, base, first_category, second_category, completed);

        if (r == -ENAMETOOLONG)
                complain(verdict, NULL, "the context '%s' is too long when it is completed", context);
        else if (r < 0)
                complain(verdict, "write user:role:type:range, or add SELinuxContext= with a range to the service",
                        "'%s' keeps a part of the service's context, and service %s has none to keep", context,
                        service ? builder_text(&compile->builder, service->name) : "?");
        else if (context_text_has_two_levels(completed))
                complain(verdict, "write one level, as in s0:c1,c2",
                        "the range '%s' has two levels, and files would be made at the lower one",
                        context_text_range(completed));
        else if (are_applied(compile) && security_check_context_raw(completed) < 0)
                complain(verdict, "is the policy module of the domain loaded? semodule -l",
                        "the policy in force does not know the context '%s'", completed);
}

/*
 * Judges the context completed for a service, or for all where that makes no difference (NULL): with %mcs, with the
 * first and the last categories.
 */
static void judge_completed(const struct compile *compile, struct verdict *verdict, const char *context,
        const struct index_service *service)
{
        uint32_t first = compile->header.category_first, last = compile->header.category_last;

        judge_pair(compile, verdict, context, service, first, first + 1);
        if (!verdict->complaint && identity_context_needs_categories(context))
                judge_pair(compile, verdict, context, service, last - 1, last);
}

static void judge_for_service(const struct compile *compile, struct verdict *verdict, const char *context,
        const struct index_service *service)
{
        if (context)
                judge_completed(compile, verdict, context, service);
        else if (!service->context && are_applied(compile)) /* else that of the service, which has been judged */
                complain(verdict,
                        "add one, or SELinuxContext= to the service; SELinux=off in sandboxd.conf runs without",
                        "the rule gives no context, and service %s has none",
                        builder_text(&compile->builder, service->name));
}

/* Whether nothing of it comes from a service: then it is the same for all of them. */
static bool is_whole(const char *context)
{
        char completed[INDEX_CONTEXT_MAX + 1];

        return identity_context(context, NULL, 0, 1, completed) == 0;
}

static void judge(struct compile *compile, struct verdict *verdict, const char *context, const char *name)
{
        const struct builder *builder = &compile->builder;
        const struct index_service *services = builder->services.items;
        const char *hint = context ? context_text_hint(context) : NULL;

        if (hint) {
                complain(verdict, hint, "'%s' is not a context", context);
                return;
        }
        if (context && is_whole(context)) {
                judge_completed(compile, verdict, context, NULL);
                return;
        }
        for (size_t i = 0; i < builder->services.count && !verdict->complaint; i++)
                if (!name || strcmp(builder_text(builder, services[i].name), name) == 0)
                        judge_for_service(compile, verdict, context, &services[i]);
}

static const struct verdict *find_verdict(struct compile *compile, const char *context, const char *service)
{
        char text[KEY_MAX];
        const char *key = text;
        struct verdict *const *node, *verdict;

        snprintf(text, sizeof(text), "%s\n%s", context ? context : "", service ? service : "");
        node = tfind(&key, &compile->contexts, compare);
        if (node)
                return *node;
        verdict = memory_resize(NULL, sizeof(*verdict));
        *verdict = (struct verdict){.key = memory_string(text)};
        if (!tsearch(verdict, &compile->contexts, compare))
                memory_exhausted();
        judge(compile, verdict, context, service);
        return verdict;
}

static void keep_place(struct compile_place *place, struct position position)
{
        if (place->file)
                return;
        *place = (struct compile_place){.file = memory_string(position.file),
                .line = position.line,
                .text = memory_string(position.text),
                .offset = position.offset};
}

void compile_rule_context(struct compile *compile, const char *context, const char *service, struct position position)
{
        const struct index_header *header = &compile->header;
        const struct verdict *verdict;

        if (!context && !are_applied(compile))
                return;
        if (context && strlen(context) > INDEX_CONTEXT_MAX) {
                diagnose(position, NULL, "a context longer than %d bytes", INDEX_CONTEXT_MAX);
                return;
        }
        verdict = find_verdict(compile, context, service);
        if (verdict->complaint) {
                diagnose(position, verdict->hint, "%s", verdict->complaint);
                return;
        }
        if (!context)
                return;
        if (identity_context_needs_categories(context))
                keep_place(&compile->with_mcs, position);
        /* Beside %mcs too: with c1 behind it, the pair c2,c3 reads what belongs to the pair c1,c2. */
        if (context_text_has_category(context, header->category_first, header->category_last))
                keep_place(&compile->with_categories, position);
        if (!are_applied(compile))
                compile->header.contexts_unused++;
}

static void warn_of(const struct compile *compile, struct position position)
{
        diagnose_warning(position, "keep some for yourself: MCSCategories= in sandboxd.conf",
                "these categories may also be given to an identity: %s:%u has %%mcs", compile->with_mcs.file,
                compile->with_mcs.line);
}

void compile_check_categories(const struct compile *compile)
{
        const struct compile_place *place = &compile->with_categories;
        const struct index_header *header = &compile->header;
        const struct builder *builder = &compile->builder;
        const struct index_service *services = builder->services.items;

        if (!compile->with_mcs.file)
                return;
        if (place->file)
                warn_of(compile, (struct position){place->file, place->line, place->text, place->offset});
        for (size_t i = 0; i < builder->services.count; i++)
                if (services[i].context && context_text_has_category(builder_text(builder, services[i].context),
                                                   header->category_first, header->category_last))
                        warn_of(compile, (struct position){.file = builder_text(builder, services[i].source)});
}

static void forget(void *verdict)
{
        free(((struct verdict *)verdict)->key);
        free(((struct verdict *)verdict)->complaint);
        free(verdict);
}

void compile_forget_contexts(struct compile *compile)
{
        struct compile_place *places[] = {&compile->with_mcs, &compile->with_categories};

        tdestroy(compile->contexts, forget);
        compile->contexts = NULL;
        for (size_t i = 0; i < 2; i++) {
                free(places[i]->file);
                free(places[i]->text);
                *places[i] = (struct compile_place){0};
        }
}
