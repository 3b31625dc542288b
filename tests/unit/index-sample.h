/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * common/index.c for tests. It is compiled in here, with mmap(2) replaced by a copy in allocated memory, so that
 * the address sanitizer sees a read one byte beyond the index. Besides: a small index with something in every
 * field, and a function that reads all that an index leads to.
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static void *sample_map(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
        void *copy = malloc(size);

        (void)address;
        (void)protection;
        (void)flags;
        if (!copy || pread(fd, copy, size, offset) != (ssize_t)size)
                abort();
        return copy;
}

static int sample_unmap(void *address, size_t size)
{
        (void)size;
        free(address);
        return 0;
}

#define mmap   sample_map
#define munmap sample_unmap
/* NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "common/index.c"
#undef mmap
#undef munmap

#include "common/front.h"
#include "compiler/builder.h"

/* The descriptor of a memfd with these bytes and seals. */
static inline int sample_memfd(const void *bytes, size_t size, int seals)
{
        int fd = memfd_create("sample", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || fcntl(fd, F_ADD_SEALS, seals) < 0)
                abort();
        return fd;
}

static inline struct index_span sample_strings(struct builder *builder, const char *first, const char *second)
{
        const index_string strings[] = {builder_string(builder, first), builder_string(builder, second)};

        return builder_array(builder, strings, 2, sizeof(strings[0]));
}

static inline struct index_service sample_service(struct builder *builder, const char *name)
{
        const struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
                BPF_STMT(BPF_RET | BPF_K, 0),
        };
        const struct index_network networks[] = {
                {.family = AF_INET, .prefix = 8, .address = {127}},
                {.family = AF_INET6, .prefix = 128, .address = {[15] = 1}},
        };
        const uint32_t users[] = {33, 34, 35};
        struct index_bind binds[] = {{.flags = 0}, {.flags = INDEX_BIND_WRITABLE | INDEX_BIND_OPTIONAL}};

        binds[0].source = binds[0].target = builder_string(builder, "/usr");
        binds[1].source = builder_string(builder, "/var/lib/x");
        binds[1].target = builder_string(builder, "/data");
        return (struct index_service){
                .name = builder_string(builder, name),
                .source = builder_string(builder, "/etc/sandboxd/services.d/x.service"),
                .label = builder_string(builder, "u:object_r:service_t:s0"),
                .script_directory = builder_string(builder, "/srv/cgi"),
                .working_directory = builder_string(builder, "/srv"),
                .root_directory = builder_string(builder, "/srv/root"),
                .context = builder_string(builder, "u:r:t:s0"),
                .doors = sample_strings(builder, "unix:/run/x.sock", "tcp:127.0.0.1:9000"),
                .argv = sample_strings(builder, "/usr/bin/php-cgi", "-q"),
                .environment = sample_strings(builder, "A=B", "C=D E"),
                .pass_environment = sample_strings(builder, "X_ONE", "X_TWO"),
                .binds = builder_array(builder, binds, 2, sizeof(binds[0])),
                .front_end_users = builder_array(builder, users, 3, sizeof(users[0])),
                .trusted = builder_array(builder, networks, 2, sizeof(networks[0])),
                .filter_allow = builder_array(builder, filter, 2, sizeof(filter[0])),
                .filter_deny = builder_array(builder, filter, 2, sizeof(filter[0])),
                .filter_last = builder_array(builder, filter, 2, sizeof(filter[0])),
                .flags = INDEX_PRIVATE_TMP | INDEX_PRIVATE_NETWORK,
                .warm_spare = 2,
                .warm_idle = 600000000,
                .umask = 077,
                .max_connections = 64,
                .runtime_max = 30000000,
                .cgroup = {.memory_max = UINT64_MAX, .tasks_max = UINT64_MAX},
                .request_cgroup = {.memory_max = UINT64_MAX, .tasks_max = UINT64_MAX},
        };
}

/* Makes a service of the sample warm. */
static inline void sample_warm(struct builder *builder, struct index_service *service)
{
        const struct sock_filter filter[] = {BPF_STMT(BPF_RET | BPF_K, 0)};

        service->type = INDEX_TYPE_FASTCGI;
        service->flags |= INDEX_WARM | INDEX_RUNNER | INDEX_TMP_SHARED;
        service->warm_up = sample_strings(builder, "/", "/index.php?a=b");
        service->warm_watch = sample_strings(builder, "/srv/cgi", "/etc/php");
        service->filter_warm = builder_array(builder, filter, 1, sizeof(filter[0]));
}

