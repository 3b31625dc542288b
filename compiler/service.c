/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/cleanup.h"
#include "common/door.h"
#include "common/landlock.h"
#include "compiler/draft.h"
#include "compiler/front-door.h"
#include "compiler/ini-file.h"
#include "compiler/service-warm.h"
#include "compiler/source.h"

static void set_limit(struct index_service *service, int limit, uint64_t value)
{
        service->limits[limit] = value;
        service->limits_set |= UINT64_C(1) << limit;
}

/* The strict ones. */
static void set_defaults(struct draft *draft)
{
        struct index_service *service = &draft->service;

        service->type = INDEX_TYPE_CGI;
        service->flags = INDEX_PRIVATE_NETWORK;
        service->umask = 0077;
        service->max_connections = 64;
        service->warm_spare = 2;
        service->warm_idle = 600 * UINT64_C(1000000);
        service->temporary_size = 64 << 20;
        service->runtime_max = 30 * UINT64_C(1000000);
        service->cgroup.memory_max = UINT64_MAX;
        service->cgroup.tasks_max = UINT64_MAX;
        service->request_cgroup.memory_max = UINT64_MAX;
        service->request_cgroup.tasks_max = UINT64_MAX;
        set_limit(service, RLIMIT_AS, UINT64_C(1) << 30);
        set_limit(service, RLIMIT_CORE, 0);
        set_limit(service, RLIMIT_FSIZE, UINT64_C(1) << 30);
        set_limit(service, RLIMIT_MEMLOCK, 64 << 10);
        set_limit(service, RLIMIT_NOFILE, 256);
        set_limit(service, RLIMIT_NPROC, 512);
        set_limit(service, RLIMIT_STACK, 8 << 20);
}

static bool is_service_name(const char *name)
{
        size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.@");

        return length > 0 && length <= 64 && name[length] == '\0' && strcmp(name, "any") != 0;
}

static bool has_unix_door(const struct draft *draft)
{
        for (size_t i = 0; i < draft->doors.count; i++)
                if (strncmp(builder_text(&draft->compile->builder, ((index_string *)draft->doors.items)[i]),
                            "unix:", 5) == 0)
                        return true;
        return false;
}

static void use_default_door(struct draft *draft, const char *name)
{
        char door[DOOR_NAME_MAX];
        index_string string;

        /* It fails for a name that is_service_name() refuses. */
        if (draft->doors.count > 0 || front_door_default(name, door, sizeof(door)) < 0)
                return;
        string = builder_string(&draft->compile->builder, door);
        list_append(&draft->doors, &string, sizeof(string));
}

/* What only the file as a whole shows. */
static void check_whole(struct draft *draft, const char *path, const char *name)
{
        struct position whole = {.file = path};

        if (!is_service_name(name))
                diagnose(whole, "use letters, digits, '-', '_', '.' and '@', at most 64",
                        "'%s' cannot be a service's name", name);
        if (!draft->has_section)
                diagnose(whole, NULL, "has no [Service] section with keys");
        if (has_unix_door(draft) && draft->front_end_users.count == 0)
                diagnose(whole, "name the web server's account, such as www-data; its claims will be believed",
                        "a Unix FrontDoor= needs FrontEndUser=");
        if (draft->argv.count == 0 && !draft->service.script_directory)
                diagnose(whole, NULL, "neither ExecStart= nor ScriptDirectory= says what to execute");
        if (!draft->service.root_directory && draft->binds.count == 0)
                diagnose(whole, "BindReadOnlyPaths=/usr /lib /lib64 /bin is a beginning",
                        "neither RootDirectory= nor a bind puts the program into the root");
        service_warm_check(draft, path);
}

static void check_door_is_free(struct draft *draft, const char *path)
{
        struct builder *builder = &draft->compile->builder;
        const struct index_service *services = builder->services.items;
        const index_string *mine = draft->doors.items;

        for (size_t s = 0; s < builder->services.count; s++) {
                const index_string *others = (const void *)(builder->data + services[s].doors.offset);

                for (size_t i = 0; i < services[s].doors.count; i++)
                        for (size_t k = 0; k < draft->doors.count; k++)
                                if (strcmp(builder_text(builder, others[i]), builder_text(builder, mine[k])) == 0)
                                        diagnose((struct position){.file = path, .line = draft->door_line},
                                                "a front door leads to one service",
                                                "front door %s belongs to service %s already, by %s",
                                                builder_text(builder, mine[k]), builder_text(builder, services[s].name),
                                                builder_text(builder, services[s].source));
        }
}

/* Binds in the order of their targets: what lies inside another comes after it. */
static int compare_binds(const void *a, const void *b, void *builder)
{
        return strcmp(builder_text(builder, ((const struct index_bind *)a)->target),
                builder_text(builder, ((const struct index_bind *)b)->target));
}

