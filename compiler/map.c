/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "compiler/line.h"
#include "compiler/memory.h"
#include "compiler/pace.h"
#include "compiler/row.h"
#include "compiler/source.h"

/*
 * Identity maps: the files of maps/, in the order of their names, line by line.
 */
static const char syntax[] = "SERVICE USER ADDRESS HOST [VARIABLE=VALUE ...] IDENTITY [CONTEXT] [OPTION ...]";

struct maps {
        struct row row;
        bool full; /* more rules than there may be: that has been said */
};

static struct position at_offset(const struct row *row, size_t offset)
{
        struct position position = row->position;

        position.offset = offset;
        return position;
}

static void refuse_words(const struct row *row, int error)
{
        struct position position = at_offset(row, row->words.end);
        bool is_host = row->words.count == ROW_HOST;

        if (error == -E2BIG)
                diagnose(position, syntax, "more words than a rule can have");
        else if (error == -EILSEQ)
                diagnose(position,
                        is_host ? "there are no patterns: write www.example.org or *.example.org"
                                : "there are no patterns; a backslash itself is written \\\\",
                        "a backslash before a character that it does not go with");
        else
                diagnose(position, "a quote itself is written \\\" or \\'", "the quotes are not closed");
}

/* Whoever writes of a rule, into a log say, is to write one line. */
static void refuse_controls(const struct row *row)
{
        for (size_t i = 0; i < row->words.count; i++)
                for (const char *c = row->words.word[i].text; *c; c++)
                        if (iscntrl((unsigned char)*c)) {
                                diagnose(row_at(row, &row->words.word[i]), NULL, "a control character in the word");
                                break;
                        }
}

static void add_rule(struct maps *maps)
{
        struct row *row = &maps->row;
        struct position position = at_offset(row, row->words.word[ROW_SERVICE].offset);
        struct map_place shadow;
        int r = map_writer_add(row->compile->map, &row->rule, &shadow);

        if (r == -E2BIG) {
                diagnose(position, NULL, "more than %d rules", MAP_RULES_MAX);
                maps->full = true;
        } else if (r == -ENOSPC) {
                diagnose(position, "rules for any service count for each",
                        "the rules for a service ask for more than %d variables", MAP_VARIABLES_MAX);
        } else if (r < 0) {
                diagnose(position, NULL, "the rule cannot be written: %s", strerror(-r));
        } else if (r == MAP_SHADOWED_WHERE_KNOWN) {
                diagnose_warning(position, "the first rule that matches decides: put the one that denies first",
                        "this rule decides only where address, host or variables are unknown: otherwise the one at "
                        "%s:%u comes first",
                        shadow.source, shadow.line);
        } else if (r > 0 && shadow.same) {
                diagnose_warning(position, NULL, "the rule at %s:%u asks for the same, and comes first", shadow.source,
                        shadow.line);
        } else if (r > 0) {
                diagnose_warning(position, "the first rule that matches decides: put the narrower one first",
                        "this rule never matches: the one at %s:%u always decides before it", shadow.source,
                        shadow.line);
        }
}

static void compile_row(struct maps *maps, const char *line)
{
        struct row *row = &maps->row;
        unsigned before = diagnose_errors();
        size_t next;
        int r;

        row->position.text = line;
        r = words_split(&row->words, line);
        if (r < 0) {
                refuse_words(row, r);
                return;
        }
        if (row->words.count == 0)
                return;
        if (row->words.count < ROW_VARIABLES) {
                diagnose(at_offset(row, row->words.end), syntax, "a rule has five words or more");
                return;
        }
        memset(&row->rule, 0, sizeof(row->rule));
        row->rule.source = row->position.file;
        row->rule.line = row->position.line;
        refuse_controls(row);
        next = row_read_query(row);
        if (next < row->words.count)
                row_read_result(row, next);
        else
                diagnose(at_offset(row, row->words.end), syntax, "the rule does not say who runs the request");
        if (diagnose_errors() == before)
                add_rule(maps);
}

/* Some editors write one. It shows nowhere, and would be part of the first word. */
static bool has_byte_order_mark(const struct position *position, const char *line)
{
        return position->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0;
}

static void compile_map(void *context, const char *path)
{
        struct maps *maps = context;
        struct position *position = &maps->row.position;
        _cleanup_fclose_ FILE *stream = source_open(path);
        _cleanup_free_ char *line = NULL;
        size_t capacity = 0;
        ssize_t length;

        if (!stream)
                return;
        *position = (struct position){.file = path};
        while (!maps->full && (length = line_read(stream, position, &line, &capacity)) >= 0) {
                if (length > WORDS_LINE_MAX)
                        diagnose(*position, NULL, "line longer than %d bytes", WORDS_LINE_MAX);
                else if (has_byte_order_mark(position, line))
                        diagnose(*position, "save it as UTF-8 without one", "the file begins with a byte order mark");
                else
                        compile_row(maps, line);
                position->text = NULL;
                pace();
        }
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of the services, sorted: a map may name one a million times. */
static const char **service_names(const struct builder *builder)
{
        const struct index_service *services = builder->services.items;
        const char **names = memory_resize(NULL, (builder->services.count + 1) * sizeof(*names));

        for (size_t i = 0; i < builder->services.count; i++)
                names[i] = builder_text(builder, services[i].name);
        qsort(names, builder->services.count, sizeof(*names), compare_names);
        return names;
}

void compile_maps(struct compile *compile)
{
        static struct maps maps;
        const char **names = service_names(&compile->builder);
        char directory[PATH_MAX];

        maps = (struct maps){
                .row = {.compile = compile, .services = names, .n_services = compile->builder.services.count}};
        snprintf(directory, sizeof(directory), "%s/maps", compile->directory);
        source_each(directory, ".map", compile_map, &maps);
        free(names);
}
