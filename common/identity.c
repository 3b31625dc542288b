/* SPDX-License-Identifier: Apache-2.0 */
#include "common/identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
        OVERFLOW_ID = 65534, /* nobody, nogroup: whatever a user namespace does not map */
        FIRST_ORDINARY_ID = 1000,
        FIRST_ALLOCATED_ID = 60000, /* to this one the system gives no ordinary account any more, */
        LAST_ALLOCATED_ID = 65535,  /* up to this one; above are directories' accounts and subordinate ids */
        NAME_MAX_BYTES = 255,
};

/* What the three kinds of ids in an identity are called. */
enum role { UID, GID, GROUP, ROLES };

enum fault { NOBODY, BELOW_MINIMUM, SYSTEM, RESERVED, IN_DYNAMIC, OUTSIDE_DYNAMIC, FAULTS };

static const char *const reasons[FAULTS][ROLES] = {
        [NOBODY] = {"its uid is 0, 65534 or -1", "its gid is 0, 65534 or -1", "one of its groups is 0, 65534 or -1"},
        [BELOW_MINIMUM] = {"its uid is below MinUID=", "its gid is below MinGID=",
                "one of its groups is below MinGID="},
        [SYSTEM] = {"its uid is a system account's, and the rule does not say allow-system",
                "its gid is a system group's, and the rule does not say allow-system",
                "one of its groups is a system group, and the rule does not say allow-system"},
        [RESERVED] = {"it is one of sandboxd's own accounts", "its gid is one of sandboxd's own",
                "one of its groups is one of sandboxd's own"},
        [IN_DYNAMIC] = {"its uid is in the range of DynamicUID=, and was not allotted",
                "its gid is in the range of DynamicUID=, and was not allotted",
                "one of its groups is in the range of DynamicUID="},
        [OUTSIDE_DYNAMIC] = {"it was allotted a uid outside the range of DynamicUID=",
                "it was allotted a gid outside the range of DynamicUID="},
};

static bool is_nobody(uint32_t id)
{
        return id == 0 || id == OVERFLOW_ID || id == UINT32_MAX;
}

static bool is_system(uint32_t id)
{
        return id < FIRST_ORDINARY_ID || (id >= FIRST_ALLOCATED_ID && id <= LAST_ALLOCATED_ID);
}

static bool is_reserved(uint32_t id, const uint32_t *reserved, size_t n_reserved)
{
        for (size_t i = 0; i < n_reserved; i++)
                if (reserved[i] == id)
                        return true;
        return false;
}

static bool is_dynamic(const struct index_header *header, uint32_t id)
{
        return header->dynamic_last != 0 && id >= header->dynamic_first && id <= header->dynamic_last;
}

/* What is wrong with one id, or NULL. */
static const char *refuse(const struct index_header *header, enum role role, uint32_t id, unsigned flags,
        const uint32_t *reserved, size_t n_reserved)
{
        /* Groups are never allotted: one in the range is that of another user's files. */
        bool allotted = role != GROUP && flags & IDENTITY_DYNAMIC;

        if (is_nobody(id))
                return reasons[NOBODY][role];
        if (id < (role == UID ? header->min_uid : header->min_gid))
                return reasons[BELOW_MINIMUM][role];
        if (is_system(id) && !(flags & IDENTITY_ALLOW_SYSTEM))
                return reasons[SYSTEM][role];
        if (is_reserved(id, reserved, n_reserved))
                return reasons[RESERVED][role];
        if (allotted != is_dynamic(header, id))
                return reasons[allotted ? OUTSIDE_DYNAMIC : IN_DYNAMIC][role];
        return NULL;
}