static void finish(struct draft *draft)
{
        struct builder *builder = &draft->compile->builder;
        struct index_service *service = &draft->service;
        const struct filter_purpose purpose = {
                .min_uid = draft->compile->header.min_uid,
                .min_gid = draft->compile->header.min_gid,
                .temporary = service->flags & INDEX_PRIVATE_TMP,
                .warm = service->flags & INDEX_WARM,
                .signals = !landlock_scopes_signals(),
        };

        /* To a core_pattern that pipes, a limit of 0 is none, and 1 is "no dump at all": core(5). */
        if (service->limits[RLIMIT_CORE] == 0)
                service->limits[RLIMIT_CORE] = 1;
        if (!draft->filter.chosen)
                filter_default(&draft->filter);
        if (filter_lets_ipc_remain(&draft->filter))
                service->flags |= INDEX_PRIVATE_IPC;
        if (filter_lets_identities_meet(&draft->filter))
                service->flags |= INDEX_PER_IDENTITY;
        filter_build(&draft->filter, &purpose, builder, service);
        service_warm_finish(draft);
        if (draft->binds.count > 0)
                qsort_r(draft->binds.items, draft->binds.count, sizeof(struct index_bind), compare_binds, builder);
        service->doors = builder_list(builder, &draft->doors, sizeof(index_string));
        service->argv = builder_list(builder, &draft->argv, sizeof(index_string));
        service->environment = builder_list(builder, &draft->environment, sizeof(index_string));
        service->pass_environment = builder_list(builder, &draft->pass_environment, sizeof(index_string));
        service->binds = builder_list(builder, &draft->binds, sizeof(struct index_bind));
        service->front_end_users = builder_list(builder, &draft->front_end_users, sizeof(uint32_t));
        service->trusted = builder_list(builder, &draft->trusted, sizeof(struct index_network));
        list_append(&builder->services, service, sizeof(*service));
}

static void free_draft(struct draft *draft)
{
        list_clear(&draft->doors);
        list_clear(&draft->argv);
        list_clear(&draft->environment);
        list_clear(&draft->pass_environment);
        list_clear(&draft->warm_up);
        list_clear(&draft->warm_watch);
        list_clear(&draft->binds);
        list_clear(&draft->front_end_users);
        list_clear(&draft->trusted);
}

static void compile_service(void *context, const char *path)
{
        struct compile *compile = context;
        struct draft draft = {.compile = compile};
        const char *base = strrchr(path, '/') + 1;
        unsigned before = diagnose_errors();
        char name[NAME_MAX + 1];

        snprintf(name, sizeof(name), "%.*s", (int)(strlen(base) - strlen(".service")), base);
        set_defaults(&draft);
        ini_file_read(path, draft_assign, &draft);
        if (diagnose_errors() == before) {
                use_default_door(&draft, name);
                check_whole(&draft, path, name);
                check_door_is_free(&draft, path);
        }
        if (diagnose_errors() == before) {
                draft.service.name = builder_string(&compile->builder, name);
                draft.service.source = builder_string(&compile->builder, path);
                draft.service.label = compile_label(compile, path);
                finish(&draft);
        }
        free_draft(&draft);
}

static bool lies_beneath(const char *path, const char *folder)
{
        size_t length = strlen(folder);

        return strncmp(path, folder, length) == 0 && path[length] == '/';
}

/*
 * An application may replace what lies in a folder that it may write, by a symlink say: whoever then binds a path
 * beneath it, or takes it for a root, gets whatever the application chose.
 */
static void check_beneath_writable(const struct builder *builder, const struct index_service *service, const char *path)
{
        const struct index_service *services = builder->services.items;

        for (size_t s = 0; path && s < builder->services.count; s++) {
                const struct index_bind *binds = (const void *)(builder->data + services[s].binds.offset);

                for (size_t i = 0; i < services[s].binds.count; i++) {
                        const char *writable = builder_text(builder, binds[i].source);

                        if (binds[i].flags & INDEX_BIND_WRITABLE && lies_beneath(path, writable))
                                diagnose((struct position){.file = builder_text(builder, service->source)},
                                        "choose a place that no application can write, or bind the whole folder",
                                        "%s lies in %s, which service %s may write: it could be replaced by a symlink",
                                        path, writable, builder_text(builder, services[s].name));
                }
        }
}

static void check_places(const struct builder *builder)
{
        const struct index_service *services = builder->services.items;

        for (size_t s = 0; s < builder->services.count; s++) {
                const struct index_bind *binds = (const void *)(builder->data + services[s].binds.offset);

                for (size_t i = 0; i < services[s].binds.count; i++)
                        check_beneath_writable(builder, &services[s], builder_text(builder, binds[i].source));
                if (services[s].root_directory)
                        check_beneath_writable(
                                builder, &services[s], builder_text(builder, services[s].root_directory));
        }
}

void compile_services(struct compile *compile)
{
        char directory[PATH_MAX];
        unsigned before = diagnose_errors();

        snprintf(directory, sizeof(directory), "%s/services.d", compile->directory);
        source_each(directory, ".service", compile_service, compile);
        check_places(&compile->builder);
        compile->services_refused = diagnose_errors() > before;
}
