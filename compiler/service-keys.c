/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "common/cleanup.h"
#include "common/door.h"
#include "common/network.h"
#include "compiler/draft.h"
#include "compiler/front-door.h"
#include "compiler/ini-file.h"
#include "compiler/name-service.h"
#include "compiler/value.h"

/*
 * A key of [Service]: what reads its value, and where the value goes. `target` is an offset into struct
 * draft; `detail` is the reader's own: a flag, an RLIMIT_ number.
 */
struct key {
        const char *name;
        void (*read)(struct draft *draft, const char *value);
        size_t target;
        uint64_t detail;
};

enum { WORD_MAX = INI_FILE_LINE_MAX + 1 };

static void *target(struct draft *draft)
{
        return (char *)draft + draft->key->target;
}

__attribute__((format(printf, 3, 4))) static void wrong(struct draft *draft, const char *hint, const char *format, ...)
{
        char message[512];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        diagnose(draft->position, hint, "%s=: %s", draft->key->name, message);
}

/* Calls `use` for every word of a list; an empty value resets the list. */
static void each_word(
        struct draft *draft, const char *value, struct list *list, void (*use)(struct draft *draft, char *word))
{
        const char *cursor = value;
        char word[WORD_MAX];
        bool quoted;
        int r;

        if (!*value)
                list_clear(list);
        while ((r = value_word(&cursor, word, sizeof(word), &quoted)) > 0)
                use(draft, word);
        if (r < 0)
                wrong(draft, NULL, "unfinished quote or unknown escape in '%s'", value);
}

static void add_string(struct draft *draft, const char *text, struct list *list)
{
        index_string string = builder_string(&draft->compile->builder, text);

        list_append(list, &string, sizeof(string));
}

static void read_path(struct draft *draft, const char *value)
{
        char path[WORD_MAX];

        if (!*value) {
                *(index_string *)target(draft) = 0;
                return;
        }
        snprintf(path, sizeof(path), "%s", value);
        if (value_path(path) < 0)
                wrong(draft, NULL, "'%s' is not an absolute path without '..'", value);
        else
                *(index_string *)target(draft) = builder_string(&draft->compile->builder, path);
}

static void read_flag(struct draft *draft, const char *value)
{
        bool on;

        if (value_boolean(value, &on) < 0)
                wrong(draft, NULL, "'%s' is neither yes nor no", value);
        else if (on)
                draft->service.flags |= (uint32_t)draft->key->detail;
        else
                draft->service.flags &= ~(uint32_t)draft->key->detail;
}

static void read_count(struct draft *draft, const char *value)
{
        uint64_t number;

        if (value_number(value, draft->key->detail, &number) < 0 || number == 0)
                wrong(draft, NULL, "'%s' is not a number from 1 to %ju", value, (uintmax_t)draft->key->detail);
        else
                *(uint32_t *)target(draft) = (uint32_t)number;
}

static void read_size(struct draft *draft, const char *value)
{
        if (value_size(value, target(draft)) < 0)
                wrong(draft, NULL, "'%s' is not a size such as 64M", value);
}

static void read_temporary_size(struct draft *draft, const char *value)
{
        uint64_t size;

        if (value_size(value, &size) < 0 || size == 0 || size > INT64_MAX)
                wrong(draft, "the kernel takes 0 for no limit", "'%s' is not a size such as 64M", value);
        else
                draft->service.temporary_size = size;
}

static void read_runtime(struct draft *draft, const char *value)
{
        uint64_t usec;

        if (value_timespan(value, &usec) < 0 || usec == 0 || usec > UINT64_C(86400000000))
                wrong(draft, "every request has a deadline", "'%s' is not a time span from 1us to 1d", value);
        else
                draft->service.runtime_max = usec;
}

static void read_umask(struct draft *draft, const char *value)
{
        uint64_t mask;

        if (value_octal(value, 0777, &mask) < 0)
                wrong(draft, NULL, "'%s' is not a mode such as 0077", value);
        else
                draft->service.umask = (uint32_t)mask;
}

