/* SPDX-License-Identifier: Apache-2.0 */
#include "common/index.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/warm.h"

static const int index_seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;

const char *index_text(const struct index *index, index_string string)
{
        return string ? (const char *)index->header + string : NULL;
}

const void *index_array(const struct index *index, struct index_span span)
{
        return (const char *)index->header + span.offset;
}

const struct index_service *index_services(const struct index *index)
{
        return index_array(index, index->header->services);
}

const char *index_item(const struct index *index, struct index_span span, size_t i)
{
        return index_text(index, ((const index_string *)index_array(index, span))[i]);
}

static bool string_ok(const struct index *index, index_string string)
{
        return string < index->size;
}

static bool span_ok(const struct index *index, struct index_span span, size_t element)
{
        if (span.count == 0)
                return true;
        return span.offset % 8 == 0 && span.offset >= sizeof(struct index_header) && span.offset < index->size &&
               span.count <= (index->size - span.offset) / element;
}

static bool strings_ok(const struct index *index, struct index_span span)
{
        if (!span_ok(index, span, sizeof(index_string)))
                return false;
        for (size_t i = 0; i < span.count; i++)
                if (!index_item(index, span, i) ||
                        !string_ok(index, ((const index_string *)index_array(index, span))[i]))
                        return false;
        return true;
}

static bool network_ok(const struct index_network *network)
{
        return (network->family == 0 && network->prefix == 0) ||
               (network->family == AF_INET && network->prefix <= 32) ||
               (network->family == AF_INET6 && network->prefix <= 128);
}

static bool networks_ok(const struct index *index, struct index_span span)
{
        const struct index_network *networks = index_array(index, span);

        if (!span_ok(index, span, sizeof(*networks)))
                return false;
        for (size_t i = 0; i < span.count; i++)
                if (!network_ok(&networks[i]))
                        return false;
        return true;
}

static bool binds_ok(const struct index *index, struct index_span span)
{
        const struct index_bind *binds = index_array(index, span);

        if (!span_ok(index, span, sizeof(*binds)))
                return false;
        for (size_t i = 0; i < span.count; i++)
                if (!binds[i].source || !binds[i].target || !string_ok(index, binds[i].source) ||
                        !string_ok(index, binds[i].target))
                        return false;
        return true;
}

/* A filter is attached whole or not at all: an empty one would be no confinement. */
static bool filter_ok(const struct index *index, struct index_span span)
{
        return span.count > 0 && span.count <= BPF_MAXINSNS && span_ok(index, span, sizeof(struct sock_filter));
}

/* A warm service has something to bring up, and a filter for what is forked of it; any other has neither. */
static bool warm_ok(const struct index *index, const struct index_service *service)
{
        if (service->type >= INDEX_TYPES || service->warm_spare > WARM_SLOTS_MAX ||
                service->warm_children_max > WARM_SLOTS_MAX || service->warm_up.count > INDEX_WARM_UP_MAX ||
                service->warm_watch.count > INDEX_WARM_WATCH_MAX || !strings_ok(index, service->warm_up) ||
                !strings_ok(index, service->warm_watch))
                return false;
        if (!(service->flags & INDEX_WARM))
                return service->filter_warm.count == 0 && !(service->flags & INDEX_TMP_SHARED);
        return service->type != INDEX_TYPE_CGI && service->argv.count > 0 && service->warm_spare > 0 &&
               service->warm_idle > 0 && service->flags & INDEX_RUNNER && filter_ok(index, service->filter_warm) &&
               !(service->flags & INDEX_PRIVATE_IPC) &&
               !(service->flags & INDEX_PRIVATE_TMP) == !(service->flags & INDEX_TMP_SHARED);
}

static bool service_ok(const struct index *index, const struct index_service *service)
{
        return service->name && string_ok(index, service->name) && service->source &&
               string_ok(index, service->source) && string_ok(index, service->label) &&
               string_ok(index, service->script_directory) && string_ok(index, service->working_directory) &&
               string_ok(index, service->root_directory) && string_ok(index, service->context) &&
               strings_ok(index, service->doors) && strings_ok(index, service->argv) &&
               strings_ok(index, service->environment) && strings_ok(index, service->pass_environment) &&
               (service->argv.count > 0 || service->script_directory) && binds_ok(index, service->binds) &&
               span_ok(index, service->front_end_users, sizeof(uint32_t)) && networks_ok(index, service->trusted) &&
               filter_ok(index, service->filter_allow) && filter_ok(index, service->filter_deny) &&
               filter_ok(index, service->filter_last) && warm_ok(index, service);
}

static bool index_ok(const struct index *index)
{
        const struct index_header *header = index->header;

        if (header->magic != INDEX_MAGIC || header->version != INDEX_VERSION || header->size != index->size)
                return false;
        if (((const char *)header)[index->size - 1] != '\0' || header->selinux > INDEX_SELINUX_REQUIRE)
                return false;
        if (!span_ok(index, header->services, sizeof(struct index_service)))
                return false;
        for (size_t i = 0; i < header->services.count; i++)
                if (!service_ok(index, &index_services(index)[i]))
                        return false;
        return true;
}

int index_open(int fd, struct index *ret_index)
{
        struct index index = {.fd = fd};
        struct stat st;
        void *base;
        int seals = fcntl(fd, F_GET_SEALS);

        if (seals < 0)
                return -errno;
        if ((seals & index_seals) != index_seals)
                return -EBADMSG;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size < (off_t)sizeof(struct index_header) || st.st_size > INDEX_SIZE_MAX)
                return -EBADMSG;
        index.size = (size_t)st.st_size;
        base = mmap(NULL, index.size, PROT_READ, MAP_SHARED, fd, 0);
        if (base == MAP_FAILED)
                return -errno;
        index.header = base;
        if (!index_ok(&index)) {
                munmap(base, index.size);
                return -EBADMSG;
        }
        *ret_index = index;
        return 0;
}

void index_close(struct index *index)
{
        if (index->header)
                munmap((void *)(uintptr_t)index->header, index->size);
        index->header = NULL;
        index->fd = close_fd(index->fd);
}
