/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/host.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { NAME_BYTES_MAX = 253, LABEL_BYTES_MAX = 63 };

/* An IPv6 address in brackets, as a browser's address line has it. */
static bool is_literal(const char *host)
{
        size_t length = strspn(host + 1, "0123456789abcdef:.");

        return host[0] == '[' && length > 0 && strcmp(host + 1 + length, "]") == 0;
}

static bool has_foreign_letters(const char *host)
{
        for (; *host; host++)
                if ((unsigned char)*host >= 0x80)
                        return true;
        return false;
}

/* What is in it that no host has. */
static const char *check_letters(const char *host, const char **ret_hint)
{
        *ret_hint = "write www.example.org or *.example.org";
        if (has_foreign_letters(host)) {
                *ret_hint = "write its ASCII form, xn--...";
                return "it is not ASCII";
        }
        if (strpbrk(host, "^$()|\\+?"))
                return "there are no patterns";
        if ((host[0] == '*' && host[1] != '.') || strchr(host + (host[0] == '*'), '*'))
                return "a '*' stands only at the beginning, before a dot";
        if (host[0] == '.') {
                *ret_hint = "a '*' stands before it: *.example.org";
                return "it begins with a dot";
        }
        if (strchr(host, '/'))
                return "it is a URL";
        if (strchr(host, ':')) {
                *ret_hint = "leave the port out";
                return "it has a port";
        }
        for (const char *c = host + (host[0] == '*'); *c; c++)
                if (!isalnum((unsigned char)*c) && !strchr("-._", *c))
                        return "it has a character that no host's name has";
        return NULL;
}

static const char *check_labels(const char *name)
{
        if (strlen(name) > NAME_BYTES_MAX)
                return "it is longer than 253 bytes";
        for (const char *label = name;;) {
                size_t length = strcspn(label, ".");

                if (length == 0)
                        return "a part of it between dots is empty";
                if (length > LABEL_BYTES_MAX)
                        return "a part of it between dots is longer than 63 bytes";
                if (!label[length])
                        return NULL;
                label += length + 1;
        }
}

const char *host_canonical(char *host, const char **ret_hint)
{
        const char *complaint;
        size_t length = strlen(host);

        for (char *c = host; *c; c++)
                *c = (char)tolower((unsigned char)*c);
        if (is_literal(host))
                return NULL;
        complaint = check_letters(host, ret_hint);
        if (complaint)
                return complaint;
        if (length > 1 && host[length - 1] == '.')
                host[length - 1] = '\0';
        return check_labels(host[0] == '*' ? host + 2 : host);
}
