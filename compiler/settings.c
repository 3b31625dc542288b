/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <selinux/selinux.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "compiler/compile.h"
#include "compiler/ini-file.h"
#include "compiler/value.h"

/*
 * sandboxd.conf: what holds for all services, into compile->header.
 */
enum {
        /* Below the first, and from the second to the third, ids are the system's (common/identity.h). */
        FIRST_ORDINARY_ID = 1000,
        FIRST_ALLOCATED_ID = 60000,
        LAST_ALLOCATED_ID = 65535,
        DYNAMIC_ID_MAX = INT32_MAX, /* what is above, some programs take for negative */
        CATEGORY_MAX = 1023,
};

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)
#define DAY    (86400 * SECOND)

struct settings {
        struct compile *compile;
        const char *key;          /* of the assignment at hand */
        struct position position; /* likewise */
        struct position dynamic;  /* of DynamicUID= */
};

static const struct index_header defaults = {
        .min_uid = 1000,
        .min_gid = 1000,
        .max_connections = 256,
        .category_first = 0,
        .category_last = CATEGORY_MAX,
        .name_timeout = 5 * SECOND,
        .name_ttl = 60 * SECOND,
        .warm_memory_max = 512 << 20,
};

static void read_number(struct settings *settings, const char *value, uint64_t max, uint32_t *ret)
{
        uint64_t number;

        if (value_number(value, max, &number) < 0 || number == 0)
                diagnose(settings->position, NULL, "%s=: '%s' is not a number from 1 to %ju", settings->key, value,
                        (uintmax_t)max);
        else
                *ret = (uint32_t)number;
}

static void read_max_connections(struct settings *settings, const char *value)
{
        read_number(settings, value, 65536, &settings->compile->header.max_connections);
}

static void read_min_uid(struct settings *settings, const char *value)
{
        read_number(settings, value, UINT32_MAX - 1, &settings->compile->header.min_uid);
}

static void read_min_gid(struct settings *settings, const char *value)
{
        read_number(settings, value, UINT32_MAX - 1, &settings->compile->header.min_gid);
}

static enum index_selinux automatic(const struct compile *compile)
{
        return compile->selinux_enabled ? INDEX_SELINUX_APPLY : INDEX_SELINUX_ABSENT;
}

static void read_selinux(struct settings *settings, const char *value)
{
        struct compile *compile = settings->compile;

        if (strcmp(value, "off") == 0)
                compile->header.selinux = INDEX_SELINUX_OFF;
        else if (strcmp(value, "require") == 0 && compile->selinux_enabled)
                compile->header.selinux = INDEX_SELINUX_REQUIRE;
        else if (strcmp(value, "require") == 0)
                diagnose(settings->position, "boot with SELinux, or write SELinux=auto",
                        "SELinux=require, and this kernel runs no SELinux");
        else if (strcmp(value, "auto") == 0)
                compile->header.selinux = automatic(compile);
        else
                diagnose(settings->position, NULL, "SELinux=: '%s' is none of auto, require, off", value);
}

static void read_require_shell(struct settings *settings, const char *value)
{
        bool on;

        if (value_boolean(value, &on) < 0)
                diagnose(settings->position, NULL, "RequireShell=: '%s' is neither yes nor no", value);
        else
                settings->compile->header.require_shell = on;
}

/* Reads "LOW" and "HIGH" with `separator` between them. Returns 0, or -EINVAL. */
static int parse_range(const char *value, char separator, uint64_t max, uint32_t *ret_low, uint32_t *ret_high)
{
        const char *found = strchr(value, separator);
        char low[sizeof("4294967295")];
        uint64_t first, last;

        if (!found || (size_t)(found - value) >= sizeof(low))
                return -EINVAL;
        snprintf(low, sizeof(low), "%.*s", (int)(found - value), value);
        if (value_number(low, max, &first) < 0 || value_number(found + 1, max, &last) < 0)
                return -EINVAL;
        *ret_low = (uint32_t)first;
        *ret_high = (uint32_t)last;
        return 0;
}

/* The ids are compared when the whole file has been read: MinUID= may stand below. */
static void read_dynamic(struct settings *settings, const char *value)
{
        struct index_header *header = &settings->compile->header;
        uint32_t first, last;

        settings->dynamic = settings->position;
        if (parse_range(value, '-', DYNAMIC_ID_MAX, &first, &last) < 0 || first == 0 || last < first) {
                diagnose(settings->position, "DynamicUID=2000000-2099999",
                        "DynamicUID=: '%s' is not a range LOW-HIGH of ids from 1 to %d", value, DYNAMIC_ID_MAX);
                return;
        }
        header->dynamic_first = first;
        header->dynamic_last = last;
}

