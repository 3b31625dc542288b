/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandboxctl/rule-text.h"
#include "sandboxctl/sandboxctl.h"

/* All rules, as they are understood, column below column. */

enum { WIDTH_MAX = 40 }; /* a longer word stands out of its column */

struct list {
        const char *service; /* NULL: every rule */
        bool printing;       /* after measuring */
        struct rule_text text;
        char place[PATH_MAX + 16]; /* FILE:LINE */
        size_t place_width;
        size_t widths[RULE_COLUMNS];
};

/* How many characters of UTF-8. */
static size_t width_of(const char *text)
{
        size_t width = 0;

        for (; *text; text++)
                width += (*text & 0xc0) != 0x80;
        return width;
}

static void measure(size_t *width, const char *text)
{
        size_t wanted = width_of(text);

        if (wanted > WIDTH_MAX)
                wanted = WIDTH_MAX;
        if (wanted > *width)
                *width = wanted;
}

static void print_padded(const char *text, size_t width)
{
        size_t length = width_of(text);

        fputs(text, stdout);
        printf("%*s", (int)(length < width ? width - length : 0), "");
}

static void print_row(const struct list *list)
{
        size_t last = 0;

        for (size_t i = 0; i < RULE_COLUMNS; i++)
                if (list->text.columns[i][0])
                        last = i;
        print_padded(list->place, list->place_width);
        for (size_t i = 0; i <= last; i++) {
                if (list->widths[i] == 0 && !list->text.columns[i][0])
                        continue; /* no rule has this column */
                printf("  ");
                print_padded(list->text.columns[i], i == last ? 0 : list->widths[i]);
        }
        putchar('\n');
}

static int visit(void *context, const struct map_rule *rule)
{
        struct list *list = context;

        if (list->service && rule->service && strcmp(rule->service, list->service) != 0)
                return 0;
        snprintf(list->place, sizeof(list->place), "%s:%u", rule->source, rule->line);
        rule_text(rule, &list->text);
        if (rule->action == MAP_BECOME && rule->account) {
                char *identity = list->text.columns[RULE_IDENTITY];
                size_t length = strlen(identity);

                snprintf(identity + length, RULE_COLUMN_SIZE - length, " (%u:%u)", rule->uid, rule->gid);
        }
        if (list->printing) {
                print_row(list);
                return 0;
        }
        if (width_of(list->place) > list->place_width)
                list->place_width = width_of(list->place);
        for (size_t i = 0; i < RULE_COLUMNS; i++)
                measure(&list->widths[i], list->text.columns[i]);
        return 0;
}

int control_list(const struct options *options)
{
        static struct list list;
        struct configuration configuration;
        int r = control_load(options, &configuration);

        if (r != 0)
                return EXIT_FAILURE;
        list.service = options->service;
        if (list.service && !control_find_service(&configuration.index, list.service))
                r = -ENOENT;
        for (int pass = 0; pass < 2 && r == 0; pass++) {
                list.printing = pass == 1;
                r = map_each(&configuration.map, visit, &list);
        }
        control_unload(&configuration);
        return r == 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
