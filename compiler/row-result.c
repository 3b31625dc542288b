/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/identity.h"
#include "compiler/name-service.h"
#include "compiler/row.h"
#include "compiler/value.h"

static const char identity_hint[] = "write an account's name, %user, uid:gid, uid:gid:group,group, dynamic or deny";

static void read_account(struct row *row, const struct word *word)
{
        static const char *const keywords[] = {"deny", "dynamic", "%user"};
        const struct name_account *account;
        const char *nearest = word->quoted ? NULL : nearest_word(word->text, keywords, ELEMENTS(keywords));
        int r = *word->text ? name_service_account(word->text, &account) : -ENOENT;

        if (r == -ENOENT)
                diagnose(row_at(row, word), nearest ? nearest : identity_hint, "there is no account '%s'", word->text);
        else if (r == -E2BIG)
                diagnose(row_at(row, word), NULL, "account '%s' is in more than %d groups", word->text,
                        INDEX_GROUPS_MAX);
        else if (r < 0)
                diagnose(row_at(row, word), NULL, "the name service cannot be asked for the account '%s': %s",
                        word->text, strerror(-r));
        if (r < 0)
                return;
        row->rule.account = word->text;
        row->rule.uid = account->uid;
        row->rule.gid = account->gid;
        for (uint32_t i = 0; i < account->n_groups; i++)
                row->rule.groups[row->rule.n_groups++] = account->groups[i];
        if (!account->has_shell)
                row->rule.flags |= MAP_NO_SHELL;
}

static int parse_id(const char *text, uint32_t *ret_id)
{
        uint64_t id;
        int r = value_number(text, UINT32_MAX, &id);

        if (r == 0)
                *ret_id = (uint32_t)id;
        return r;
}

static bool has_group(const struct map_rule *rule, uint32_t group)
{
        for (uint32_t i = 0; i < rule->n_groups; i++)
                if (rule->groups[i] == group)
                        return true;
        return rule->gid == group;
}

/* "group,group,…", each once. Returns 0, -EINVAL or -E2BIG. */
static int parse_groups(char *list, struct map_rule *rule)
{
        char *group;

        while ((group = strsep(&list, ","))) {
                uint32_t gid = 0;

                if (parse_id(group, &gid) < 0)
                        return -EINVAL;
                if (has_group(rule, gid))
                        continue;
                if (rule->n_groups == INDEX_GROUPS_MAX)
                        return -E2BIG;
                rule->groups[rule->n_groups++] = gid;
        }
        return 0;
}

static void read_ids(struct row *row, const struct word *word)
{
        char *groups = word->text, *uid = strsep(&groups, ":"), *gid = strsep(&groups, ":");
        int r = -EINVAL;

        if (parse_id(uid, &row->rule.uid) == 0 && parse_id(gid, &row->rule.gid) == 0)
                r = groups ? parse_groups(groups, &row->rule) : 0;
        if (r == -E2BIG)
                diagnose(row_at(row, word), NULL, "more than %d groups", INDEX_GROUPS_MAX);
        else if (r < 0)
                diagnose(row_at(row, word), identity_hint, "this is neither uid:gid nor uid:gid:group,group");
}

/* What becomes of a user's name needs one that may be an account's. */
static void check_user(const struct row *row, const struct word *word)
{
        const struct map_rule *rule = &row->rule;
        const char *reason = rule->user_match == MAP_USER_EXACT ? identity_name_refusal(rule->user) : NULL;

        if (rule->user_match == MAP_USER_ANONYMOUS)
                diagnose(row_at(row, word), "give an account or uid:gid", "'%s' needs a user, and anonymous is none",
                        word->text);
        else if (reason)
                diagnose(row_at(row, word), "give an account or uid:gid",
                        "'%s' cannot be an account's name: %s, for '%s'", rule->user, reason, word->text);
}

static void read_identity(struct row *row, const struct word *word)
{
        struct map_rule *rule = &row->rule;

        if (row_is_keyword(word, "deny")) {
                rule->action = MAP_DENY;
        } else if (row_is_keyword(word, "%user")) {
                rule->action = MAP_BECOME_USER;
                check_user(row, word);
        } else if (row_is_keyword(word, "dynamic")) {
                rule->action = MAP_BECOME_DYNAMIC;
                check_user(row, word);
                if (row->compile->header.dynamic_last == 0)
                        diagnose(row_at(row, word), "DynamicUID=2000000-2099999 in sandboxd.conf",
                                "there is no range that uids could be allotted from");
        } else if (!word->quoted && strchr(word->text, ':')) {
                rule->action = MAP_BECOME;
                read_ids(row, word);
        } else {
                rule->action = MAP_BECOME;
                read_account(row, word);
        }
}

static void read_max_connections(struct row *row, const struct word *word, const char *value)
{
        uint64_t number;

        if (value_number(value, 65536, &number) < 0 || number == 0)
                diagnose(row_at(row, word), NULL, "MaxConnections=: '%s' is not a number from 1 to 65536", value);
        else
                row->rule.max_connections = (uint32_t)number;
}

static void read_runtime(struct row *row, const struct word *word, const char *value)
{
        uint64_t usec;

        if (value_timespan(value, &usec) < 0 || usec == 0 || usec > UINT64_C(86400000000))
                diagnose(row_at(row, word), "every request has a deadline",
                        "RuntimeMaxSec=: '%s' is not a time span from 1us to 1d", value);
        else
                row->rule.runtime_max = usec;
}

