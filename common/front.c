/* SPDX-License-Identifier: Apache-2.0 */
#include "common/front.h"

#include <string.h>

#include "common/network.h"

bool front_has_uid(const uint32_t *uids, size_t n, uid_t uid)
{
        for (size_t i = 0; i < n; i++)
                if (uids[i] == uid)
                        return true;
        return false;
}

const struct index_service *front_service(const struct index *index, const struct front *front)
{
        const struct index_service *services = index_services(index), *wildcard = NULL;

        for (size_t i = 0; i < index->header->services.count; i++)
                for (size_t k = 0; k < services[i].doors.count; k++) {
                        const char *door = index_item(index, services[i].doors, k);

                        if (strcmp(door, front->door) == 0)
                                return &services[i];
                        if (front->wildcard[0] && strcmp(door, front->wildcard) == 0)
                                wildcard = &services[i];
                }
        return wildcard;
}

static bool is_listed_ip(const struct index *index, struct index_span span, const char *ip)
{
        const struct index_network *networks = index_array(index, span);
        struct index_network address;

        if (network_parse(ip, &address) < 0)
                return false;
        for (size_t i = 0; i < span.count; i++)
                if (network_contains(&networks[i], &address))
                        return true;
        return false;
}

enum front_trust front_trust(const struct index *index, const struct index_service *service, const struct front *front)
{
        if (front->is_unix)
                return front_has_uid(
                               index_array(index, service->front_end_users), service->front_end_users.count, front->uid)
                               ? FRONT_TRUSTED
                               : FRONT_STRANGER;
        return is_listed_ip(index, service->trusted, front->ip) ? FRONT_TRUSTED : FRONT_NETWORK;
}
