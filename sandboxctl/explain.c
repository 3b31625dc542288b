/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxctl/sandboxctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandboxd/identity.h"

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

static void print_confinement(const struct index *index, const struct index_service *service)
{
        const char *root = index_text(index, service->root_directory);
        const char *scripts = index_text(index, service->script_directory);

        printf("confinement, from %s:\n", index_text(index, service->source));
        print_strings(index, "program", service->argv);
        if (scripts)
                printf("  %-22s %s\n", service->argv.count ? "scripts in" : "the script, in", scripts);
        printf("  %-22s %s\n", "root", root ? root : "assembled from the binds");
        print_binds(index, service);
        printf("  %-22s %s\n", "/tmp", service->flags & INDEX_PRIVATE_TMP ? "fresh for each request" : "none");
        printf("  %-22s %s\n", "network",
                service->flags & INDEX_PRIVATE_NETWORK ? "private, unconnected" : "the host's");
        printf("  %-22s %s\n", "zygotes", service->flags & INDEX_PER_IDENTITY ? "one for each identity" : "one");
        printf("  %-22s none, in any set; no new privileges\n", "capabilities");
        printf("  %-22s %u + %u + %u instructions\n", "system-call filter", service->filter_deny.count,
                service->filter_allow.count, service->filter_last.count);
        printf("  %-22s %.3f s\n", "deadline", (double)service->runtime_max / 1e6);
        printf("  %-22s %u\n", "requests at once", service->max_connections);
}

static void print_identity(
        const struct index *index, const struct index_service *service, const struct index_rule *rule)
{
        const uint32_t *groups = index_array(index, rule->groups);
        const char *account = index_text(index, rule->account);
        const char *context = index_text(index, rule->context ? rule->context : service->context);

        printf("identity: uid %u, gid %u, groups", rule->uid, rule->gid);
        for (size_t i = 0; i < rule->groups.count; i++)
                printf(" %u", groups[i]);
        printf("%s%s%s%s\n", rule->groups.count ? "" : " none", account ? " (account " : "", account ? account : "",
                account ? ")" : "");
        if (context)
                printf("context: %s%s\n", context,
                        index_applies_contexts(index) ? "" : " (not applied: no SELinux in this kernel, or off)");
        if (service->label)
                printf("label: %s; front end and bridge need service { start } on it\n",
                        index_text(index, service->label));
}

int control_explain(const struct options *options)
{
        const struct index_service *service;
        const struct index_rule *rule;
        const char *reason = NULL;
        struct accounts accounts;
        struct index index;

        if (control_load(options, &accounts, &index) < 0)
                return EXIT_FAILURE;
        service = control_find_service(&index, options->service);
        if (!service)
                return EXIT_FAILURE;
        rule = identity_match(
                &index, &(struct identity_query){options->service, options->user, options->address, options->host});
        printf("request: service %s, user %s, address %s, host %s\n", options->service,
                options->user[0] ? options->user : "(nobody logged in)",
                options->address[0] ? options->address : "(unknown)", options->host[0] ? options->host : "(none)");
        if (!rule) {
                puts("rule: none matches\nrefused: 403");
                return EXIT_SUCCESS;
        }
        printf("rule: %s:%u\n", index_text(&index, rule->source), rule->line);
        if (rule->action == INDEX_BECOME)
                reason = identity_refusal(&index, rule, accounts.ids, ACCOUNT_IDS);
        if (rule->action != INDEX_BECOME || reason) {
                printf("refused: 403: %s\n", reason ? reason : "the rule says deny");
                return EXIT_SUCCESS;
        }
        print_identity(&index, service, rule);
        print_confinement(&index, service);
        index_close(&index);
        return EXIT_SUCCESS;
}
