/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "compiler/service-key.h"
#include "compiler/value.h"

/* Keys of a service that take one value: paths, flags, numbers, limits. */

void *key_target(struct draft *draft)
{
        return (char *)draft + draft->key->target;
}

void key_wrong(const struct draft *draft, const char *hint, const char *format, ...)
{
        char message[512];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        diagnose(draft->position, hint, "%s=: %s", draft->key->name, message);
}

void key_each_word(
        struct draft *draft, const char *value, struct list *list, void (*use)(struct draft *draft, char *word))
{
        const char *cursor = value;
        char word[KEY_WORD_MAX];
        bool quoted;
        int r;

        if (!*value)
                list_clear(list);
        while ((r = value_word(&cursor, word, sizeof(word), &quoted)) > 0)
                use(draft, word);
        if (r < 0)
                key_wrong(draft, NULL, "unfinished quote or unknown escape in '%s'", value);
}

void key_add_string(struct draft *draft, const char *text, struct list *list)
{
        index_string string = builder_string(&draft->compile->builder, text);

        list_append(list, &string, sizeof(string));
}

bool key_is_name(const char *name)
{
        size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

        return length > 0 && name[length] == '\0' && (name[0] < '0' || name[0] > '9');
}

void key_read_path(struct draft *draft, const char *value)
{
        char path[KEY_WORD_MAX];

        if (!*value) {
                *(index_string *)key_target(draft) = 0;
                return;
        }
        snprintf(path, sizeof(path), "%s", value);
        if (value_path(path) < 0)
                key_wrong(draft, NULL, "'%s' is not an absolute path without '..'", value);
        else
                *(index_string *)key_target(draft) = builder_string(&draft->compile->builder, path);
}

void key_read_flag(struct draft *draft, const char *value)
{
        bool on;

        if (value_boolean(value, &on) < 0)
                key_wrong(draft, NULL, "'%s' is neither yes nor no", value);
        else if (on)
                draft->service.flags |= (uint32_t)draft->key->detail;
        else
                draft->service.flags &= ~(uint32_t)draft->key->detail;
}

void key_read_count(struct draft *draft, const char *value)
{
        uint64_t number;

        if (value_number(value, draft->key->detail, &number) < 0 || number == 0)
                key_wrong(draft, NULL, "'%s' is not a number from 1 to %ju", value, (uintmax_t)draft->key->detail);
        else
                *(uint32_t *)key_target(draft) = (uint32_t)number;
}

void key_read_size(struct draft *draft, const char *value)
{
        if (value_size(value, key_target(draft)) < 0)
                key_wrong(draft, NULL, "'%s' is not a size such as 64M", value);
}

void key_read_temporary_size(struct draft *draft, const char *value)
{
        uint64_t size;

        if (value_size(value, &size) < 0 || size == 0 || size > INT64_MAX)
                key_wrong(draft, "the kernel takes 0 for no limit", "'%s' is not a size such as 64M", value);
        else
                draft->service.temporary_size = size;
}

void key_read_runtime(struct draft *draft, const char *value)
{
        uint64_t usec;

        if (value_timespan(value, &usec) < 0 || usec == 0 || usec > UINT64_C(86400000000))
                key_wrong(draft, "every request has a deadline", "'%s' is not a time span from 1us to 1d", value);
        else
                draft->service.runtime_max = usec;
}

void key_read_umask(struct draft *draft, const char *value)
{
        uint64_t mask;

        if (value_octal(value, 0777, &mask) < 0)
                key_wrong(draft, NULL, "'%s' is not a mode such as 0077", value);
        else
                draft->service.umask = (uint32_t)mask;
}

void key_read_nice(struct draft *draft, const char *value)
{
        uint64_t nice;

        if (value_number(value, 19, &nice) < 0)
                key_wrong(draft, "privilege goes one way: down", "'%s' is not a number from 0 to 19", value);
        else
                draft->service.nice = (int32_t)nice;
}

/* Limit…=: soft and hard at once; there is nothing above that an application could ask for. */
void key_read_limit(struct draft *draft, const char *value)
{
        bool is_time = draft->key->detail == RLIMIT_CPU;
        uint64_t limit;
        int r;

        if (strchr(value, ':')) {
                key_wrong(draft, "write one value, it is the hard limit and the soft one", "'%s'", value);
                return;
        }
        if (strcmp(value, "infinity") == 0)
                limit = UINT64_MAX, r = 0;
        else if (is_time)
                r = value_timespan(value, &limit);
        else
                r = value_size(value, &limit);
        if (r < 0) {
                key_wrong(draft, NULL, "'%s' is not a limit", value);
                return;
        }
        if (is_time && limit != UINT64_MAX)
                limit = (limit + 999999) / 1000000;
        draft->service.limits[draft->key->detail] = limit;
        draft->service.limits_set |= UINT64_C(1) << draft->key->detail;
}

static bool has_controller(const struct compile *compile, const char *name)
{
        const char *word = compile->controllers;
        size_t length = strlen(name);

        for (; *word; word += strcspn(word, " "), word += strspn(word, " "))
                if (strcspn(word, " ") == length && strncmp(word, name, length) == 0)
                        return true;
        return false;
}

static bool needs_controller(struct draft *draft, const char *name)
{
        if (has_controller(draft->compile, name))
                return true;
        key_wrong(draft, "remove it, and use LimitAS=, LimitNPROC= or Nice= instead",
                "this system has no cgroup v2 controller '%s' to enforce it with", name);
        return false;
}

void key_read_memory_max(struct draft *draft, const char *value)
{
        if (needs_controller(draft, "memory"))
                key_read_size(draft, value);
}

void key_read_tasks_max(struct draft *draft, const char *value)
{
        if (!needs_controller(draft, "pids"))
                return;
        if (strcmp(value, "infinity") == 0)
                *(uint64_t *)key_target(draft) = UINT64_MAX;
        else if (value_number(value, UINT32_MAX, key_target(draft)) < 0 ||
                 *(uint64_t *)key_target(draft) < (uint64_t)draft->key->detail)
                key_wrong(draft, "an application has an init beside it, and the service a zygote",
                        "'%s' is not a number from %d on", value, (int)draft->key->detail);
}

void key_read_cpu_weight(struct draft *draft, const char *value)
{
        if (needs_controller(draft, "cpu") &&
                (value_number(value, 10000, key_target(draft)) < 0 || *(uint64_t *)key_target(draft) == 0))
                key_wrong(draft, NULL, "'%s' is not a number from 1 to 10000", value);
}