static void read_categories(struct settings *settings, const char *value)
{
        struct index_header *header = &settings->compile->header;
        uint32_t first, last;
        const char *dot = strchr(value, '.');
        char digits[32];

        /* "c0.c1023" without its letters is a range like others. */
        if (value[0] == 'c' && dot && dot[1] == 'c' && strlen(value) < sizeof(digits)) {
                snprintf(digits, sizeof(digits), "%.*s%s", (int)(dot - value), value + 1, dot + 2);
                if (parse_range(digits, '.', CATEGORY_MAX, &first, &last) == 0 && first < last) {
                        header->category_first = first;
                        header->category_last = last;
                        return;
                }
        }
        diagnose(settings->position, "MCSCategories=c0.c1023",
                "MCSCategories=: '%s' is not a range cLOW.cHIGH of two categories or more, up to c%d", value,
                CATEGORY_MAX);
}

static void read_name_timeout(struct settings *settings, const char *value)
{
        uint64_t usec;

        if (value_timespan(value, &usec) < 0 || usec < 100 * MS || usec > 60 * SECOND)
                diagnose(settings->position, "a request waits no longer than this, and is then refused with 503",
                        "NameServiceTimeoutSec=: '%s' is not a time span from 100ms to 60s", value);
        else
                settings->compile->header.name_timeout = usec;
}

static void read_name_cache(struct settings *settings, const char *value)
{
        uint64_t usec;

        if (value_timespan(value, &usec) < 0 || usec > DAY)
                diagnose(settings->position, "0 asks the name service at every request",
                        "NameServiceCacheSec=: '%s' is not a time span from 0 to 1d", value);
        else
                settings->compile->header.name_ttl = usec;
}

static void read_warm_memory(struct settings *settings, const char *value)
{
        uint64_t size;

        if (value_size(value, &size) < 0 || size == 0)
                diagnose(settings->position, "where nothing is to be warm, write Warm=no into the services",
                        "WarmMemoryMax=: '%s' is not a size such as 512M", value);
        else
                settings->compile->header.warm_memory_max = size;
}

struct key {
        const char *name;
        void (*read)(struct settings *settings, const char *value);
};

/* In the order of sandboxd.conf(5). */
static const struct key keys[] = {
        {"MaxConnections", read_max_connections},
        {"MinUID", read_min_uid},
        {"MinGID", read_min_gid},
        {"RequireShell", read_require_shell},
        {"DynamicUID", read_dynamic},
        {"MCSCategories", read_categories},
        {"NameServiceTimeoutSec", read_name_timeout},
        {"NameServiceCacheSec", read_name_cache},
        {"WarmMemoryMax", read_warm_memory},
        {"SELinux", read_selinux},
};

static void unknown_key(const struct settings *settings)
{
        const char *names[ELEMENTS(keys)];

        for (size_t i = 0; i < ELEMENTS(keys); i++)
                names[i] = keys[i].name;
        diagnose(settings->position, nearest_word(settings->key, names, ELEMENTS(names)), "unknown key '%s'",
                settings->key);
}

static void assign(void *context, const char *section, const char *key, const char *value, struct position position)
{
        struct settings *settings = context;

        settings->key = key;
        settings->position = position;
        if (strcmp(section, "Sandboxd") != 0) {
                diagnose(position, "keys stand in [Sandboxd]", "unknown section [%s]", section);
                return;
        }
        for (size_t i = 0; i < ELEMENTS(keys); i++)
                if (strcmp(keys[i].name, key) == 0) {
                        keys[i].read(settings, value);
                        return;
                }
        unknown_key(settings);
}

/* Ids that are allotted to users must be nobody else's. */
static void check_dynamic(const struct settings *settings)
{
        const struct compile *compile = settings->compile;
        const struct index_header *header = &compile->header;
        uint32_t first = header->dynamic_first, last = header->dynamic_last;

        if (last == 0)
                return;
        if (first < header->min_uid || first < header->min_gid)
                diagnose(settings->dynamic, "the ids are those of users and of groups",
                        "DynamicUID=: %u is below MinUID= or MinGID=", first);
        if (first < FIRST_ORDINARY_ID || (first <= LAST_ALLOCATED_ID && last >= FIRST_ALLOCATED_ID))
                diagnose(settings->dynamic, "DynamicUID=2000000-2099999",
                        "DynamicUID=: %u-%u has system ids: those below %d, and from %d to %d", first, last,
                        FIRST_ORDINARY_ID, FIRST_ALLOCATED_ID, LAST_ALLOCATED_ID);
        for (size_t i = 0; i < compile->n_reserved; i++)
                if (compile->reserved[i] >= first && compile->reserved[i] <= last) {
                        diagnose(settings->dynamic, "DynamicUID=2000000-2099999",
                                "DynamicUID=: %u, in the range, is one of sandboxd's own accounts",
                                compile->reserved[i]);
                        return;
                }
}

void compile_main_file(struct compile *compile)
{
        struct settings settings = {.compile = compile};
        char path[PATH_MAX];

        compile->selinux_enabled = is_selinux_enabled() > 0;
        compile->header = defaults;
        compile->header.selinux = automatic(compile);
        snprintf(path, sizeof(path), "%s/sandboxd.conf", compile->directory);
        if (access(path, F_OK) == 0 || errno != ENOENT) {
                ini_file_read(path, assign, &settings);
                check_dynamic(&settings);
        }
}
