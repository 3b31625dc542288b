/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxctl/rule-text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/network.h"

/* One of the words that mean something by themselves, in any column, or nearly one: the compiler warns of those. */
static bool is_keyword(const char *text)
{
        static const char *const keywords[] = {"any", "all", "*", "anonymous", "deny", "dynamic", "allow-system"};

        for (size_t i = 0; i < ELEMENTS(keywords); i++)
                if (strcasecmp(text, keywords[i]) == 0)
                        return true;
        return false;
}

/* What the compiler takes for a pattern, or a list or group of another table's, and warns of, unless in quotes. */
static bool is_like_pattern(const char *text)
{
        return strchr("^+", *text) || strpbrk(text, "*|([,") || strstr(text, ".+");
}

const char *rule_word(const char *text, char word[RULE_WORD_SIZE])
{
        bool quoted = !*text || strchr("@%#", *text) || strpbrk(text, " \t\"'\\=") || is_keyword(text) ||
                      is_like_pattern(text);
        size_t n = 0;

        if (quoted)
                word[n++] = '"';
        for (; *text && n + 4 <= RULE_WORD_SIZE; text++) {
                if (*text == '"' || *text == '\\')
                        word[n++] = '\\';
                word[n++] = *text;
        }
        if (quoted)
                word[n++] = '"';
        word[n] = '\0';
        return word;
}

__attribute__((format(printf, 2, 3))) static void add(char column[RULE_COLUMN_SIZE], const char *format, ...)
{
        size_t length = strlen(column);
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(column + length, RULE_COLUMN_SIZE - length, format, arguments);
        va_end(arguments);
}

static void add_word(char column[RULE_COLUMN_SIZE], const char *prefix, const char *text)
{
        char word[RULE_WORD_SIZE];

        add(column, "%s%s", prefix, rule_word(text, word));
}

static void add_user(char column[RULE_COLUMN_SIZE], const struct map_rule *rule)
{
        switch (rule->user_match) {
        case MAP_USER_ANONYMOUS:
                add(column, "anonymous");
                break;
        case MAP_USER_EXACT:
                add_word(column, "", rule->user);
                break;
        case MAP_USER_GROUP:
                add_word(column, "@", rule->user);
                break;
        default:
                add(column, "any");
        }
}

static void add_host(char column[RULE_COLUMN_SIZE], const struct map_rule *rule)
{
        if (rule->host_match == MAP_HOST_ANY)
                add(column, "any");
        else if (rule->host_match == MAP_HOST_SUFFIX)
                add(column, "*%s", rule->host);
        else
                add(column, is_keyword(rule->host) ? "\"%s\"" : "%s", rule->host);
}

static void add_conditions(char column[RULE_COLUMN_SIZE], const struct map_rule *rule)
{
        for (size_t i = 0; i < rule->n_conditions; i++) {
                const struct map_condition *condition = &rule->conditions[i];

                add(column, "%s%s=", i > 0 ? " " : "", condition->name);
                if (condition->value)
                        add_word(column, "", condition->value);
                else
                        add(column, "*");
        }
}

static void add_identity(char column[RULE_COLUMN_SIZE], const struct map_rule *rule)
{
        if (rule->action == MAP_DENY)
                add(column, "deny");
        else if (rule->action == MAP_BECOME_USER)
                add(column, "%%user");
        else if (rule->action == MAP_BECOME_DYNAMIC)
                add(column, "dynamic");
        else if (rule->account)
                add_word(column, "", rule->account);
        else {
                add(column, "%u:%u", rule->uid, rule->gid);
                for (size_t i = 0; i < rule->n_groups; i++)
                        add(column, "%c%u", i > 0 ? ',' : ':', rule->groups[i]);
        }
}

/* The longest unit that needs no fraction. */
static void add_time(char column[RULE_COLUMN_SIZE], const char *option, uint64_t usec)
{
        if (usec % 1000000 == 0)
                add(column, "%s%" PRIu64 "s", option, usec / 1000000);
        else if (usec % 1000 == 0)
                add(column, "%s%" PRIu64 "ms", option, usec / 1000);
        else
                add(column, "%s%" PRIu64 "us", option, usec);
}

static void add_options(char column[RULE_COLUMN_SIZE], const struct map_rule *rule)
{
        if (rule->max_connections > 0)
                add(column, " MaxConnections=%u", rule->max_connections);
        if (rule->runtime_max > 0)
                add_time(column, " RuntimeMaxSec=", rule->runtime_max);
        if (rule->flags & MAP_NICE)
                add(column, " Nice=%d", rule->nice);
        if (rule->flags & MAP_ALLOW_SYSTEM)
                add(column, " allow-system");
        memmove(column, column + (column[0] == ' '), strlen(column + (column[0] == ' ')) + 1);
}

void rule_text(const struct map_rule *rule, struct rule_text *ret_text)
{
        char network[NETWORK_TEXT_SIZE];

        for (size_t i = 0; i < RULE_COLUMNS; i++)
                ret_text->columns[i][0] = '\0';
        if (rule->service)
                add_word(ret_text->columns[RULE_SERVICE], "", rule->service);
        else
                add(ret_text->columns[RULE_SERVICE], "any");
        add_user(ret_text->columns[RULE_USER], rule);
        add(ret_text->columns[RULE_ADDRESS], "%s", network_text(&rule->network, network));
        add_host(ret_text->columns[RULE_HOST], rule);
        add_conditions(ret_text->columns[RULE_VARIABLES], rule);
        add_identity(ret_text->columns[RULE_IDENTITY], rule);
        add(ret_text->columns[RULE_CONTEXT], "%s", rule->context ? rule->context : "");
        add_options(ret_text->columns[RULE_OPTIONS], rule);
}

const char *rule_line(const struct map_rule *rule, char line[RULE_LINE_SIZE])
{
        static struct rule_text text;
        size_t length = 0;

        rule_text(rule, &text);
        for (size_t i = 0; i < RULE_COLUMNS; i++)
                if (text.columns[i][0])
                        length += (size_t)snprintf(
                                line + length, RULE_LINE_SIZE - length, "%s%s", i > 0 ? " " : "", text.columns[i]);
        return line;
}
