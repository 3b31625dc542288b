/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxctl/identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "names/account.h"
#include "sandboxctl/allotted.h"

enum { MISSING = 1 };

static const char *value_of(const struct map_query *query, const char *name)
{
        for (size_t i = 0; i < query->n_variables; i++)
                if (strcmp(query->variables[i].name, name) == 0)
                        return query->variables[i].value;
        return "";
}

static bool is_among(const char *name, const char *const *names, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(names[i], name) == 0)
                        return true;
        return false;
}

/* As the broker does: the names that the map asks for, and what the request has for them. */
static int take_variables(struct inquiry *inquiry, struct map *map, const struct map_query *query)
{
        const char *names[MAP_VARIABLES_MAX];
        int n = query->variables_unknown ? 0 : map_variables(map, query->service, names);

        if (n < 0) {
                fputs("sandboxctl: the compiled map contradicts itself: this is a bug\n", stderr);
                return -EBADMSG;
        }
        for (int i = 0; i < n; i++)
                inquiry->variables[i] = (struct map_condition){names[i], value_of(query, names[i])};
        for (size_t i = 0; i < query->n_variables; i++)
                if (!is_among(query->variables[i].name, names, (size_t)n))
                        fprintf(stderr, "sandboxctl: note: no rule for service %s asks for the variable %s\n",
                                query->service, query->variables[i].name);
        inquiry->decision.query.variables = inquiry->variables;
        inquiry->decision.query.n_variables = (size_t)n;
        return 0;
}

int inquiry_init(struct inquiry *inquiry, struct configuration *configuration, const struct map_query *query)
{
        const struct index_service *service = control_find_service(&configuration->index, query->service);

        if (!service)
                return -ENOENT;
        *inquiry = (struct inquiry){
                .decision =
                        {
                                .index = &configuration->index,
                                .service = service,
                                .map = &configuration->map,
                                .query = *query,
                                .reserved = configuration->accounts.ids,
                                .n_reserved = ACCOUNT_IDS,
                        },
        };
        return take_variables(inquiry, &configuration->map, query);
}

static int ask_name_service(const char *name, struct answer *answer)
{
        account_look_up(name, answer);
        if (answer->status != ANSWER_UNAVAILABLE)
                return 0;
        fprintf(stderr, "sandboxctl: the account and groups of %s: %s\n", name, answer->detail);
        return -EAGAIN;
}

static int answer_question(
        struct inquiry *inquiry, const struct options *options, const struct question *question, struct answer *answer)
{
        int r;

        answer_init(answer, ANSWER_FOUND, 1);
        switch (question->kind) {
        case QUESTION_ACCOUNT:
                return ask_name_service(question->name, answer);
        case QUESTION_UID:
                r = allotted_uid(options, question->name, &answer->uid);
                inquiry->uid_missing = r == ALLOTTED_NONE;
                return r == ALLOTTED_NONE ? MISSING : r;
        default:
                r = allotted_categories(options, question->uid, &answer->first, &answer->second);
                inquiry->categories_missing = r == ALLOTTED_NONE;
                return r == ALLOTTED_NONE ? MISSING : r;
        }
}

int inquiry_decide(struct inquiry *inquiry, const struct options *options)
{
        struct question question;
        struct answer answer;

        while (decision_next(&inquiry->decision, &question) == DECISION_ASKS) {
                int r = answer_question(inquiry, options, &question, &answer);

                if (r != 0)
                        return r == MISSING ? 0 : r;
                decision_tell(&inquiry->decision, question.kind, &answer);
        }
        return 0;
}

int inquiry_find_groups(struct inquiry *inquiry)
{
        struct decision *decision = &inquiry->decision;
        struct map_query *query = &decision->query;

        if (query->groups_known)
                return 0;
        /* A name that no account can have is in no group. */
        if (!decision->account_known && !identity_name_refusal(query->user)) {
                struct answer answer;
                int r;

                answer_init(&answer, ANSWER_FOUND, 1);
                r = ask_name_service(query->user, &answer);
                if (r < 0)
                        return r;
                decision_tell(decision, QUESTION_ACCOUNT, &answer);
        }
        query->groups = decision->account.groups;
        query->n_groups = decision->account.n_groups;
        query->groups_known = true;
        return 0;
}

