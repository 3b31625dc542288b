/* SPDX-License-Identifier: Apache-2.0 */
#include "common/decision.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static enum decision_state refuse(struct decision *decision, enum wire_outcome outcome, const char *reason)
{
        decision->outcome = outcome;
        snprintf(decision->reason, sizeof(decision->reason), "%s", reason);
        return DECISION_REFUSED;
}

static enum decision_state refuse_name(struct decision *decision, const char *reason)
{
        char text[sizeof(decision->reason)];

        if (!decision->query.user[0])
                return refuse(decision, WIRE_NO_RULE, "nobody is logged in, and the identity rule needs a user");
        snprintf(text, sizeof(text), "the user's name cannot be an account's: %s", reason);
        return refuse(decision, WIRE_NO_RULE, text);
}

static enum decision_state ask_about_user(
        const struct decision *decision, enum question_kind kind, struct question *ret_question)
{
        question_init(ret_question, kind, 0);
        snprintf(ret_question->name, sizeof(ret_question->name), "%s", decision->query.user);
        return DECISION_ASKS;
}

static enum decision_state match(struct decision *decision, struct question *ret_question)
{
        struct map_query *query = &decision->query;
        int r;

        query->groups = decision->account.groups;
        query->n_groups = decision->account.n_groups;
        query->groups_known = decision->account_known;
        r = map_match(decision->map, query, &decision->rule);
        decision->has_rule = r == MAP_MATCHED;
        /* A name that is not fit to be looked up could belong to somebody whom a group's rule denies. */
        if (r == MAP_NEEDS_GROUPS && identity_name_refusal(query->user))
                return refuse_name(decision, identity_name_refusal(query->user));
        if (r == MAP_NEEDS_GROUPS)
                return ask_about_user(decision, QUESTION_ACCOUNT, ret_question);
        if (r == MAP_NO_MATCH)
                return refuse(decision, WIRE_NO_RULE, "no identity rule matches");
        if (r != MAP_MATCHED)
                return refuse(decision, WIRE_FAILED, "the identity map is damaged");
        return decision->rule.action == MAP_DENY ? refuse(decision, WIRE_NO_RULE, "the identity rule says deny")
                                                 : DECISION_MADE;
}

static enum decision_state become_rule(struct decision *decision)
{
        const struct map_rule *rule = &decision->rule;
        struct identity *identity = &decision->identity;

        identity->uid = rule->uid;
        identity->gid = rule->gid;
        identity->n_groups = rule->n_groups;
        memcpy(identity->groups, rule->groups, sizeof(identity->groups));
        if (rule->flags & MAP_NO_SHELL)
                decision->flags |= IDENTITY_NO_SHELL;
        return DECISION_MADE;
}

static enum decision_state become_user(struct decision *decision, struct question *ret_question)
{
        const struct answer *account = &decision->account;
        struct identity *identity = &decision->identity;

        if (!decision->account_known)
                return ask_about_user(decision, QUESTION_ACCOUNT, ret_question);
        if (account->status != ANSWER_FOUND)
                return refuse(decision, WIRE_NO_RULE, "there is no account of the user's name");
        identity->uid = account->uid;
        identity->gid = account->gid;
        for (uint32_t i = 0; i < account->n_groups; i++) {
                if (account->groups[i] == account->gid)
                        continue;
                if (identity->n_groups == INDEX_GROUPS_MAX)
                        return refuse(decision, WIRE_NO_RULE, "the user's account is in too many groups");
                identity->groups[identity->n_groups++] = account->groups[i];
        }
        if (!account->has_shell)
                decision->flags |= IDENTITY_NO_SHELL;
        return DECISION_MADE;
}

static enum decision_state become_dynamic(struct decision *decision, struct question *ret_question)
{
        const struct index_header *header = decision->index->header;