static void read_nice(struct draft *draft, const char *value)
{
        uint64_t nice;

        if (value_number(value, 19, &nice) < 0)
                wrong(draft, "privilege goes one way: down", "'%s' is not a number from 0 to 19", value);
        else
                draft->service.nice = (int32_t)nice;
}

/* Limit…=: soft and hard at once; there is nothing above that an application could ask for. */
static void read_limit(struct draft *draft, const char *value)
{
        bool is_time = draft->key->detail == RLIMIT_CPU;
        uint64_t limit;
        int r;

        if (strchr(value, ':')) {
                wrong(draft, "write one value, it is the hard limit and the soft one", "'%s'", value);
                return;
        }
        if (strcmp(value, "infinity") == 0)
                limit = UINT64_MAX, r = 0;
        else if (is_time)
                r = value_timespan(value, &limit);
        else
                r = value_size(value, &limit);
        if (r < 0) {
                wrong(draft, NULL, "'%s' is not a limit", value);
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
        wrong(draft, "remove it, and use LimitAS=, LimitNPROC= or Nice= instead",
                "this system has no cgroup v2 controller '%s' to enforce it with", name);
        return false;
}

static void read_memory_max(struct draft *draft, const char *value)
{
        if (needs_controller(draft, "memory"))
                read_size(draft, value);
}

static void read_tasks_max(struct draft *draft, const char *value)
{
        if (!needs_controller(draft, "pids"))
                return;
        if (strcmp(value, "infinity") == 0)
                *(uint64_t *)target(draft) = UINT64_MAX;
        else if (value_number(value, UINT32_MAX, target(draft)) < 0 || *(uint64_t *)target(draft) < 2)
                wrong(draft, "an application has an init beside it", "'%s' is not a number from 2 on", value);
}

static void read_cpu_weight(struct draft *draft, const char *value)
{
        if (needs_controller(draft, "cpu") &&
                (value_number(value, 10000, target(draft)) < 0 || *(uint64_t *)target(draft) == 0))
                wrong(draft, NULL, "'%s' is not a number from 1 to 10000", value);
}

static void use_door(struct draft *draft, char *word)
{
        char name[DOOR_NAME_MAX];

        if (front_door_parse(word, name, sizeof(name)) < 0)
                wrong(draft, "write /run/name.sock, 127.0.0.1:9000 or [::1]:9000", "'%s' is not a socket address",
                        word);
        else
                add_string(draft, name, &draft->doors);
}

static void read_doors(struct draft *draft, const char *value)
{
        draft->door_line = draft->position.line;
        each_word(draft, value, &draft->doors, use_door);
}

static void use_front_end_user(struct draft *draft, char *word)
{
        uint32_t uid;

        if (name_service_uid(word, &uid) < 0)
                wrong(draft, NULL, "there is no account '%s'", word);
        else
                list_append(&draft->front_end_users, &uid, sizeof(uid));
}

static void read_front_end_users(struct draft *draft, const char *value)
{
        each_word(draft, value, &draft->front_end_users, use_front_end_user);
}

static void use_trusted(struct draft *draft, char *word)
{
        struct index_network network;
        int r = network_parse(word, &network);

        if (r < 0)
                wrong(draft, r == -ERANGE ? "bits beyond the prefix are set" : NULL,
                        "'%s' is not an address such as 192.0.2.1 or 192.0.2.0/24", word);
        else
                list_append(&draft->trusted, &network, sizeof(network));
}

static void read_trusted(struct draft *draft, const char *value)
{
        each_word(draft, value, &draft->trusted, use_trusted);
}

static void use_argument(struct draft *draft, char *word)
{
        add_string(draft, word, &draft->argv);
}

static void read_exec(struct draft *draft, const char *value)
{
        char path[WORD_MAX];

        list_clear(&draft->argv);
        each_word(draft, value, &draft->argv, use_argument);
        if (draft->argv.count == 0)
                return;
        snprintf(path, sizeof(path), "%s",
                builder_text(&draft->compile->builder, ((index_string *)draft->argv.items)[0]));
        if (value_path(path) < 0)
                wrong(draft, "give the program's absolute path inside the root, without prefixes such as - or +",
                        "'%s' is not an absolute path", path);
}

static void use_bind(struct draft *draft, char *word)
{
        bool optional = word[0] == '-';
        char *source = word + optional, *destination = strchr(source, ':');
        struct index_bind bind = {.flags = (uint32_t)draft->key->detail | (optional ? INDEX_BIND_OPTIONAL : 0)};

        if (destination)
                *destination++ = '\0';
        if (value_path(source) < 0 || (destination && (strchr(destination, ':') || value_path(destination) < 0))) {
                wrong(draft, "write SOURCE or SOURCE:DESTINATION, absolute and without '..'", "'%s'", source);
                return;
        }
        bind.source = builder_string(&draft->compile->builder, source);
        bind.target = destination ? builder_string(&draft->compile->builder, destination) : bind.source;
        list_append(&draft->binds, &bind, sizeof(bind));
}

static void read_binds(struct draft *draft, const char *value)
{
        each_word(draft, value, &draft->binds, use_bind);
}

static bool is_name(const char *name)
{
        size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

        return length > 0 && name[length] == '\0' && (name[0] < '0' || name[0] > '9');
}

/* What the broker alone says of a request. */
static bool is_reserved_name(const char *variable)
{
        static const char *const reserved[] = {
                "REMOTE_USER=", "REMOTE_ADDR=", "SERVER_NAME=", "GATEWAY_INTERFACE=", "SANDBOXD_"};

        for (size_t i = 0; i < ELEMENTS(reserved); i++)
                if (strncmp(variable, reserved[i], strlen(reserved[i])) == 0)
                        return true;
        return false;
}

static void use_variable(struct draft *draft, char *word)
{
        char *equals = strchr(word, '=');
        bool valid = false;

        if (equals) {
                *equals = '\0';
                valid = is_name(word);
                *equals = '=';
        }
        if (valid && is_reserved_name(word))
                wrong(draft, "these say who asked, and come from the launch request",
                        "'%s' is not for a service to set", word);
        else if (valid)
                add_string(draft, word, &draft->environment);
        else
                wrong(draft, NULL, "'%s' is not NAME=VALUE", word);
}

static void read_environment(struct draft *draft, const char *value)
{
        each_word(draft, value, &draft->environment, use_variable);
}

/* Variables that change what the loader, the shell or an interpreter executes are not for a client to send.
 */
static bool is_dangerous(const char *name)
{
        static const char *const prefixes[] = {"LD_", "PYTHON", "PERL", "PHP", "RUBY", "NODE_", "BASH_", "GCONV_",
                "GLIBC_", "GIT_", "LUA_", "JAVA_", "OPENSSL_", "MALLOC_"};
        static const char *const names[] = {"PATH", "IFS", "ENV", "HOME", "SHELL", "TMPDIR", "HTTP_PROXY"};

        for (size_t i = 0; i < ELEMENTS(prefixes); i++)
                if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
                        return true;
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (strcasecmp(name, names[i]) == 0)
                        return true;
        return false;
}

static void use_name(struct draft *draft, char *word)
{
        if (!is_name(word))
                wrong(draft, NULL, "'%s' is not the name of a variable", word);
        else if (is_dangerous(word))
                wrong(draft, "set it with Environment= instead", "'%s' must not come from a request", word);
        else
                add_string(draft, word, &draft->pass_environment);
}

static void read_pass_environment(struct draft *draft, const char *value)
{
        each_word(draft, value, &draft->pass_environment, use_name);
}

static void read_filter(struct draft *draft, const char *value)
{
        filter_line(&draft->filter, value, draft->position);
}

static void read_families(struct draft *draft, const char *value)
{
        filter_families_line(&draft->filter, value, draft->position);
}

static void read_context(struct draft *draft, const char *value)
{
        draft->service.context = *value ? compile_context(draft->compile, value, draft->position) : 0;
}

static void read_capabilities(struct draft *draft, const char *value)
{
        if (*value)
                wrong(draft, "leave it empty: an application has no capability, and none can be given", "'%s'", value);
}

static void refuse_identity(struct draft *draft, const char *value)
{
        wrong(draft, "write a rule into maps/: who a request becomes depends on who asks", "'%s'", value);
}

#define AT(field) offsetof(struct draft, field)

/* In the order of sandboxd.service-file(5). */
static const struct key keys[] = {
        {"FrontDoor", read_doors, 0, 0},
        {"FrontEndUser", read_front_end_users, 0, 0},
        {"TrustNetworkFrontEnd", read_trusted, 0, 0},
        {"ExecStart", read_exec, 0, 0},
        {"ScriptDirectory", read_path, AT(service.script_directory), 0},
        {"WorkingDirectory", read_path, AT(service.working_directory), 0},
        {"RootDirectory", read_path, AT(service.root_directory), 0},
        {"BindReadOnlyPaths", read_binds, 0, 0},
        {"BindPaths", read_binds, 0, INDEX_BIND_WRITABLE},
        {"PrivateTmp", read_flag, 0, INDEX_PRIVATE_TMP},
        {"TemporarySize", read_temporary_size, 0, 0},
        {"PrivateNetwork", read_flag, 0, INDEX_PRIVATE_NETWORK},
        {"RestrictAddressFamilies", read_families, 0, 0},
        {"SystemCallFilter", read_filter, 0, 0},
        {"CapabilityBoundingSet", read_capabilities, 0, 0},
        {"SELinuxContext", read_context, 0, 0},
        {"Environment", read_environment, 0, 0},
        {"PassEnvironment", read_pass_environment, 0, 0},
        {"UMask", read_umask, 0, 0},
        {"Nice", read_nice, 0, 0},
        {"LimitAS", read_limit, 0, RLIMIT_AS},
        {"LimitCORE", read_limit, 0, RLIMIT_CORE},
        {"LimitCPU", read_limit, 0, RLIMIT_CPU},
        {"LimitDATA", read_limit, 0, RLIMIT_DATA},
        {"LimitFSIZE", read_limit, 0, RLIMIT_FSIZE},
        {"LimitMEMLOCK", read_limit, 0, RLIMIT_MEMLOCK},
        {"LimitNOFILE", read_limit, 0, RLIMIT_NOFILE},
        {"LimitNPROC", read_limit, 0, RLIMIT_NPROC},
        {"LimitSTACK", read_limit, 0, RLIMIT_STACK},
        {"MaxConnections", read_count, AT(service.max_connections), 65536},
        {"RuntimeMaxSec", read_runtime, 0, 0},
        {"MemoryMax", read_memory_max, AT(service.cgroup.memory_max), 0},
        {"TasksMax", read_tasks_max, AT(service.cgroup.tasks_max), 0},
        {"CPUWeight", read_cpu_weight, AT(service.cgroup.cpu_weight), 0},
        {"RequestMemoryMax", read_memory_max, AT(service.request_cgroup.memory_max), 0},
        {"RequestTasksMax", read_tasks_max, AT(service.request_cgroup.tasks_max), 0},
        {"RequestCPUWeight", read_cpu_weight, AT(service.request_cgroup.cpu_weight), 0},
        {"User", refuse_identity, 0, 0},
        {"Group", refuse_identity, 0, 0},
};

static void unknown_key(const struct draft *draft, const char *name)
{
        const char *names[ELEMENTS(keys)], *nearest;
        char hint[128];

        for (size_t i = 0; i < ELEMENTS(keys); i++)
                names[i] = keys[i].name;
        nearest = nearest_word(name, names, ELEMENTS(names));
        if (nearest)
                snprintf(hint, sizeof(hint), "the nearest known key is %s=", nearest);
        diagnose(draft->position, nearest ? hint : "see sandboxd.service-file(5)", "unknown key '%s'", name);
}

void draft_assign(void *context, const char *section, const char *name, const char *value, struct position position)
{
        struct draft *draft = context;

        draft->position = position;
        if (strcmp(section, "Service") != 0) {
                diagnose(position, "keys stand in [Service]", "unknown section [%s]", section);
                return;
        }
        draft->has_section = true;
        for (size_t i = 0; i < ELEMENTS(keys); i++)
                if (strcmp(keys[i].name, name) == 0) {
                        draft->key = &keys[i];
                        keys[i].read(draft, value);
                        return;
                }
        unknown_key(draft, name);
}
