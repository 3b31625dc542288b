/* SPDX-License-Identifier: Apache-2.0 */
/* links: compiler/service.c compiler/ini-file.c compiler/filter.c compiler/front-door.c compiler/name-service.c */
/* links: compiler/service-keys.c compiler/service-values.c compiler/service-lists.c compiler/service-warm.c */
/* links: compiler/filter-deny.c compiler/filter-last.c compiler/filter-lines.c compiler/filter-program.c */
/* links: compiler/filter-warm.c */
/* links: compiler/syscalls.c common/landlock.c compiler/line.c compiler/value.c compiler/builder.c compiler/memory.c */
/* links: compiler/context.c compiler/context-text.c common/identity.c common/network.c common/door.c */
/* links: common/front.c */
/* libs: -lseccomp -linih -lselinux */

/* Any bytes as a service's file. */

#include "compiler/value.h"
#include "tests/fuzz/configuration.h"
#include "tests/unit/index-sample.h"

static void check_path(const char *path)
{
        char copy[4096];

        check(strlen(path) < sizeof(copy));
        strcpy(copy, path);
        check(value_path(copy) == 0 && strcmp(copy, path) == 0);
}

static void check_doors(const struct index *index, const struct index_service *service)
{
        check(service->doors.count > 0);
        for (size_t i = 0; i < service->doors.count; i++) {
                const char *door = index_item(index, service->doors, i);

                check(strlen(door) < DOOR_NAME_MAX);
                check(strncmp(door, "tcp:", 4) == 0 || strncmp(door, "unix:/", 6) == 0);
                check(door[0] != 'u' || service->front_end_users.count > 0);
        }
}

static void check_warm(const struct index *index, const struct index_service *service)
{
        for (size_t i = 0; i < service->warm_up.count; i++)
                check(index_item(index, service->warm_up, i)[0] == '/');
        for (size_t i = 0; i < service->warm_watch.count; i++)
                check_path(index_item(index, service->warm_watch, i));
        for (size_t i = 0; i < service->environment.count && service->flags & INDEX_WARM; i++)
                check(strncmp(index_item(index, service->environment, i), "LD_PRELOAD=", 11) != 0);
        check(service->type < INDEX_TYPE_WSGI ||
                (service->argv.count > 2 && service->flags & INDEX_RUNNER && index_item(index, service->argv, 1)[0]));
}

static void examine(const struct index *index)
{
        const struct index_service *service = index_services(index);
        const struct index_bind *binds = index_array(index, service->binds);
        const index_string paths[] = {service->script_directory, service->working_directory, service->root_directory};

        check(index->header->services.count == 1);
        check(strcmp(index_text(index, service->name), "wiki") == 0);
        check_doors(index, service);
        for (size_t i = 0; i < ELEMENTS(paths); i++)
                if (paths[i])
                        check_path(index_text(index, paths[i]));
        for (size_t i = 0; i < service->binds.count; i++) {
                check_path(index_text(index, binds[i].source));
                check_path(index_text(index, binds[i].target));
                check(i == 0 ||
                        strcmp(index_text(index, binds[i - 1].target), index_text(index, binds[i].target)) <= 0);
        }
        check(service->argv.count == 0 || index_item(index, service->argv, 0)[0] == '/');
        for (size_t i = 0; i < service->environment.count; i++)
                check(strchr(index_item(index, service->environment, i), '=') != NULL);
        for (size_t i = 0; i < service->pass_environment.count; i++)
                check(strncmp(index_item(index, service->pass_environment, i), "LD_", 3) != 0);
        check(service->runtime_max > 0 && service->runtime_max <= UINT64_C(86400000000));
        check_warm(index, service);
        check(service->nice >= 0 && service->nice <= 19 && service->umask <= 0777);
        check(service->max_connections > 0 && service->limits_set < 1U << INDEX_LIMITS);
}

static void start(struct compile *compile)
{
        *compile = (struct compile){.directory = "/etc/sandboxd", .controllers = "cpuset cpu io memory pids"};
        compile->header = (struct index_header){.min_uid = 1000, .min_gid = 1000, .max_connections = 256};
        builder_init(&compile->builder);
}

/* What is compiled without a complaint, the broker takes. */
static void finish(struct compile *compile)
{
        struct index index = builder_finish(&compile->builder, compile->header), opened;

        if (diagnose_errors() == 0) {
                int fd = sample_memfd(index.header, index.size, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);

                check(index_open(fd, &opened) == 0);
                sample_walk(&opened);
                examine(&opened);
                index_close(&opened);
        }
        sample_free(&compile->builder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct compile compile;

        start(&compile);
        give("/etc/sandboxd/services.d/wiki.service", data, size);
        compile_services(&compile);
        finish(&compile);
        return 0;
}
