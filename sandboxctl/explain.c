/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sandboxctl/identity.h"

static void print_strings(const struct index *index, const char *name, struct index_span span)
{
        if (span.count == 0)
                return;
        printf("  %-22s", name);
        for (size_t i = 0; i < span.count; i++)
                printf(" %s", index_item(index, span, i));
        putchar('\n');
}

static void print_binds(const struct index *index, const struct index_service *service)
{
        const struct index_bind *binds = index_array(index, service->binds);

        for (size_t i = 0; i < service->binds.count; i++)
                printf("  %-22s %s%s%s\n",
                        binds[i].flags & INDEX_BIND_WRITABLE ? "writable, not executable" : "read-only",
                        index_text(index, binds[i].target), binds[i].source == binds[i].target ? "" : " ← ",
                        binds[i].source == binds[i].target ? "" : index_text(index, binds[i].source));
}

static const char *temporary(const struct index_service *service)
{
        if (service->flags & INDEX_TMP_SHARED)
                return "one for the requests of an application zygote, else fresh for each";
        return service->flags & INDEX_PRIVATE_TMP ? "fresh for each request" : "none";
}

static void print_confinement(const struct inquiry *inquiry)
{
        const struct index_service *service = inquiry->decision.service;
        const struct index *index = inquiry->decision.index;
        const char *root = index_text(index, service->root_directory);
        const char *scripts = index_text(index, service->script_directory);

        printf("confinement, from %s:\n", index_text(index, service->source));
        print_strings(index, "program", service->argv);
        if (scripts)
                printf("  %-22s %s\n", service->argv.count ? "scripts in" : "the script, in", scripts);
        printf("  %-22s %s\n", "root", root ? root : "assembled from the binds");
        print_binds(index, service);
        printf("  %-22s %s\n", "/tmp", temporary(service));
        printf("  %-22s %s\n", "network",
                service->flags & INDEX_PRIVATE_NETWORK ? "private, unconnected" : "the host's");
        printf("  %-22s %s\n", "zygotes", service->flags & INDEX_PER_IDENTITY ? "one for each identity" : "one");
        if (service->flags & INDEX_WARM)
                printf("  %-22s one for each identity that is busy, %u children ahead\n", "application zygotes",
                        service->warm_spare);
        printf("  %-22s none, in any set; no new privileges\n", "capabilities");
        printf("  %-22s %u + %u + %u instructions\n", "system-call filter", service->filter_deny.count,
                service->filter_allow.count, service->filter_last.count);
        printf("  %-22s %u\n", "requests at once", service->max_connections);
        inquiry_print_limits(inquiry);
}

int control_explain(const struct options *options)
{
        static struct inquiry inquiry;
        const struct decision *decision = &inquiry.decision;
        struct configuration configuration;
        struct map_query query;
        int r;

        if (control_load(options, &configuration) != 0)
                return EXIT_FAILURE;
        options_query(options, &query);
        r = inquiry_init(&inquiry, &configuration, &query);
        if (r == 0)
                r = inquiry_decide(&inquiry, options);
        if (r == 0) {
                inquiry_print_request(&inquiry);
                if (decision->has_rule)
                        printf("rule: %s:%u\n", decision->rule.source, decision->rule.line);
                else
                        puts("rule: none matches");
                inquiry_print_identity(&inquiry);
                if (!decision->reason[0])
                        print_confinement(&inquiry);
        }
        control_unload(&configuration);
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
