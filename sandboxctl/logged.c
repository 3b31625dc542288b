/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxctl/logged.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

static int copy(char *field, size_t size, const char *text, size_t length)
{
        if (length >= size)
                return -EBADMSG;
        memcpy(field, text, length);
        field[length] = '\0';
        return 0;
}

static int add_variable(struct logged *logged, const char *text, size_t length)
{
        char *variable, *equals;

        if (logged->n_variables == MAP_VARIABLES_MAX)
                return -EBADMSG;
        variable = logged->variables[logged->n_variables];
        if (copy(variable, LOGGED_VARIABLE_SIZE, text, length) < 0)
                return -EBADMSG;
        equals = strchr(variable, '=');
        if (!equals || equals == variable)
                return -EBADMSG;
        *equals = '\0';
        logged->conditions[logged->n_variables++] = (struct map_condition){variable, equals + 1};
        return 0;
}

enum field { OUTCOME, USER, ADDRESS, HOST, IDENTITY, NEEDED, RULE = NEEDED, VARIABLE, VARIABLES, FIELDS };

static int take_field(struct logged *logged, enum field field, const char *text, size_t length)
{
        switch (field) {
        case OUTCOME:
                return copy(logged->outcome, sizeof(logged->outcome), text, length);
        case USER:
                return copy(logged->user, sizeof(logged->user), text, length);
        case ADDRESS:
                return copy(logged->address, sizeof(logged->address), text, length);
        case HOST:
                return copy(logged->host, sizeof(logged->host), text, length);
        case IDENTITY:
                return copy(logged->identity, sizeof(logged->identity), text, length);
        case RULE:
                return copy(logged->rule, sizeof(logged->rule), text, length);
        case VARIABLE:
                return add_variable(logged, text, length);
        case VARIABLES:
                logged->variables_unknown = length == strlen("unknown") && strncmp(text, "unknown", length) == 0;
                return 0;
        default:
                return -EBADMSG;
        }
}

/* Which field a word "name=…" is, and how long its name is with the "=". */
static enum field find_field(const char *word, size_t *ret_length)
{
        static const char *const names[FIELDS] = {
                [OUTCOME] = "outcome=",
                [USER] = "user=",
                [ADDRESS] = "address=",
                [HOST] = "host=",
                [IDENTITY] = "identity=",
                [RULE] = "rule=",
                [VARIABLE] = "variable=",
                [VARIABLES] = "variables=",
        };

        for (enum field i = 0; i < FIELDS; i++)
                if (strncmp(word, names[i], strlen(names[i])) == 0) {
                        *ret_length = strlen(names[i]);
                        return i;
                }
        *ret_length = strcspn(word, "= ");
        *ret_length += word[*ret_length] == '=';
        return FIELDS;
}

/* What is chosen elsewhere is always in quotes. */
static bool needs_quotes(enum field field)
{
        return field == USER || field == ADDRESS || field == HOST || field == VARIABLE;
}

/* Takes the field that *line begins with, and the blanks behind it. `seen` has a bit for each that has come. */
static int parse_field(const char **line, struct logged *logged, unsigned *seen)
{
        size_t length;
        enum field field = find_field(*line, &length);
        const char *text = *line + length;
        bool quoted = *text == '"';

        text += quoted;
        length = strcspn(text, quoted ? "\"" : " ");
        *line = text + length;
        if (quoted) {
                if (**line != '"' || !strchr(" ", (*line)[1])) /* or its NUL */
                        return -EBADMSG;
                (*line)++;
        }
        *line += strspn(*line, " ");
        if (field == FIELDS)
                return 0;
        if ((needs_quotes(field) && !quoted) || (field != VARIABLE && *seen & 1U << field))
                return -EBADMSG;
        *seen |= 1U << field;
        if (memchr(text, '?', length))
                logged->altered = true;
        return take_field(logged, field, text, length);
}

int logged_parse(const char *line, struct logged *ret_logged)
{
        const unsigned needed = (1U << NEEDED) - 1;
        unsigned seen = 0;

        if (strncmp(line, "outcome=", strlen("outcome=")) != 0)
                return -EBADMSG;
        /* What the reason says is free text. */
        while (*line && strncmp(line, "reason=", strlen("reason=")) != 0)
                if (parse_field(&line, ret_logged, &seen) < 0)
                        return -EBADMSG;
        return (seen & needed) == needed ? 0 : -EBADMSG;
}

void logged_query(const struct logged *logged, struct map_query *ret_query)
{
        *ret_query = (struct map_query){
                .service = logged->service,
                .user = logged->user,
                .address = logged->address,
                .host = logged->host,
                .variables = logged->conditions,
                .n_variables = logged->n_variables,
                .variables_unknown = logged->variables_unknown,
        };
}

static bool has_identity(const struct logged *logged)
{
        return strcmp(logged->identity, "-") != 0;
}

void logged_compare(const struct logged *logged, const struct inquiry *inquiry)
{
        const struct decision *decision = &inquiry->decision;
        bool refused = strcmp(logged->outcome, wire_outcome_name(WIRE_NO_RULE)) == 0, same;
        char identity[32];

        printf("then: outcome %s, rule %s, identity %s\n", logged->outcome, logged->rule[0] ? logged->rule : "-",
                logged->identity);
        if (logged->altered)
                puts("note: a '?' in the log may stand for a quote or a control character");
        if (!refused && !has_identity(logged)) {
                puts("now: nothing to compare: then, the request ended before the map had decided");
                return;
        }
        snprintf(identity, sizeof(identity), "%u:%u", decision->identity.uid, decision->identity.gid);
        if (refused || decision->reason[0])
                same = refused && decision->reason[0];
        else
                same = !inquiry->uid_missing && strcmp(identity, logged->identity) == 0;
        puts(same ? "now: the same decision" : "now: ANOTHER decision");
}
