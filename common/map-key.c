/* SPDX-License-Identifier: Apache-2.0 */
#include "common/map-key.h"

#include <netinet/in.h>
#include <string.h>

/* The first byte of a branch. A suffix needs none of its own: it begins with its dot. */
enum {
        ANY = '*',
        UNKNOWN = '?',
        EXACT = '=',
        ANONYMOUS = '-',
        GROUP = '@',
        SOME_GROUP = '&',
        IPV4 = '4',
        IPV6 = '6',
};

static bool append(struct map_key *key, const void *bytes, size_t length)
{
        if (length > sizeof(key->bytes) - key->length)
                return false;
        memcpy(key->bytes + key->length, bytes, length);
        key->length += length;
        return true;
}

static bool append_byte(struct map_key *key, uint8_t byte)
{
        return append(key, &byte, 1);
}

/* With its NUL. */
static bool append_text(struct map_key *key, const char *text)
{
        return append(key, text, strlen(text) + 1);
}

/*
 * Hexadecimal digits, though bytes would be shorter: cdb_hash() multiplies by 33 from byte to byte, so that two bytes
 * that run through all their values give only some eight thousand hashes, and chains get long.
 */
static bool append_digit(struct map_key *key, unsigned digit)
{
        return append_byte(key, (uint8_t) "0123456789abcdef"[digit & 0xf]);
}

static bool append_number(struct map_key *key, uint32_t number)
{
        for (unsigned shift = 32; shift > 0; shift -= 4)
                if (!append_digit(key, number >> (shift - 4)))
                        return false;
        return true;
}

void map_key_header(struct map_key *key)
{
        key->length = 0;
        append_byte(key, 'H');
}

void map_key_rule(struct map_key *key, uint32_t number)
{
        key->length = 0;
        append_byte(key, 'R');
        append_number(key, number);
}

bool map_key_service(struct map_key *key, const char *service)
{
        key->length = 0;
        return append_byte(key, 'T') && append_text(key, service ? service : "");
}

bool map_key_any(struct map_key *key)
{
        return append_byte(key, ANY);
}

bool map_key_unknown(struct map_key *key)
{
        return append_byte(key, UNKNOWN);
}

bool map_key_some_group(struct map_key *key)
{
        return append_byte(key, SOME_GROUP);
}

static bool append_condition(struct map_key *key, const struct map_condition *condition)
{
        if (!append_text(key, condition->name))
                return false;
        if (!condition->value)
                return append_byte(key, ANY);
        return append_byte(key, EXACT) && append_text(key, condition->value);
}

bool map_key_conditions(struct map_key *key, const struct map_condition *conditions, size_t n_conditions)
{
        if (n_conditions == 0)
                return map_key_any(key);
        if (!append_byte(key, (uint8_t)n_conditions))
                return false;
        for (size_t i = 0; i < n_conditions; i++)
                if (!append_condition(key, &conditions[i]))
                        return false;
        return true;
}

/* Four bits of an address, those beyond the prefix cleared. */
static unsigned network_digit(const struct index_network *network, uint32_t prefix, uint32_t i)
{
        unsigned byte = network->address[i / 2], digit = i % 2 ? byte & 0xf : byte >> 4, bits = prefix - 4 * i;

        return bits >= 4 ? digit : digit & (0xfU << (4 - bits));
}

bool map_key_network(struct map_key *key, const struct index_network *network, uint32_t prefix)
{
        if (network->family == 0)
                return map_key_any(key);
        if (!append_byte(key, network->family == AF_INET ? IPV4 : IPV6) || !append_digit(key, prefix >> 4) ||
                !append_digit(key, prefix))
                return false;
        for (uint32_t i = 0; 4 * i < prefix; i++)
                if (!append_digit(key, network_digit(network, prefix, i)))
                        return false;
        return true;
}

static uint8_t lower(uint8_t byte)
{
        return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte - 'A' + 'a') : byte;
}

bool map_key_host(struct map_key *key, enum map_host host_match, const char *host, size_t length)
{
        size_t start;

        if (host_match == MAP_HOST_EXACT && !append_byte(key, EXACT))
                return false;
        start = key->length;
        if (!append(key, host, length))
                return false;
        for (size_t i = start; i < key->length; i++)
                key->bytes[i] = lower(key->bytes[i]);
        return append_byte(key, '\0');
}

bool map_key_user(struct map_key *key, enum map_user user_match, const char *user, uint32_t group)
{
        switch (user_match) {
        case MAP_USER_ANY:
                return map_key_any(key);
        case MAP_USER_ANONYMOUS:
                return append_byte(key, ANONYMOUS);
        case MAP_USER_EXACT:
                return append_byte(key, EXACT) && append_text(key, user);
        case MAP_USER_GROUP:
                return append_byte(key, GROUP) && append_number(key, group);
        }
        return false;
}
