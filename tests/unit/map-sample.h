/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/cleanup.h"
#include "common/network.h"
#include "compiler/map-writer.h"

/* Identity maps for tests. Whatever should not fail ends the program. */

enum { SAMPLE_SEALS = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK };

static inline void sample_check(bool ok)
{
        if (!ok)
                abort();
}

static inline int sample_memfd(void)
{
        int fd = memfd_create("map", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        sample_check(fd >= 0);
        return fd;
}

static inline int sample_bytes(const void *bytes, size_t size)
{
        int fd = sample_memfd();

        sample_check(write(fd, bytes, size) == (ssize_t)size);
        sample_check(fcntl(fd, F_ADD_SEALS, SAMPLE_SEALS) == 0);
        return fd;
}

static inline struct map sample_finish(struct map_writer *writer, int fd)
{
        struct map map;

        sample_check(map_writer_finish(writer) == 0);
        sample_check(fcntl(fd, F_ADD_SEALS, SAMPLE_SEALS) == 0);
        sample_check(map_open(fd, &map) == 0);
        return map;
}

/* Source and lines are filled in: the line is the number and 1. */
static inline struct map sample_map(const struct map_rule *rules, size_t n_rules)
{
        int fd = sample_memfd();
        struct map_writer *writer = map_writer_new(fd);
        struct map_place place;

        for (size_t i = 0; i < n_rules; i++) {
                struct map_rule rule = rules[i];

                rule.source = "10.map";
                rule.line = (uint32_t)i + 1;
                sample_check(map_writer_add(writer, &rule, &place) >= 0);
        }
        return sample_finish(writer, fd);
}

static inline struct index_network sample_network(const char *text)
{
        struct index_network network = {0};

        if (text)
                sample_check(network_parse(text, &network) == 0);
        return network;
}

/* A rule as a map has it. NULL: any. */
struct sample_rule {
        const char *service;
        const char *user; /* "" is anonymous, "@" is in group 100 */
        const char *network;
        const char *host; /* ".suffix" or a name */
        bool denies;
};

static inline struct map_rule sample_rule(const struct sample_rule *written)
{
        struct map_rule rule = {
                .service = written->service,
                .network = sample_network(written->network),
                .host = written->host,
                .action = written->denies ? MAP_DENY : MAP_BECOME,
                .uid = 2000,
                .gid = 2000,
        };

        if (written->user && strcmp(written->user, "@") == 0) {
                rule.user_match = MAP_USER_GROUP;
                rule.user = "staff";
                rule.group = 100;
        } else if (written->user) {
                rule.user_match = written->user[0] ? MAP_USER_EXACT : MAP_USER_ANONYMOUS;
                rule.user = written->user[0] ? written->user : NULL;
        }
        if (written->host)
                rule.host_match = written->host[0] == '.' ? MAP_HOST_SUFFIX : MAP_HOST_EXACT;
        return rule;
}

static inline struct map_query sample_query(
        const char *service, const char *user, const char *address, const char *host)
{
        return (struct map_query){
                .service = service, .user = user, .address = address, .host = host, .groups_known = true};
}