static void read_nice(struct row *row, const struct word *word, const char *value)
{
        uint64_t nice;

        if (value_number(value, 19, &nice) < 0) {
                diagnose(row_at(row, word), "privilege goes one way: down", "Nice=: '%s' is not a number from 0 to 19",
                        value);
                return;
        }
        row->rule.nice = (int32_t)nice;
        row->rule.flags |= MAP_NICE;
}

static void read_allow_system(struct row *row, const struct word *word, const char *value)
{
        (void)word;
        (void)value;
        row->rule.flags |= MAP_ALLOW_SYSTEM;
}

static const struct option {
        const char *name;
        const char *form; /* how it is written */
        void (*read)(struct row *row, const struct word *word, const char *value);
} options[] = {
        {"MaxConnections", "MaxConnections=N", read_max_connections},
        {"RuntimeMaxSec", "RuntimeMaxSec=TIME", read_runtime},
        {"Nice", "Nice=N", read_nice},
        {"allow-system", "allow-system", read_allow_system},
};

static const struct option *find_option(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(options); i++)
                if (strcmp(options[i].name, name) == 0)
                        return &options[i];
        return NULL;
}

bool row_is_option(const char *name)
{
        return find_option(name) != NULL;
}

static const struct option *nearest_option(const char *name)
{
        const char *names[ELEMENTS(options)], *nearest;

        for (size_t i = 0; i < ELEMENTS(options); i++)
                names[i] = options[i].name;
        nearest = nearest_word(name, names, ELEMENTS(names));
        return nearest ? find_option(nearest) : NULL;
}

/* `name` is that of the word. */
static void unknown_option(const struct row *row, const struct word *word, const char *name)
{
        const struct option *nearest = nearest_option(name);
        const char *hint = "MaxConnections=N, RuntimeMaxSec=TIME, Nice=N and allow-system";

        if (nearest)
                hint = nearest->form;
        else if (word->assigns)
                hint = "conditions on variables stand before IDENTITY";
        else if (strchr(name, ':'))
                hint = "one context stands right behind IDENTITY, before the options";
        diagnose(row_at(row, word), hint, "unknown option '%s'", name);
}

/* `seen` has a bit for each option that came already. */
static void read_option(struct row *row, const struct word *word, unsigned *seen)
{
        char *value = word->assigns ? strchr(word->text, '=') : NULL;
        const struct option *option;
        unsigned bit;

        if (value)
                *value++ = '\0';
        option = find_option(word->text);
        if (!option || (strchr(option->form, '=') != NULL) != (value != NULL) || (!value && word->quoted)) {
                unknown_option(row, word, word->text);
                return;
        }
        bit = 1U << (option - options);
        if (*seen & bit)
                diagnose(row_at(row, word), NULL, "%s is given twice", option->name);
        *seen |= bit;
        option->read(row, word, value);
}

/* Whether a word behind IDENTITY is a context, and no misspelt option: a type alone looks much the same. */
static bool is_context(const struct word *word)
{
        size_t length = strlen(word->text);
        bool is_type = length > 2 && strcmp(word->text + length - 2, "_t") == 0;

        return !word->assigns && (word->quoted || is_type || !nearest_option(word->text));
}

static unsigned refusal_flags(const struct map_rule *rule)
{
        return (rule->flags & MAP_ALLOW_SYSTEM ? IDENTITY_ALLOW_SYSTEM : 0) |
               (rule->flags & MAP_NO_SHELL ? IDENTITY_NO_SHELL : 0);
}

/* The same block of refusals that the broker applies to each request; here it can still name the line. */
static void check_identity(const struct row *row, const struct word *word)
{
        const struct compile *compile = row->compile;
        const struct map_rule *rule = &row->rule;
        struct identity identity = {.uid = rule->uid, .gid = rule->gid, .n_groups = rule->n_groups};
        unsigned flags = refusal_flags(rule);
        const char *reason;

        memcpy(identity.groups, rule->groups, sizeof(identity.groups));
        reason = identity_refusal(&compile->header, &identity, flags, compile->reserved, compile->n_reserved);
        if (!reason)
                return;
        flags |= IDENTITY_ALLOW_SYSTEM;
        diagnose(row_at(row, word),
                identity_refusal(&compile->header, &identity, flags, compile->reserved, compile->n_reserved)
                        ? "choose another identity, or take the account out of that group"
                        : "allow-system at the end of the rule lets it",
                "%u:%u cannot be an identity: %s", identity.uid, identity.gid, reason);
}

void row_read_result(struct row *row, size_t next)
{
        const struct word *identity = &row->words.word[next++], *word = &row->words.word[next], *context = NULL;
        const struct word *end = &row->words.word[row->words.count];
        unsigned before = diagnose_errors(), seen = 0;

        read_identity(row, identity);
        if (row->rule.action == MAP_DENY) {
                if (word < end)
                        diagnose(row_at(row, word), NULL, "a rule that denies has neither a context nor options");
                return;
        }
        if (word < end && is_context(word)) {
                context = word++;
                row->rule.context = context->text;
        }
        for (; word < end; word++)
                read_option(row, word, &seen);
        if (row->rule.action == MAP_BECOME && diagnose_errors() == before)
                check_identity(row, identity);
        if (row->service_known)
                compile_rule_context(
                        row->compile, row->rule.context, row->rule.service, row_at(row, context ? context : identity));
}
