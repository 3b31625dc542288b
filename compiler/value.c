/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/value.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"

int value_boolean(const char *text, bool *ret)
{
        static const char *const yes[] = {"yes", "true", "on", "1", "y", "t"};
        static const char *const no[] = {"no", "false", "off", "0", "n", "f"};

        for (size_t i = 0; i < ELEMENTS(yes); i++) {
                if (strcasecmp(text, yes[i]) == 0)
                        return *ret = true, 0;
                if (strcasecmp(text, no[i]) == 0)
                        return *ret = false, 0;
        }
        return -EINVAL;
}

static int parse_unsigned(const char *text, int base, const char **ret_end, uint64_t *ret)
{
        char *end;

        if (!isdigit((unsigned char)text[0]))
                return -EINVAL;
        errno = 0;
        *ret = strtoull(text, &end, base);
        *ret_end = end;
        return errno ? -ERANGE : 0;
}

static int whole_number(const char *text, int base, uint64_t max, uint64_t *ret)
{
        const char *end;
        uint64_t value;
        int r = parse_unsigned(text, base, &end, &value);

        if (r < 0)
                return r;
        if (*end)
                return -EINVAL;
        if (value > max)
                return -ERANGE;
        *ret = value;
        return 0;
}

int value_number(const char *text, uint64_t max, uint64_t *ret)
{
        return whole_number(text, 10, max, ret);
}

int value_octal(const char *text, uint64_t max, uint64_t *ret)
{
        return whole_number(text, 8, max, ret);
}

int value_size(const char *text, uint64_t *ret)
{
        static const char units[] = "BKMGT";
        const char *end, *unit;
        uint64_t value;
        unsigned shift = 0;
        int r;

        if (strcmp(text, "infinity") == 0) {
                *ret = UINT64_MAX;
                return 0;
        }
        r = parse_unsigned(text, 10, &end, &value);
        if (r < 0)
                return r;
        if (*end) {
                unit = strchr(units, *end);
                if (!unit || end[1])
                        return -EINVAL;
                shift = 10 * (unsigned)(unit - units);
        }
        if (shift > 0 && value >> (63 - shift) != 0)
                return -ERANGE;
        *ret = value << shift;
        return 0;
}

static uint64_t unit_usec(const char *unit, size_t length)
{
        static const struct {
                const char *name;
                uint64_t usec;
        } units[] = {
                {"", 1000000},
                {"us", 1},
                {"ms", 1000},
                {"s", 1000000},
                {"sec", 1000000},
                {"m", 60000000},
                {"min", 60000000},
                {"h", 3600000000},
                {"hr", 3600000000},
                {"d", 86400000000},
        };

        for (size_t i = 0; i < ELEMENTS(units); i++)
                if (strlen(units[i].name) == length && strncmp(units[i].name, unit, length) == 0)
                        return units[i].usec;
        return 0;
}

int value_timespan(const char *text, uint64_t *ret)
{
        uint64_t total = 0;

        if (!*text)
                return -EINVAL;
        while (*text) {
                const char *end;
                uint64_t value, unit;
                size_t length = 0;
                int r = parse_unsigned(text, 10, &end, &value);

                if (r < 0)
                        return r;
                while (isalpha((unsigned char)end[length]))
                        length++;
                unit = unit_usec(end, length);
                if (unit == 0)
                        return -EINVAL;
                if (value > UINT32_MAX || __builtin_mul_overflow(value, unit, &value) ||
                        __builtin_add_overflow(total, value, &total))
                        return -ERANGE;
                text = end + length;
                while (*text == ' ')
                        text++;
        }
        *ret = total;
        return 0;
}

static int unescape(char c)
{
        switch (c) {
        case 'n':
                return '\n';
        case 't':
                return '\t';
        case 's':
                return ' ';
        case '\\':
        case '"':
        case '\'':
                return c;
        default:
                return -EILSEQ;
        }
}

int value_word(const char **cursor, char *word, size_t size, bool *ret_quoted)
{
        const char *p = *cursor;
        bool quoted = false;
        char quote = 0;
        size_t n = 0;

        while (isspace((unsigned char)*p))
                p++;
        if (!*p) {
                *cursor = p;
                return 0;
        }
        for (; *p && (quote || !isspace((unsigned char)*p)); p++) {
                int c = (unsigned char)*p;

                if (quote ? c == quote : (c == '"' || c == '\'')) {
                        quote = quote ? 0 : (char)c;
                        quoted = true;
                        continue;
                }
                if (c == '\\') {
                        c = unescape(*++p);
                        if (c < 0)
                                return c;
                }
                if (n + 1 >= size)
                        return -ERANGE;
                word[n++] = (char)c;
        }
        if (quote)
                return -EINVAL;
        word[n] = '\0';
        *ret_quoted = quoted;
        *cursor = p;
        return 1;
}

int value_path(char *path)
{
        char *out = path;

        if (path[0] != '/')
                return -EINVAL;
        for (const char *p = path; *p;) {
                size_t length;

                while (*p == '/')
                        p++;
                length = strcspn(p, "/");
                if (length == 0)
                        break;
                if ((length == 1 && p[0] == '.') || (length == 2 && p[0] == '.' && p[1] == '.'))
                        return -EINVAL;
                *out++ = '/';
                memmove(out, p, length);
                out += length;
                p += length;
        }
        if (out == path)
                *out++ = '/';
        *out = '\0';
        return 0;
}
