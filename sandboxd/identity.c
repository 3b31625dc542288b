/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/identity.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool bits_equal(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
        uint32_t bytes = bits / 8, rest = bits % 8;
        uint8_t mask = (uint8_t)(0xff << (8 - rest));

        return memcmp(a, b, bytes) == 0 && (rest == 0 || ((a[bytes] ^ b[bytes]) & mask) == 0);
}

bool identity_in_network(const struct index_network *network, const struct index_network *address)
{
        if (network->family == 0)
                return true;
        return network->family == address->family && bits_equal(network->address, address->address, network->prefix);
}

static void unmap_ipv4(struct index_network *network)
{
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

        if (network->family != AF_INET6 || network->prefix < 96 ||
                memcmp(network->address, mapped, sizeof(mapped)) != 0)
                return;
        network->family = AF_INET;
        network->prefix -= 96;
        memmove(network->address, network->address + 12, 4);
        memset(network->address + 4, 0, 12);
}

static int parse_prefix(const char *text, uint32_t max, uint32_t *ret_prefix)
{
        char *end;
        unsigned long value;

        if (text[0] < '0' || text[0] > '9')
                return -EINVAL;
        value = strtoul(text, &end, 10);
        if (*end || value > max)
                return -EINVAL;
        *ret_prefix = (uint32_t)value;
        return 0;
}

static bool host_bits_clear(const struct index_network *network, uint32_t width)
{
        for (uint32_t bit = network->prefix; bit < width; bit++)
                if (network->address[bit / 8] & (0x80 >> (bit % 8)))
                        return false;
        return true;
}

int identity_parse_network(const char *text, struct index_network *ret_network)
{
        struct index_network network = {0};
        const char *slash = strchr(text, '/');
        size_t length = slash ? (size_t)(slash - text) : strlen(text);
        char address[INET6_ADDRSTRLEN];
        uint32_t width;

        if (length >= sizeof(address))
                return -EINVAL;
        memcpy(address, text, length);
        address[length] = '\0';
        if (inet_pton(AF_INET, address, network.address) == 1)
                network.family = AF_INET;
        else if (inet_pton(AF_INET6, address, network.address) == 1)
                network.family = AF_INET6;
        else
                return -EINVAL;
        width = network.family == AF_INET ? 32 : 128;
        network.prefix = width;
        if (slash && parse_prefix(slash + 1, width, &network.prefix) < 0)
                return -EINVAL;
        if (!host_bits_clear(&network, width))
                return -ERANGE;
        unmap_ipv4(&network);
        *ret_network = network;
        return 0;
}

/*
 * Without an address or a host (the web server named none, or its word does not count), a rule that asks for one
 * does not match if it admits, and does if it denies: leaving it out must not be a way round a deny rule.
 */
static bool address_matches(const struct index_rule *rule, const struct index_network *address)
{
        if (rule->network.family == 0)
                return true;
        if (address->family == 0)
                return rule->action == INDEX_DENY;
        return identity_in_network(&rule->network, address);
}

static bool user_matches(const struct index *index, const struct index_rule *rule, const char *user)
{
        switch (rule->user_match) {
        case INDEX_ANY:
                return true;
        case INDEX_ANONYMOUS:
                return user[0] == '\0';
        case INDEX_EXACT:
                return strcmp(index_text(index, rule->user), user) == 0;
        default:
                return false;
        }
}

static bool host_matches(const struct index *index, const struct index_rule *rule, const char *host)
{
        const char *pattern = index_text(index, rule->host);
        size_t length = strlen(host), suffix;

        if (rule->host_match == INDEX_ANY)
                return true;
        if (length == 0)
                return rule->action == INDEX_DENY;
        if (!pattern)
                return false;
        if (length > 1 && host[length - 1] == '.')
                length--; /* the same name, fully qualified */
        suffix = strlen(pattern);
        switch (rule->host_match) {
        case INDEX_EXACT:
                return length == suffix && strncasecmp(host, pattern, length) == 0;
        case INDEX_SUFFIX:
                return length > suffix && strncasecmp(host + length - suffix, pattern, suffix) == 0;
        default:
                return false;
        }
}

const struct index_rule *identity_match(const struct index *index, const struct identity_query *query)
{
        const struct index_rule *rules = index_rules(index);
        struct index_network address = {0};

        if (strchr(query->address, '/') || identity_parse_network(query->address, &address) < 0)
                address.family = 0;
        for (size_t i = 0; i < index->header->rules.count; i++) {
                const struct index_rule *rule = &rules[i];

                if (rule->service && strcmp(index_text(index, rule->service), query->service) != 0)
                        continue;
                if (address_matches(rule, &address) && user_matches(index, rule, query->user) &&
                        host_matches(index, rule, query->host))
                        return rule;
        }
        return NULL;
}

/* nobody, nogroup: whatever a user namespace does not map (user_namespaces(7)), so nobody's identity. */
enum { OVERFLOW_ID = 65534 };

static bool is_reserved(uint32_t id, const uint32_t *reserved, size_t n_reserved)
{
        for (size_t i = 0; i < n_reserved; i++)
                if (reserved[i] == id)
                        return true;
        return false;
}

const char *identity_refusal(
        const struct index *index, const struct index_rule *rule, const uint32_t *reserved, size_t n_reserved)
{
        const uint32_t *groups = index_array(index, rule->groups);
        const struct index_header *header = index->header;

        if (rule->uid == 0 || rule->uid == UINT32_MAX || rule->uid == OVERFLOW_ID)
                return "its uid is 0, 65534 or -1";
        if (rule->gid == 0 || rule->gid == UINT32_MAX || rule->gid == OVERFLOW_ID)
                return "its gid is 0, 65534 or -1";
        if (rule->uid < header->min_uid)
                return "its uid is below MinUID=";
        if (rule->gid < header->min_gid)
                return "its gid is below MinGID=";
        if (is_reserved(rule->uid, reserved, n_reserved) || is_reserved(rule->gid, reserved, n_reserved))
                return "it is one of sandboxd's own accounts";
        for (size_t i = 0; i < rule->groups.count; i++) {
                if (groups[i] == 0 || groups[i] == UINT32_MAX || groups[i] == OVERFLOW_ID)
                        return "one of its groups is 0, 65534 or -1";
                if (groups[i] < header->min_gid)
                        return "one of its groups is below MinGID=";
                if (is_reserved(groups[i], reserved, n_reserved))
                        return "one of its groups is one of sandboxd's own";
        }
        return NULL;
}
