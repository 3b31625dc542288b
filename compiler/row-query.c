/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/network.h"
#include "compiler/host.h"
#include "compiler/name-service.h"
#include "compiler/network-hint.h"
#include "compiler/row.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

bool row_is_keyword(const struct word *word, const char *keyword)
{
        return !word->quoted && strcmp(word->text, keyword) == 0;
}

static bool is_any(const struct word *word)
{
        return row_is_keyword(word, "any") || row_is_keyword(word, "*");
}

struct position row_at(const struct row *row, const struct word *word)
{
        struct position position = row->position;

        position.offset = word->offset;
        return position;
}

static int compare_names(const void *name, const void *element)
{
        return strcmp(name, *(const char *const *)element);
}

static void refuse_service(const struct row *row, const struct word *word)
{
        static const char *const keywords[] = {"any"};
        const char *nearest = NULL;

        if (diagnose_is_shown())
                nearest = nearest_word(word->text, row->services, row->n_services);
        if (!nearest && !word->quoted)
                nearest = nearest_word(word->text, keywords, ELEMENTS(keywords));
        diagnose(row_at(row, word), nearest ? nearest : "services are the files in services.d/, without .service",
                "there is no service '%s'", word->text);
}

static void read_service(struct row *row)
{
        const struct word *word = &row->words.word[ROW_SERVICE];
        const char *const *found;

        row->service_known = true;
        if (is_any(word))
                return;
        found = bsearch(word->text, row->services, row->n_services, sizeof(*row->services), compare_names);
        if (found) {
                row->rule.service = *found;
                return;
        }
        row->service_known = false;
        if (!row->compile->services_refused)
                refuse_service(row, word);
}

/* People who come from httpd may expect patterns. Whoever quotes the word means what is written. */
static void warn_of_pattern(const struct row *row, const struct word *word, const char *text)
{
        static const char *const signs[] = {"*", ".+", "|", "(", "["};
        bool is_pattern = text[0] == '^';

        for (size_t i = 0; i < ELEMENTS(signs); i++)
                is_pattern = is_pattern || strstr(text, signs[i]);
        if (is_pattern && !word->quoted)
                diagnose_warning(row_at(row, word), "write a rule for each, or a @group; in quotes if it is meant so",
                        "'%s' matches just this text: there are no patterns", text);
}

static void read_group(struct row *row, const struct word *word)
{
        const char *name = word->text + 1;
        int r = *name ? name_service_group(name, &row->rule.group) : -ENOENT;

        row->rule.user_match = MAP_USER_GROUP;
        row->rule.user = name;
        if (r == -ENOENT)
                diagnose(row_at(row, word), "in quotes it is a user whose name begins with '@'",
                        "there is no group '%s'", name);
        else if (r < 0)
                diagnose(row_at(row, word), NULL, "the name service cannot be asked for the group '%s': %s", name,
                        strerror(-r));
}

/* What other tables (pg_hba.conf, sudoers) have for everybody, for groups and for lists, and what is nearly a keyword.
 */
static void warn_of_habit(const struct row *row, const struct word *word)
{
        const char *text = word->text, *hint = NULL;

        if (strcasecmp(text, "all") == 0 || strcasecmp(text, "any") == 0)
                hint = "for whoever it is, write any; in quotes if it is meant so";
        else if (strcasecmp(text, "anonymous") == 0)
                hint = "for requests without a user, write anonymous; in quotes if it is meant so";
        else if (text[0] == '+' || text[0] == '%')
                hint = "a group is written @group; in quotes if it is meant so";
        else if (strchr(text, ','))
                hint = "there are no lists: write a rule for each, or a @group; in quotes if it is meant so";
        if (hint && !word->quoted)
                diagnose_warning(row_at(row, word), hint, "'%s' is one user, of just this name", text);
}

static void read_user(struct row *row)
{
        const struct word *word = &row->words.word[ROW_USER];
        size_t length = strlen(word->text);

        if (is_any(word))
                return;
        if (row_is_keyword(word, "anonymous")) {
                row->rule.user_match = MAP_USER_ANONYMOUS;
                return;
        }
        if (length == 0 || length > MAP_WORD_MAX) {
                diagnose(row_at(row, word), length == 0 ? "write anonymous for a request without a user" : NULL,
                        "a user's name has from 1 to %d bytes", MAP_WORD_MAX);
                return;
        }
        if (word->text[0] == '@' && !word->quoted) {
                read_group(row, word);
                return;
        }
        warn_of_pattern(row, word, word->text);
        warn_of_habit(row, word);
        row->rule.user_match = MAP_USER_EXACT;
        row->rule.user = word->text;
}

