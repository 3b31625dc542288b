/* SPDX-License-Identifier: Apache-2.0 */
/* links: compiler/line.c compiler/map.c compiler/value.c compiler/builder.c compiler/diagnostics.c */
/* links: compiler/context.c sandboxd/identity.c sandboxd/front.c common/door.c */
/* libs: -lselinux */

/* Any bytes as an identity map, beside two services. */

#include <ctype.h>

#include "tests/fuzz/configuration.h"

static void examine(const struct index *index)
{
        const struct index_rule *rules = index_rules(index);

        for (size_t i = 0; i < index->header->rules.count; i++) {
                const struct index_rule *rule = &rules[i];
                const char *host = index_text(index, rule->host);

                check(rule->action == INDEX_BECOME || rule->action == INDEX_DENY);
                check(rule->action == INDEX_BECOME || (!rule->context && !rule->uid && !rule->gid));
                check(rule->line > 0 && (i == 0 || rule->line > rules[i - 1].line));
                check(rule->user_match <= INDEX_ANONYMOUS && rule->host_match != INDEX_ANONYMOUS);
                if (rule->user_match == INDEX_EXACT)
                        check(index_text(index, rule->user)[0] != '\0');
                if (rule->host_match != INDEX_ANY)
                        for (const char *c = host; *c; c++)
                                check(!isupper((unsigned char)*c) && *c != '*');
                if (rule->host_match == INDEX_SUFFIX)
                        check(host[0] == '.' && host[1] != '\0');
                if (rule->service)
                        check(strcmp(index_text(index, rule->service), "wiki") == 0 ||
                                strcmp(index_text(index, rule->service), "cgi") == 0);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const unsigned before = diagnose_errors();
        struct index_service service;
        struct compile compile;

        start(&compile);
        service = sample_service(&compile.builder, "wiki");
        list_append(&compile.builder.services, &service, sizeof(service));
        service = sample_service(&compile.builder, "cgi");
        list_append(&compile.builder.services, &service, sizeof(service));
        source.path = "/etc/sandboxd/maps/10.map";
        source.data = data;
        source.size = size;
        compile_maps(&compile);
        finish(&compile, diagnose_errors() - before, examine);
        return 0;
}
