/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandboxctl/identity.h"
#include "sandboxctl/logged.h"
#include "sandboxctl/reasons.h"
#include "sandboxctl/rule-text.h"

/*
 * Why a rule decides: the rules are read one after the other, as a reader of the file would, and the result is held
 * against the look-up that the broker makes. If they disagreed, that would be a bug in one of them.
 */

enum { SHOWN_MAX = 50 }; /* rules that do not match, without --all */

struct walk {
        struct inquiry *inquiry;
        bool all;
        unsigned n_shown, n_left_out;
        bool undecided; /* by a rule for a group, because of the user's name */
        bool found;
        uint32_t number; /* of the rule that was found */
};

static void print_rule(const struct walk *walk, const struct map_rule *rule, enum map_column column)
{
        static char line[RULE_LINE_SIZE];

        printf("%s:%u: %s\n", rule->source, rule->line, rule_line(rule, line));
        reason_print(stdout, rule, &walk->inquiry->decision.query, column);
}

static void print_left_out(const struct walk *walk)
{
        if (walk->n_left_out > 0)
                printf("… and %u more rules that do not match: --all shows them\n", walk->n_left_out);
}

/* Whether the rule would decide if only it were known whether the user is in the group, and that cannot be asked. */
static bool is_undecided(const struct map_query *query, const struct map_rule *rule)
{
        struct map_rule rest = *rule;

        if (rule->user_match != MAP_USER_GROUP || !query->user[0] || !identity_name_refusal(query->user))
                return false;
        rest.user_match = MAP_USER_ANY;
        rest.user = NULL;
        return map_mismatch(&rest, query) == MAP_COLUMNS;
}

static int visit(void *context, const struct map_rule *rule)
{
        struct walk *walk = context;
        const struct map_query *query = &walk->inquiry->decision.query;
        enum map_column column;
        int r = rule->user_match == MAP_USER_GROUP ? inquiry_find_groups(walk->inquiry) : 0;

        if (r < 0)
                return r;
        if (is_undecided(query, rule)) {
                static char line[RULE_LINE_SIZE];

                print_left_out(walk);
                printf("%s:%u: %s\n  perhaps: USER: the groups of such a name cannot be asked for: %s\n", rule->source,
                        rule->line, rule_line(rule, line), identity_name_refusal(query->user));
                walk->undecided = true;
                return 1;
        }
        column = map_mismatch(rule, query);
        if (column == MAP_COLUMNS) {
                print_left_out(walk);
                print_rule(walk, rule, column);
                walk->found = true;
                walk->number = rule->number;
                return 1;
        }
        if (!walk->all && walk->n_shown == SHOWN_MAX) {
                walk->n_left_out++;
                return 0;
        }
        walk->n_shown++;
        print_rule(walk, rule, column);
        return 0;
}

/* Returns whether both ways have come to the same rule. */
static bool agree(const struct walk *walk, const struct decision *decision)
{
        if (walk->found == decision->has_rule && (!walk->found || walk->number == decision->rule.number))
                return true;
        fflush(stdout);
        fputs("sandboxctl: BUG: the broker's look-up decides otherwise than the rules read one by one: by ", stderr);
        if (decision->has_rule)
                fprintf(stderr, "%s:%u", decision->rule.source, decision->rule.line);
        else
                fputs("no rule", stderr);
        fputs(". Trust neither, and report it.\n", stderr);
        return false;
}

static int explain(const struct options *options, struct configuration *configuration, struct inquiry *inquiry)
{
        const struct decision *decision = &inquiry->decision;
        struct walk walk = {.inquiry = inquiry, .all = options->all};

        if (inquiry_decide(inquiry, options) < 0)
                return EXIT_FAILURE;
        inquiry_print_request(inquiry);
        if (map_each(&configuration->map, visit, &walk) < 0)
                return EXIT_FAILURE;
        if (!walk.found && !walk.undecided)
                print_left_out(&walk);
        if (!agree(&walk, decision))
                return CONTROL_CONTRADICTION;
        if (decision->has_rule)
                printf("decision: %s:%u\n", decision->rule.source, decision->rule.line);
        else
                puts(walk.undecided ? "decision: none" : "decision: no rule matches");
        inquiry_print_identity(inquiry);
        if (!decision->reason[0]) {
                puts("limits of a request:");
                inquiry_print_limits(inquiry);
        }
        return EXIT_SUCCESS;
}

int control_map_explain(const struct options *options)
{
        static struct inquiry inquiry;
        static struct logged logged;
        struct configuration configuration;
        struct map_query query;
        int status = EXIT_FAILURE;

        if (!options->request == !options->service) {
                fputs("sandboxctl: map explain needs either --service= or --request=\n", stderr);
                return CONTROL_USAGE;
        }
        if (options->request && logged_find(options, &logged) < 0)
                return EXIT_FAILURE;
        if (control_load(options, &configuration) != 0)
                return EXIT_FAILURE;
        if (options->request)
                logged_query(&logged, &query);
        else
                options_query(options, &query);
        if (inquiry_init(&inquiry, &configuration, &query) == 0)
                status = explain(options, &configuration, &inquiry);
        if (status == EXIT_SUCCESS && options->request)
                logged_compare(&logged, &inquiry);
        control_unload(&configuration);
        return status;
}
