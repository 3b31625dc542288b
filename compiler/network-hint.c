/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/network-hint.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "compiler/value.h"

static const char *write_network(int family, uint8_t *address, unsigned width, unsigned prefix, char *hint)
{
        char text[INET6_ADDRSTRLEN];

        for (unsigned bit = prefix; bit < width; bit++)
                address[bit / 8] &= (uint8_t) ~(0x80 >> (bit % 8));
        if (!inet_ntop(family, address, text, sizeof(text)))
                return NULL;
        snprintf(hint, NETWORK_HINT_SIZE, "%s/%u", text, prefix);
        return hint;
}

/* "255.255.0.0", one bits before zero bits. */
static bool is_mask(const char *text, unsigned *ret_prefix)
{
        struct in_addr address;
        uint32_t mask, rest;

        if (inet_pton(AF_INET, text, &address) != 1)
                return false;
        mask = ntohl(address.s_addr);
        rest = ~mask;
        if (rest & (rest + 1))
                return false;
        *ret_prefix = (unsigned)__builtin_popcount(mask);
        return true;
}

static const char *hint_prefix(const char *text, const char *slash, char *hint)
{
        char before[INET6_ADDRSTRLEN];
        uint8_t address[16];
        unsigned mask;
        uint64_t prefix;
        bool is_ipv4;

        if ((size_t)(slash - text) >= sizeof(before))
                return NULL;
        snprintf(before, sizeof(before), "%.*s", (int)(slash - text), text);
        is_ipv4 = inet_pton(AF_INET, before, address) == 1;
        if (is_ipv4 && is_mask(slash + 1, &mask))
                return write_network(AF_INET, address, 32, mask, hint);
        if (!is_ipv4 && inet_pton(AF_INET6, before, address) != 1)
                return NULL;
        if (value_number(slash + 1, is_ipv4 ? 32 : 128, &prefix) < 0)
                return NULL;
        return is_ipv4 ? write_network(AF_INET, address, 32, (unsigned)prefix, hint)
                       : write_network(AF_INET6, address, 128, (unsigned)prefix, hint);
}

/* One to three numbers, each with a dot behind it, the last one perhaps without. */
static const char *hint_dotted(const char *text, char *hint)
{
        uint8_t address[4] = {0};
        unsigned n = 0;

        while (*text && n < 3) {
                char number[4];
                size_t length = strcspn(text, ".");
                uint64_t value;

                if (length == 0 || length >= sizeof(number))
                        return NULL;
                snprintf(number, sizeof(number), "%.*s", (int)length, text);
                if (value_number(number, 255, &value) < 0)
                        return NULL;
                address[n++] = (uint8_t)value;
                text += length + (text[length] == '.');
        }
        return *text ? NULL : write_network(AF_INET, address, 32, 8 * n, hint);
}

const char *network_hint(const char *text, char hint[NETWORK_HINT_SIZE])
{
        const char *slash = strchr(text, '/');

        return slash ? hint_prefix(text, slash, hint) : hint_dotted(text, hint);
}
