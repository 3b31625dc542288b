/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/context-text.h"

#include <stdlib.h>
#include <string.h>

#include "common/identity.h"

const char *context_text_range(const char *context)
{
        for (int i = 0; i < 3 && context; i++) {
                context = strchr(context, ':');
                if (context)
                        context++;
        }
        return context;
}

bool context_text_has_two_levels(const char *context)
{
        const char *low = context_text_range(context), *dash = low ? strchr(low, '-') : NULL;
        size_t length = dash ? (size_t)(dash - low) : 0;

        return dash && (strlen(dash + 1) != length || memcmp(low, dash + 1, length) != 0);
}

/* Behind the number of "cN" at *cursor, which is stored. Returns whether there is one. */
static bool take_category(const char **cursor, unsigned long *ret_category)
{
        char *end;

        if ((*cursor)[0] != 'c' || (*cursor)[1] < '0' || (*cursor)[1] > '9')
                return false;
        *ret_category = strtoul(*cursor + 1, &end, 10);
        *cursor = end;
        return true;
}

bool context_text_has_category(const char *context, uint32_t first, uint32_t last)
{
        for (const char *c = strchr(context, ':'); c; c = strpbrk(c, ":,")) {
                unsigned long low, high;

                c++;
                if (!take_category(&c, &low))
                        continue;
                high = low;
                if (*c == '.') {
                        c++;
                        take_category(&c, &high);
                }
                if (low <= last && high >= first)
                        return true;
        }
        return false;
}

/* Whether `text` begins with a sensitivity that ends where a word ends. */
static bool begins_with_level(const char *text)
{
        size_t digits = text[0] == 's' ? strspn(text + 1, "0123456789") : 0;

        return digits > 0 && strchr(":-", text[1 + digits]);
}

static bool is_context(const char *context)
{
        char completed[INDEX_CONTEXT_MAX + 1];

        return !begins_with_level(context) && identity_context(context, "u:r:t:s0", 0, 1, completed) == 0;
}

/* Whether a %mcs stands where a level should be. */
static bool lacks_level(const char *context)
{
        const char *found = strstr(context, "%mcs");
        const char *colon = found;

        if (!found)
                return false;
        while (colon > context && colon[-1] != ':')
                colon--;
        if (colon == context)
                return true;
        for (colon--; colon > context && colon[-1] != ':';)
                colon--;
        return !begins_with_level(colon) || colon == context;
}

const char *context_text_hint(const char *context)
{
        if (lacks_level(context))
                return "a level stands before the categories: s0:%mcs, as in *:s0:%mcs or user_webapp_t:s0:%mcs";
        if (is_context(context))
                return NULL;
        if (strstr(context, "::"))
                return "mod_selinux's *::s0 is *:s0 here: '*' keeps the service's type";
        if (begins_with_level(context))
                return "a type stands before the range, or '*' to keep the service's: *:s0:c1";
        return "write user:role:type[:range] or type[:range]; '*' keeps the service's type or range";
}