void inquiry_print_request(const struct inquiry *inquiry)
{
        const struct map_query *query = &inquiry->decision.query;

        printf("request: service %s, user %s, address %s, host %s\n", query->service,
                query->user[0] ? query->user : "(nobody logged in)", query->address[0] ? query->address : "(unknown)",
                query->host[0] ? query->host : "(none)");
        for (size_t i = 0; i < query->n_variables; i++)
                printf("  %-22s %s\n", query->variables[i].name,
                        query->variables[i].value[0] ? query->variables[i].value : "(none)");
        if (query->variables_unknown)
                puts("  the variables are unknown: the front end was not trusted with them");
}

/* Where it is not applied, the decision leaves it out: it is shown all the same, as far as it can be known. */
static void print_context(const struct inquiry *inquiry)
{
        const struct decision *decision = &inquiry->decision;
        const char *own = decision->rule.context, *base = index_text(decision->index, decision->service->context);
        const char *context = decision->identity.context;
        char completed[INDEX_CONTEXT_MAX + 1];

        if (!context[0] && !identity_context_needs_categories(own) && !identity_context_needs_categories(base) &&
                identity_context(own, base, 0, 0, completed) == 0)
                context = completed;
        if (!context[0])
                context = own ? own : base;
        if (!context)
                return;
        printf("context: %s", context);
        if (!index_applies_contexts(decision->index))
                fputs(" (not applied: no SELinux in this kernel, or off)", stdout);
        else if (inquiry->uid_missing || inquiry->categories_missing)
                fputs(" (as the configuration has it, until all is allotted)", stdout);
        putchar('\n');
}

void inquiry_print_identity(const struct inquiry *inquiry)
{
        const struct decision *decision = &inquiry->decision;
        const struct identity *identity = &decision->identity;
        const char *account = decision->rule.action == MAP_BECOME ? decision->rule.account : NULL;

        if (decision->reason[0]) {
                printf("refused: %u: %s\n", wire_status(decision->outcome), decision->reason);
                return;
        }
        if (inquiry->uid_missing) {
                printf("identity: would be allotted: a uid from %u to %u, and the gid of the same number\n",
                        decision->index->header->dynamic_first, decision->index->header->dynamic_last);
        } else {
                printf("identity: uid %u, gid %u, groups", identity->uid, identity->gid);
                for (size_t i = 0; i < identity->n_groups; i++)
                        printf(" %u", identity->groups[i]);
                printf("%s%s%s%s\n", identity->n_groups > 0 ? "" : " none", account ? " (account " : "",
                        account ? account : "", account ? ")" : "");
        }
        if (inquiry->categories_missing)
                puts("categories: would be allotted");
        print_context(inquiry);
        if (decision->service->label)
                printf("label: %s; front end and bridge need service { start } on it\n",
                        index_text(decision->index, decision->service->label));
}

void inquiry_print_limits(const struct inquiry *inquiry)
{
        const struct index_service *service = inquiry->decision.service;
        const struct map_rule *rule = &inquiry->decision.rule;
        bool own_nice = rule->flags & MAP_NICE, own_deadline = rule->runtime_max > 0;
        uint64_t deadline = own_deadline ? rule->runtime_max : service->runtime_max;

        printf("  %-22s %.3f s%s\n", "deadline", (double)deadline / 1e6, own_deadline ? ", by the rule" : "");
        if (rule->max_connections > 0)
                printf("  %-22s %u, by the rule\n", "of one identity at once", rule->max_connections);
        if (own_nice || service->nice != 0)
                printf("  %-22s %d%s\n", "nice", own_nice ? rule->nice : service->nice,
                        own_nice ? ", by the rule" : "");
}