const char *identity_refusal(const struct index_header *header, const struct identity *identity, unsigned flags,
        const uint32_t *reserved, size_t n_reserved)
{
        const char *reason = refuse(header, UID, identity->uid, flags, reserved, n_reserved);

        if (!reason)
                reason = refuse(header, GID, identity->gid, flags, reserved, n_reserved);
        for (uint32_t i = 0; i < identity->n_groups && !reason; i++)
                reason = refuse(header, GROUP, identity->groups[i], flags, reserved, n_reserved);
        if (!reason && header->require_shell && flags & IDENTITY_NO_SHELL)
                reason = "its shell is not in /etc/shells, and RequireShell= is on";
        return reason;
}

/*
 * The length in bytes of the UTF-8 character (RFC 3629) that `text` begins with, and the character; 0 if it begins with
 * none: not in the shortest form, a surrogate, above U+10FFFF, or cut short by the NUL.
 */
static size_t decode(const unsigned char *text, uint32_t *ret_character)
{
        static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
        size_t length = text[0] < 0x80 ? 1 : text[0] < 0xc0 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
        uint32_t character = length == 1 ? text[0] : text[0] & (0x7fU >> length);

        if (text[0] > 0xf4)
                return 0;
        for (size_t i = 1; i < length; i++) {
                if ((text[i] & 0xc0) != 0x80)
                        return 0;
                character = character << 6 | (text[i] & 0x3f);
        }
        if (length == 0 || character < smallest[length] || character > 0x10ffff ||
                (character >= 0xd800 && character <= 0xdfff))
                return 0;
        *ret_character = character;
        return length;
}

static bool is_printable(const char *name)
{
        const unsigned char *text = (const unsigned char *)name;

        while (*text) {
                uint32_t character;
                size_t length = decode(text, &character);

                if (length == 0 || character < 0x20 || (character >= 0x7f && character < 0xa0))
                        return false;
                text += length;
        }
        return true;
}

const char *identity_name_refusal(const char *name)
{
        size_t length = strlen(name);

        if (length == 0)
                return "it is empty";
        if (length > NAME_MAX_BYTES)
                return "it is longer than 255 bytes";
        if (!is_printable(name))
                return "it is not UTF-8 without control characters";
        if (strpbrk(name, "/:"))
                return "it contains '/' or ':'";
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return "it is '.' or '..'";
        if (name[0] == '-')
                return "it begins with '-'";
        if (name[0] == ' ' || name[length - 1] == ' ')
                return "it begins or ends with a blank";
        if (strspn(name, "0123456789") == length)
                return "it consists of digits only, like a uid";
        return NULL;
}

/* A part of a context. text NULL: it is not there. */
struct word {
        const char *text;
        size_t length;
};

struct context {
        struct word user, role, type, range;
};

static const char placeholder[] = "%mcs";
enum { PLACEHOLDER_LENGTH = sizeof(placeholder) - 1 };

bool identity_context_needs_categories(const char *context)
{
        return context && strstr(context, placeholder);
}

static bool is_star(struct word word)
{
        return word.length == 1 && word.text[0] == '*';
}

/* What stands before the next colon; *cursor goes behind that, or becomes NULL when there is none. */
static struct word take_word(const char **cursor)
{
        struct word word = {.text = *cursor};

        if (!word.text)
                return word;
        word.length = strcspn(word.text, ":");
        *cursor = word.text[word.length] ? word.text + word.length + 1 : NULL;
        return word;
}

static bool is_identifier(struct word word)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

        return word.text && word.length > 0 && strspn(word.text, letters) >= word.length;
}

/* A placeholder stands for whole categories: "s0:%mcs", "s0:c3,%mcs". */
static bool is_range(struct word range)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,:-";
        const char *text = range.text;

        for (size_t i = 0; i < range.length; i++) {
                if (text[i] != '%') {
                        if (!strchr(letters, text[i]))
                                return false;
                        continue;
                }
                if (strncmp(text + i, placeholder, PLACEHOLDER_LENGTH) != 0 || i == 0 || !strchr(":,", text[i - 1]) ||
                        !strchr(",-", text[i + PLACEHOLDER_LENGTH])) /* or its NUL */
                        return false;
                i += PLACEHOLDER_LENGTH - 1;
        }
        return range.length > 0;
}

