/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/compile.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "compiler/line.h"
#include "compiler/source.h"
#include "compiler/value.h"
#include "sandboxd/identity.h"

/*
 * Identity maps: SERVICE USER ADDRESS HOST IDENTITY [CONTEXT], separated by blanks; `#` begins a comment. A
 * word in quotes is never a keyword.
 */
enum column { SERVICE, USER, ADDRESS, HOST, IDENTITY, CONTEXT, COLUMNS };
enum { LINE_MAX_BYTES = 4096, WORD_MAX = 512 };

struct row {
        struct compile *compile;
        struct position position;
        char words[COLUMNS][WORD_MAX];
        bool quoted[COLUMNS];
        size_t n_words;
        struct index_rule rule;
};

static bool is_keyword(const struct row *row, enum column column, const char *keyword)
{
        return !row->quoted[column] && strcmp(row->words[column], keyword) == 0;
}

static index_string keep(struct row *row, const char *text)
{
        return builder_string(&row->compile->builder, text);
}

static void read_service(struct row *row)
{
        const struct builder *builder = &row->compile->builder;
        const struct index_service *services = builder->services.items;
        const char *word = row->words[SERVICE], *nearest;
        const char **names;

        if (row->compile->services_refused || is_keyword(row, SERVICE, "any") || is_keyword(row, SERVICE, "*"))
                return;
        names = calloc(builder->services.count + 1, sizeof(*names));
        for (size_t i = 0; names && i < builder->services.count; i++) {
                names[i] = builder_text(builder, services[i].name);
                if (strcmp(names[i], word) == 0) {
                        row->rule.service = services[i].name;
                        free(names);
                        return;
                }
        }
        nearest = names ? nearest_word(word, names, builder->services.count) : NULL;
        diagnose(row->position, nearest ? nearest : "services are the files in services.d/, without .service",
                "there is no service '%s'", word);
        free(names);
}

static void read_user(struct row *row)
{
        if (is_keyword(row, USER, "any") || is_keyword(row, USER, "*"))
                return;
        if (is_keyword(row, USER, "anonymous")) {
                row->rule.user_match = INDEX_ANONYMOUS;
                return;
        }
        if (row->words[USER][0] == '\0' || strlen(row->words[USER]) > 255)
                diagnose(row->position, "write anonymous for a request without a user",
                        "a user's name is empty or too long");
        row->rule.user_match = INDEX_EXACT;
        row->rule.user = keep(row, row->words[USER]);
}

static void read_address(struct row *row)
{
        const char *word = row->words[ADDRESS], *hint = "write 192.0.2.0/24, 2001:db8::/32 or any";
        int r;

        if (is_keyword(row, ADDRESS, "any") || is_keyword(row, ADDRESS, "*"))
                return;
        r = identity_parse_network(word, &row->rule.network);
        if (r == -ERANGE)
                hint = "bits beyond the prefix are set: clear them, or give the whole address";
        if (r < 0)
                diagnose(row->position, hint, "'%s' is not an address or network", word);
}

static void read_host(struct row *row)
{
        char *word = row->words[HOST];

        if (is_keyword(row, HOST, "any") || is_keyword(row, HOST, "*"))
                return;
        for (char *c = word; *c; c++) {
                if (!isalnum((unsigned char)*c) && !strchr("-._*:[]", *c)) {
                        diagnose(row->position, "write www.example.org or *.example.org", "'%s' is not a host", word);
                        return;
                }
                *c = (char)tolower((unsigned char)*c);
        }
        row->rule.host_match = word[0] == '*' && word[1] == '.' ? INDEX_SUFFIX : INDEX_EXACT;
        if (row->rule.host_match == INDEX_SUFFIX)
                word++;
        if (strchr(word, '*') || !*word)
                diagnose(row->position, "a '*' stands only at the beginning, before a dot", "'%s' is not a host", word);
        row->rule.host = keep(row, word);
}

int compile_uid(const char *account, uint32_t *ret_uid)
{
        uint64_t number;
        const struct passwd *entry;

        if (value_number(account, UINT32_MAX - 1, &number) == 0) {
                *ret_uid = (uint32_t)number;
                return 0;
        }
        entry = getpwnam(account);
        if (!entry)
                return -ENOENT;
        *ret_uid = entry->pw_uid;
        return 0;
}

