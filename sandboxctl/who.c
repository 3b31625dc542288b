/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandboxctl/allotted.h"

/*
 * A line for each uid that is allotted or has categories: UID NAME CATEGORIES, with "-" for what it has not. The list
 * comes by uid, so that what belongs together comes together.
 */

struct who {
        const char *operand; /* NULL: everybody */
        struct allotted current;
        char name[4 * MAP_WORD_MAX + 1]; /* of the current one */
        bool any;                        /* there is a current one */
        unsigned n_printed;
};

static bool is_number(const char *text)
{
        return *text && strspn(text, "0123456789") == strlen(text);
}

static bool is_wanted(const struct who *who)
{
        if (!who->operand)
                return true;
        if (is_number(who->operand))
                return strtoull(who->operand, NULL, 10) == who->current.uid;
        return strcmp(who->operand, who->name) == 0;
}

static void print_current(struct who *who)
{
        char categories[32] = "-";

        if (!who->any || !is_wanted(who))
                return;
        if (who->current.second > 0)
                snprintf(categories, sizeof(categories), "c%" PRIu32 ",c%" PRIu32, who->current.first,
                        who->current.second);
        if (who->n_printed++ == 0)
                printf("%-10s %-24s %s\n", "UID", "USER", "CATEGORIES");
        printf("%-10" PRIu32 " ", who->current.uid);
        printf("%-24s %s\n", who->name[0] ? who->name : "-", categories);
}

static int visit(void *context, const struct allotted *allotted)
{
        struct who *who = context;

        if (!who->any || allotted->uid != who->current.uid) {
                print_current(who);
                who->current = *allotted;
                who->name[0] = '\0';
                who->any = true;
        }
        if (allotted->name) {
                snprintf(who->name, sizeof(who->name), "%s", allotted->name);
        } else {
                who->current.first = allotted->first;
                who->current.second = allotted->second;
        }
        return 0;
}

int control_who(const struct options *options)
{
        struct who who = {.operand = options->operands[0]};

        if (allotted_each(options, visit, &who) < 0)
                return EXIT_FAILURE;
        print_current(&who);
        if (who.n_printed == 0 && who.operand) {
                fprintf(stderr, "sandboxctl: nothing is allotted to %s\n", who.operand);
                return EXIT_FAILURE;
        }
        if (who.n_printed == 0)
                puts("nothing is allotted");
        return EXIT_SUCCESS;
}