/* Tells "type:range" from "user:role:type": a range is `*`, or begins with a sensitivity, and no role is called s0. */
static bool begins_range(const char *text)
{
        size_t digits = text[0] == 's' ? strspn(text + 1, "0123456789") : 0;

        return strcmp(text, "*") == 0 || (digits > 0 && strchr(":-", text[1 + digits]));
}

static int parse_context(const char *text, struct context *ret_context)
{
        const char *cursor = text, *colon = strchr(text, ':');
        struct context context = {0};

        if (strlen(text) > INDEX_CONTEXT_MAX)
                return -ENAMETOOLONG;
        if (colon && !begins_range(colon + 1)) {
                context.user = take_word(&cursor);
                context.role = take_word(&cursor);
                if (!is_identifier(context.user) || !is_identifier(context.role))
                        return -EINVAL;
        }
        context.type = take_word(&cursor);
        if (!is_identifier(context.type) && !is_star(context.type))
                return -EINVAL;
        if (cursor)
                context.range = (struct word){cursor, strlen(cursor)};
        if (context.range.text && !is_range(context.range) && !is_star(context.range))
                return -EINVAL;
        *ret_context = context;
        return 0;
}

static bool is_complete(const struct context *context)
{
        return context->user.text && !is_star(context->type) && !is_star(context->range);
}

static int keep(struct context *context, const char *base)
{
        struct context kept;
        int r = base ? parse_context(base, &kept) : -EINVAL;

        if (r < 0)
                return r;
        if (!is_complete(&kept) || (is_star(context->range) && !kept.range.text))
                return -EINVAL;
        if (is_star(context->range) || (!context->user.text && !context->range.text))
                context->range = kept.range;
        if (!context->user.text) {
                context->user = kept.user;
                context->role = kept.role;
        }
        if (is_star(context->type))
                context->type = kept.type;
        return 0;
}

/* Writes ":range", with the categories; returns how long it would be, like snprintf(3). */
static size_t write_range(struct word range, uint32_t first, uint32_t second, char *text, size_t size)
{
        size_t used = (size_t)snprintf(text, size, ":");

        for (size_t i = 0; i < range.length && used < size; i++)
                if (range.text[i] == '%') {
                        used += (size_t)snprintf(text + used, size - used, "c%u,c%u", first, second);
                        i += PLACEHOLDER_LENGTH - 1;
                } else {
                        used += (size_t)snprintf(text + used, size - used, "%c", range.text[i]);
                }
        return used;
}

int identity_context(const char *context, const char *base, uint32_t first_category, uint32_t second_category,
        char ret_context[INDEX_CONTEXT_MAX + 1])
{
        char text[INDEX_CONTEXT_MAX + 1] = "";
        struct context parts;
        size_t used;
        int r;

        if (!context && !base) {
                ret_context[0] = '\0';
                return 0;
        }
        r = parse_context(context ? context : base, &parts);
        if (r == 0 && !is_complete(&parts))
                r = keep(&parts, context ? base : NULL);
        if (r < 0)
                return r;
        used = (size_t)snprintf(text, sizeof(text), "%.*s:%.*s:%.*s", (int)parts.user.length, parts.user.text,
                (int)parts.role.length, parts.role.text, (int)parts.type.length, parts.type.text);
        if (parts.range.text && used < sizeof(text))
                used += write_range(parts.range, first_category, second_category, text + used, sizeof(text) - used);
        if (used >= sizeof(text))
                return -ENAMETOOLONG;
        memcpy(ret_context, text, sizeof(text));
        return 0;
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
        return a->uid == b->uid && a->gid == b->gid && a->n_groups == b->n_groups &&
               memcmp(a->groups, b->groups, a->n_groups * sizeof(a->groups[0])) == 0 &&
               strcmp(a->context, b->context) == 0;
}