static void read_address(struct row *row)
{
        const struct word *word = &row->words.word[ROW_ADDRESS];
        char buffer[NETWORK_HINT_SIZE];
        const char *hint;
        int r;

        if (is_any(word))
                return;
        r = network_parse(word->text, &row->rule.network);
        if (r == 0)
                return;
        hint = network_hint(word->text, buffer);
        if (r == -ERANGE)
                diagnose(row_at(row, word), hint, "'%s' has bits set beyond its prefix", word->text);
        else
                diagnose(row_at(row, word), hint ? hint : "write 192.0.2.0/24, 2001:db8::/32 or any",
                        "'%s' is not an address or network", word->text);
}

static void read_host(struct row *row)
{
        const struct word *word = &row->words.word[ROW_HOST];
        const char *complaint, *hint = NULL;

        if (is_any(word))
                return;
        if (!word->quoted && (strcasecmp(word->text, "all") == 0 || strcasecmp(word->text, "any") == 0))
                diagnose_warning(row_at(row, word), "for every host, write any; in quotes if it is meant so",
                        "'%s' is one host, of just this name", word->text);
        complaint = host_canonical(word->text, &hint);
        if (complaint) {
                diagnose(row_at(row, word), hint, "'%s' is not a host: %s", word->text, complaint);
                return;
        }
        row->rule.host_match = word->text[0] == '*' ? MAP_HOST_SUFFIX : MAP_HOST_EXACT;
        row->rule.host = word->text + (word->text[0] == '*');
}

/* What web servers take from the request as it is: RFC 3875, 4.1, and what they add to it. */
static bool is_clients(const char *name)
{
        static const char *const names[] = {"CONTENT_LENGTH", "CONTENT_TYPE", "DOCUMENT_URI", "PATH_INFO",
                "PATH_TRANSLATED", "QUERY_STRING", "REQUEST_URI"};

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (strcmp(name, names[i]) == 0)
                        return true;
        return strncmp(name, "HTTP_", strlen("HTTP_")) == 0;
}

/* What the columns say already, and what is no variable at all. Returns whether it may be asked for. */
static bool check_variable(const struct row *row, const struct word *word, const char *name)
{
        static const char *const columns[][2] = {
                {"REMOTE_USER", "that is USER, the second column"},
                {"REMOTE_ADDR", "that is ADDRESS, the third column"},
                {"SERVER_NAME", "that is HOST, the fourth column"},
        };

        if (row_is_option(name)) {
                diagnose(row_at(row, word), "options stand at the end of a rule, behind IDENTITY",
                        "%s= is not a variable", name);
                return false;
        }
        for (size_t i = 0; i < ELEMENTS(columns); i++)
                if (strcmp(name, columns[i][0]) == 0) {
                        diagnose(row_at(row, word), columns[i][1], "%s is not for a condition", name);
                        return false;
                }
        if (!*name || name[strspn(name, letters)] || (name[0] >= '0' && name[0] <= '9') ||
                strlen(name) > MAP_VARIABLE_NAME_MAX) {
                diagnose(
                        row_at(row, word), "in quotes, a word with '=' is none", "'%s' is not a variable's name", name);
                return false;
        }
        if (is_clients(name))
                diagnose_warning(row_at(row, word), "ask for what the web server says, such as SSL_CLIENT_S_DN_CN",
                        "the client writes %s, and can write into it what it likes", name);
        return true;
}

/* Keeps them sorted by name. */
static void add_condition(struct row *row, const struct word *word, struct map_condition condition)
{
        struct map_rule *rule = &row->rule;
        uint32_t i = rule->n_conditions;

        if (i == MAP_CONDITIONS_MAX) {
                diagnose(row_at(row, word), NULL, "a rule has at most %d variables", MAP_CONDITIONS_MAX);
                return;
        }
        for (; i > 0 && strcmp(rule->conditions[i - 1].name, condition.name) > 0; i--)
                rule->conditions[i] = rule->conditions[i - 1];
        rule->conditions[i] = condition;
        rule->n_conditions++;
        if (i > 0 && strcmp(rule->conditions[i - 1].name, condition.name) == 0)
                diagnose(row_at(row, word), "all of a rule's conditions must hold", "%s is asked for twice",
                        condition.name);
}

static void read_condition(struct row *row, const struct word *word)
{
        char *equals = strchr(word->text, '=');
        struct map_condition condition = {.name = word->text, .value = equals + 1};

        *equals = '\0';
        if (!check_variable(row, word, word->text))
                return;
        if (strlen(condition.value) > MAP_WORD_MAX) {
                diagnose(row_at(row, word), NULL, "the value of %s is longer than %d bytes", condition.name,
                        MAP_WORD_MAX);
                return;
        }
        if (!word->quoted && strcmp(condition.value, "*") == 0)
                condition.value = NULL;
        else
                warn_of_pattern(row, word, condition.value);
        add_condition(row, word, condition);
}

size_t row_read_query(struct row *row)
{
        size_t next = ROW_VARIABLES;

        read_service(row);
        read_user(row);
        read_address(row);
        read_host(row);
        for (; next < row->words.count && row->words.word[next].assigns; next++)
                read_condition(row, &row->words.word[next]);
        return next;
}
