/* SPDX-License-Identifier: Apache-2.0 */
/* links: compiler/map.c compiler/pace.c compiler/row-query.c compiler/row-result.c compiler/words.c */
/* links: compiler/host.c compiler/line.c */
/* links: compiler/network-hint.c compiler/context.c compiler/context-text.c compiler/rule-context.c */
/* links: compiler/value.c compiler/builder.c compiler/memory.c common/network.c common/identity.c */
/* links: common/map-record.c */
/* libs: -lselinux */

/*
 * Any bytes as an identity map, beside two services, and every other length as if with SELinux: whatever rule comes of
 * it is one that map_writer_add() takes, and that nobody could misuse.
 */

#include <ctype.h>
#include <netinet/in.h>

#include "common/identity.h"
#include "common/map-record.h"
#include "common/network.h"
#include "compiler/context-text.h"
#include "tests/fuzz/configuration.h"
#include "tests/unit/map-text-sample.h"

static struct compile compile;
static uint32_t last_line;

static void check_user(const struct map_rule *rule)
{
        check(rule->user_match <= MAP_USER_GROUP);
        check((rule->user != NULL) == (rule->user_match == MAP_USER_EXACT || rule->user_match == MAP_USER_GROUP));
        check(!rule->user || (rule->user[0] && strlen(rule->user) <= MAP_WORD_MAX));
        check(rule->group == (rule->user_match == MAP_USER_GROUP ? 50 : 0));
}

/* It is what its own text says: no bits beyond the prefix. */
static void check_network(const struct index_network *network)
{
        char text[NETWORK_TEXT_SIZE];
        struct index_network again = {0};

        check(network->family == 0 || network_parse(network_text(network, text), &again) == 0);
        check(memcmp(network, &again, sizeof(again)) == 0);
}

static void check_host(const struct map_rule *rule)
{
        const char *host = rule->host;
        size_t length = host ? strlen(host) : 0;

        check((host != NULL) == (rule->host_match != MAP_HOST_ANY));
        if (!host)
                return;
        check(length > 0 && length <= 254 && host[length - 1] != '.');
        check((host[0] == '.') == (rule->host_match == MAP_HOST_SUFFIX));
        for (; *host; host++)
                check((unsigned char)*host < 0x80 && !isupper((unsigned char)*host) && *host != '*');
}

static void check_conditions(const struct map_rule *rule)
{
        check(rule->n_conditions <= MAP_CONDITIONS_MAX);
        for (uint32_t i = 0; i < rule->n_conditions; i++) {
                const struct map_condition *condition = &rule->conditions[i];

                check(condition->name[0] && strlen(condition->name) <= MAP_VARIABLE_NAME_MAX);
                check(strcmp(condition->name, "REMOTE_USER") != 0 && strcmp(condition->name, "Nice") != 0);
                for (const char *c = condition->name; *c; c++)
                        check(isalnum((unsigned char)*c) || *c == '_');
                check(!condition->value || strlen(condition->value) <= MAP_WORD_MAX);
                check(i == 0 || strcmp(rule->conditions[i - 1].name, condition->name) < 0);
        }
}

static void check_context(const struct map_rule *rule)
{
        const char *base = rule->service && strcmp(rule->service, "wiki") == 0 ? "system_u:system_r:wiki_t:s0" : NULL;
        char completed[INDEX_CONTEXT_MAX + 1];

        check(rule->context || base || compile.header.selinux != INDEX_SELINUX_APPLY);
        if (!rule->context)
                return;
        check(identity_context(rule->context, base, 100, 101, completed) == 0);
        check(completed[0] && !strstr(completed, "%") && !context_text_has_two_levels(completed));
}

static void check_identity(const struct map_rule *rule)
{
        struct identity identity = {.uid = rule->uid, .gid = rule->gid, .n_groups = rule->n_groups};
        const unsigned flags = rule->flags & MAP_ALLOW_SYSTEM ? IDENTITY_ALLOW_SYSTEM : 0;

        check(rule->n_groups <= INDEX_GROUPS_MAX);
        memcpy(identity.groups, rule->groups, sizeof(identity.groups));
        if (rule->action == MAP_BECOME)
                check(!identity_refusal(&compile.header, &identity, flags, compile.reserved, compile.n_reserved));
        else
                check(!rule->uid && !rule->gid && !rule->n_groups && !rule->account);
        if (rule->action == MAP_BECOME_USER || rule->action == MAP_BECOME_DYNAMIC) {
                check(rule->user_match != MAP_USER_ANONYMOUS);
                check(rule->user_match != MAP_USER_EXACT || !identity_name_refusal(rule->user));
        }
}

static void check_result(const struct map_rule *rule)
{
        check(rule->action <= MAP_BECOME_DYNAMIC);
        check_identity(rule);
        check(rule->max_connections <= 65536 && rule->runtime_max <= UINT64_C(86400000000));
        check(rule->nice >= 0 && rule->nice <= 19 && (rule->nice == 0 || rule->flags & MAP_NICE));
        if (rule->action == MAP_DENY)
                check(!rule->context && !rule->flags && !rule->max_connections && !rule->runtime_max);
        else
                check_context(rule);
}

int sample_rule(const struct map_rule *rule, struct map_place *ret_shadow)
{
        check(map_record_check(rule) == 0);
        check(strcmp(rule->source, source.path) == 0 && rule->line > last_line);
        last_line = rule->line;
        check(!rule->service || strcmp(rule->service, "wiki") == 0 || strcmp(rule->service, "cgi") == 0);
        check_user(rule);
        check_network(&rule->network);
        check_host(rule);
        check_conditions(rule);
        check_result(rule);
        *ret_shadow = (struct map_place){rule->source, rule->line, rule->line % 2};
        return rule->line % 3 == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        sample_map_begin(&compile);
        compile.header.selinux = size % 2 ? INDEX_SELINUX_APPLY : INDEX_SELINUX_ABSENT;
        give("/etc/sandboxd/maps/10.map", data, size);
        last_line = 0;
        compile_maps(&compile);
        compile_check_categories(&compile);
        diagnose_end();
        sample_map_end(&compile);
        return 0;
}