/* Two services; the first is warm. The index lies in the builder; sample_free() afterwards. */
static inline struct index sample_build(struct builder *builder)
{
        static const char *const names[] = {"wiki", "cgi"};

        builder_init(builder);
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                struct index_service service = sample_service(builder, names[i]);

                if (i == 0)
                        sample_warm(builder, &service);
                list_append(&builder->services, &service, sizeof(service));
        }
        return builder_finish(builder,
                (struct index_header){.min_uid = 1000, .min_gid = 1000, .max_connections = 256, .contexts_unused = 3});
}

static inline void sample_free(struct builder *builder)
{
        list_clear(&builder->services);
        free(builder->data);
}

static inline size_t sample_walk_string(const struct index *index, index_string string)
{
        const char *text = index_text(index, string);

        return text ? strlen(text) : 0;
}

static inline size_t sample_walk_bytes(const struct index *index, struct index_span span, size_t element)
{
        const unsigned char *bytes = index_array(index, span);
        size_t sum = 0;

        for (size_t i = 0; i < span.count * element; i++)
                sum += bytes[i];
        return sum;
}

static inline size_t sample_walk_strings(const struct index *index, struct index_span span)
{
        size_t sum = 0;

        for (size_t i = 0; i < span.count; i++)
                sum += strlen(index_item(index, span, i));
        return sum;
}

static inline size_t sample_walk_service(const struct index *index, const struct index_service *service)
{
        const struct index_bind *binds = index_array(index, service->binds);
        size_t sum = strlen(index_text(index, service->name)) + strlen(index_text(index, service->source));

        sum += sample_walk_string(index, service->script_directory);
        sum += sample_walk_string(index, service->working_directory);
        sum += sample_walk_string(index, service->root_directory);
        sum += sample_walk_string(index, service->context);
        sum += sample_walk_string(index, service->label);
        sum += sample_walk_strings(index, service->doors);
        sum += sample_walk_strings(index, service->argv);
        sum += sample_walk_strings(index, service->environment);
        sum += sample_walk_strings(index, service->pass_environment);
        sum += sample_walk_strings(index, service->warm_up);
        sum += sample_walk_strings(index, service->warm_watch);
        for (size_t i = 0; i < service->binds.count; i++)
                sum += strlen(index_text(index, binds[i].source)) + strlen(index_text(index, binds[i].target));
        sum += sample_walk_bytes(index, service->front_end_users, sizeof(uint32_t));
        sum += sample_walk_bytes(index, service->trusted, sizeof(struct index_network));
        sum += sample_walk_bytes(index, service->filter_allow, sizeof(struct sock_filter));
        sum += sample_walk_bytes(index, service->filter_deny, sizeof(struct sock_filter));
        sum += sample_walk_bytes(index, service->filter_last, sizeof(struct sock_filter));
        sum += sample_walk_bytes(index, service->filter_warm, sizeof(struct sock_filter));
        /* Attached as they are, with a 16-bit count: none may be empty, or cut to nothing. */
        if (!(uint16_t)service->filter_allow.count || !(uint16_t)service->filter_deny.count ||
                !(uint16_t)service->filter_last.count)
                abort();
        if (!(uint16_t)service->filter_warm.count != !(service->flags & INDEX_WARM) || service->type >= INDEX_TYPES)
                abort();
        for (int is_unix = 0; is_unix < 2; is_unix++) {
                const struct front front = {.is_unix = is_unix, .ip = "127.0.0.1", .uid = 33};

                sum += (size_t)front_trust(index, service, &front);
        }
        return sum;
}

/* Reads everything. The sum only keeps the reads from being optimized away. */
static inline size_t sample_walk(const struct index *index)
{
        const struct front front = {.door = "tcp:127.0.0.1:9000", .wildcard = "tcp:0.0.0.0:9000"};
        size_t sum = 0;

        for (size_t i = 0; i < index->header->services.count; i++)
                sum += sample_walk_service(index, &index_services(index)[i]);
        return sum + (front_service(index, &front) != NULL);
}
