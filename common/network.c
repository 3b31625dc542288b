/* SPDX-License-Identifier: Apache-2.0 */
#include "common/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool bits_equal(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
        uint32_t bytes = bits / 8, rest = bits % 8;
        uint8_t mask = (uint8_t)(0xff << (8 - rest));

        return memcmp(a, b, bytes) == 0 && (rest == 0 || ((a[bytes] ^ b[bytes]) & mask) == 0);
}

bool network_contains(const struct index_network *network, const struct index_network *address)
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
        for (uint32_t bit = network->prefix; bit < width; bit = (bit | 7) + 1)
                if (network->address[bit / 8] & (0xff >> (bit % 8)))
                        return false;
        return true;
}

int network_parse(const char *text, struct index_network *ret_network)
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

int network_parse_address(const char *text, struct index_network *ret_address)
{
        return strchr(text, '/') ? -EINVAL : network_parse(text, ret_address);
}

const char *network_text(const struct index_network *network, char text[NETWORK_TEXT_SIZE])
{
        int family = network->family == AF_INET ? AF_INET : AF_INET6;
        uint32_t width = family == AF_INET ? 32 : 128;
        size_t length;

        if (network->family == 0 || !inet_ntop(family, network->address, text, NETWORK_TEXT_SIZE)) {
                snprintf(text, NETWORK_TEXT_SIZE, "any");
                return text;
        }
        length = strlen(text);
        if (network->prefix < width)
                snprintf(text + length, NETWORK_TEXT_SIZE - length, "/%u", network->prefix);
        return text;
}