        if (decision->allotted == 0) {
                ask_about_user(decision, QUESTION_UID, ret_question);
                ret_question->first = header->dynamic_first;
                ret_question->last = header->dynamic_last;
                return DECISION_ASKS;
        }
        decision->identity.uid = decision->identity.gid = decision->allotted;
        decision->flags |= IDENTITY_DYNAMIC;
        return DECISION_MADE;
}

static enum decision_state become(struct decision *decision, struct question *ret_question)
{
        const char *reason;

        decision->identity = (struct identity){0};
        decision->flags = decision->rule.flags & MAP_ALLOW_SYSTEM ? IDENTITY_ALLOW_SYSTEM : 0;
        if (decision->rule.action == MAP_BECOME)
                return become_rule(decision);
        reason = identity_name_refusal(decision->query.user);
        if (reason)
                return refuse_name(decision, reason);
        return decision->rule.action == MAP_BECOME_USER ? become_user(decision, ret_question)
                                                        : become_dynamic(decision, ret_question);
}

/* The one place where an identity is refused whatever the map says: identity_refusal(). */
static enum decision_state judge(struct decision *decision)
{
        const char *reason = identity_refusal(decision->index->header, &decision->identity, decision->flags,
                decision->reserved, decision->n_reserved);

        return reason ? refuse(decision, WIRE_NO_RULE, reason) : DECISION_MADE;
}

static enum decision_state ask_for_categories(const struct decision *decision, struct question *ret_question)
{
        question_init(ret_question, QUESTION_CATEGORIES, 0);
        ret_question->uid = decision->identity.uid;
        ret_question->first = decision->index->header->category_first;
        ret_question->last = decision->index->header->category_last;
        return DECISION_ASKS;
}

static enum decision_state label(struct decision *decision, struct question *ret_question)
{
        const struct index_header *header = decision->index->header;
        const char *context = decision->rule.context, *base = index_text(decision->index, decision->service->context);
        const uint32_t *categories = decision->categories;

        if (!index_applies_contexts(decision->index))
                return DECISION_MADE;
        if (context && identity_context_needs_categories(context)) {
                if (categories[1] == 0)
                        return ask_for_categories(decision, ret_question);
                if (categories[0] < header->category_first || categories[0] >= categories[1] ||
                        categories[1] > header->category_last)
                        return refuse(decision, WIRE_FAILED,
                                "the categories that were allotted to the identity are no pair of MCSCategories=");
        }
        if (identity_context(context, base, categories[0], categories[1], decision->identity.context) < 0 ||
                !decision->identity.context[0])
                return refuse(decision, WIRE_FAILED, "neither the identity rule nor the service gives a whole context");
        return DECISION_MADE;
}

enum decision_state decision_next(struct decision *decision, struct question *ret_question)
{
        enum decision_state state;

        if (decision->reason[0]) /* an answer that says no */
                return DECISION_REFUSED;
        state = match(decision, ret_question);
        if (state == DECISION_MADE)
                state = become(decision, ret_question);
        if (state == DECISION_MADE)
                state = judge(decision);
        if (state == DECISION_MADE)
                state = label(decision, ret_question);
        return state;
}

void decision_tell(struct decision *decision, enum question_kind kind, const struct answer *answer)
{
        if (answer->status == ANSWER_UNAVAILABLE || answer->status == ANSWER_EXHAUSTED) {
                refuse(decision, answer->status == ANSWER_EXHAUSTED ? WIRE_FAILED : WIRE_BUSY,
                        answer->detail[0] ? answer->detail : "what was asked about the identity has no answer");
                return;
        }
        switch (kind) {
        case QUESTION_ACCOUNT:
                decision->account = *answer;
                decision->account_known = true;
                break;
        case QUESTION_UID:
                decision->allotted = answer->uid;
                break;
        default:
                decision->categories[0] = answer->first;
                decision->categories[1] = answer->second;
                break;
        }
        if ((kind == QUESTION_UID && answer->uid == 0) || (kind == QUESTION_CATEGORIES && answer->second == 0))
                refuse(decision, WIRE_FAILED, "nothing was allotted to the identity");
}