/* The account's groups as initgroups(3) would set them. */
static void take_groups(struct row *row, const struct passwd *entry)
{
        gid_t groups[INDEX_GROUPS_MAX + 1];
        uint32_t kept[INDEX_GROUPS_MAX];
        int n = ELEMENTS(groups);
        size_t n_kept = 0;

        if (getgrouplist(entry->pw_name, entry->pw_gid, groups, &n) < 0) {
                diagnose(row->position, NULL, "account '%s' is in more than %d groups", entry->pw_name,
                        INDEX_GROUPS_MAX);
                return;
        }
        for (int i = 0; i < n; i++)
                if (groups[i] != entry->pw_gid && n_kept < ELEMENTS(kept))
                        kept[n_kept++] = groups[i];
        row->rule.groups = builder_array(&row->compile->builder, kept, n_kept, sizeof(kept[0]));
}

static void read_account(struct row *row)
{
        const struct passwd *entry = getpwnam(row->words[IDENTITY]);

        if (!entry) {
                diagnose(row->position, "write an account's name, UID:GID or deny", "there is no account '%s'",
                        row->words[IDENTITY]);
                return;
        }
        row->rule.uid = entry->pw_uid;
        row->rule.gid = entry->pw_gid;
        row->rule.account = keep(row, row->words[IDENTITY]);
        take_groups(row, entry);
}

static void read_identity(struct row *row)
{
        char *word = row->words[IDENTITY], *colon = strchr(word, ':');
        uint64_t uid, gid;

        if (is_keyword(row, IDENTITY, "deny")) {
                row->rule.action = INDEX_DENY;
                return;
        }
        row->rule.action = INDEX_BECOME;
        if (!colon) {
                read_account(row);
                return;
        }
        *colon = '\0';
        if (value_number(word, UINT32_MAX, &uid) < 0 || value_number(colon + 1, UINT32_MAX, &gid) < 0) {
                diagnose(row->position, "write an account's name, UID:GID or deny", "'%s:%s' is not an identity", word,
                        colon + 1);
                return;
        }
        row->rule.uid = (uint32_t)uid;
        row->rule.gid = (uint32_t)gid;
}

static void read_context(struct row *row)
{
        if (row->n_words <= CONTEXT)
                return;
        if (row->rule.action == INDEX_DENY)
                diagnose(row->position, NULL, "a rule that denies has no context");
        else
                row->rule.context = compile_context(row->compile, row->words[CONTEXT], row->position);
}

static bool split(struct row *row, const char *line)
{
        const char *cursor = line;
        int r = 1;

        for (row->n_words = 0; r > 0 && row->n_words<COLUMNS; row->n_words += r> 0) {
                cursor += strspn(cursor, " \t");
                if (*cursor == '#')
                        break;
                r = value_word(&cursor, row->words[row->n_words], WORD_MAX, &row->quoted[row->n_words]);
        }
        cursor += strspn(cursor, " \t");
        if (r < 0) {
                diagnose(row->position, NULL, "unfinished quote, unknown escape, or a word longer than %d bytes",
                        WORD_MAX - 1);
                return false;
        }
        if (row->n_words == 0)
                return false;
        if (row->n_words < CONTEXT || (*cursor && *cursor != '#')) {
                diagnose(row->position, "SERVICE USER ADDRESS HOST IDENTITY [CONTEXT]", "a rule has five or six words");
                return false;
        }
        return true;
}

static void compile_row(struct row *row, const char *line)
{
        unsigned before = diagnose_errors();

        memset(&row->rule, 0, sizeof(row->rule));
        if (!split(row, line))
                return;
        read_service(row);
        read_user(row);
        read_address(row);
        read_host(row);
        read_identity(row);
        read_context(row);
        row->rule.line = row->position.line;
        row->rule.source = keep(row, row->position.file);
        if (diagnose_errors() == before)
                list_append(&row->compile->builder.rules, &row->rule, sizeof(row->rule));
}

static void compile_map(void *context, const char *path)
{
        static struct row row;
        _cleanup_fclose_ FILE *stream = source_open(path);
        _cleanup_free_ char *line = NULL;
        size_t capacity = 0;
        ssize_t length;

        if (!stream)
                return;
        row.compile = context;
        row.position = (struct position){.file = path};
        while ((length = line_read(stream, &row.position, &line, &capacity)) >= 0) {
                if (length > LINE_MAX_BYTES)
                        diagnose(row.position, NULL, "line longer than %d bytes", LINE_MAX_BYTES);
                else
                        compile_row(&row, line);
        }
}

void compile_maps(struct compile *compile)
{
        char directory[PATH_MAX];

        snprintf(directory, sizeof(directory), "%s/maps", compile->directory);
        source_each(directory, ".map", compile_map, compile);
}
