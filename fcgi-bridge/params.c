/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/params.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fcgi-bridge/record.h"

static int fail(struct params *params, int error, const char *problem)
{
        params->problem = problem;
        return error;
}

void params_init(struct params *params, size_t max_bytes, size_t max_count)
{
        *params = (struct params){.max_bytes = max_bytes, .max_count = max_count};
}

void params_clear(struct params *params)
{
        free(params->block);
        free(params->list);
        params_init(params, params->max_bytes, params->max_count);
}

/* Makes room in `*memory` for `needed` elements, doubling from `first` on; the caller has bounded `needed`.
 */
static int reserve(void **memory, size_t *size, size_t needed, size_t first, size_t element)
{
        size_t wanted = *size ? *size : first;
        void *grown;

        if (needed <= *size)
                return 0;
        while (wanted < needed)
                wanted *= 2;
        grown = realloc(*memory, wanted * element);
        if (!grown)
                return -ENOMEM;
        *memory = grown;
        *size = wanted;
        return 0;
}

/* Both lengths are known: checks them against what the limits leave, and only then takes memory. */
static int open_pair(struct params *params, uint32_t name_length, uint32_t value_length)
{
        size_t left = params->max_bytes - params->received;
        int r;

        if (name_length > left || value_length > left - name_length)
                return fail(params, -E2BIG, "parameters too long");
        if (++params->pairs > params->max_count)
                return fail(params, -E2BIG, "too many parameters");
        if (name_length == 0)
                return fail(params, -EINVAL, "parameter without a name");
        r = reserve((void **)&params->block, &params->size, params->length + name_length + value_length + 2, 2048, 1);
        if (r == 0)
                r = reserve((void **)&params->list, &params->list_size, params->count + 1, 32, sizeof(*params->list));
        if (r < 0)
                return fail(params, r, "out of memory");
        params->pair = (struct param){
                .name = params->length,
                .name_length = name_length,
                .value = params->length + name_length + 1,
                .value_length = value_length,
        };
        params->filled = 0;
        params->in_pair = true;
        return 0;
}

/* Takes one byte of the pair's two lengths (section 3.4). */
static int feed_length(struct params *params, unsigned char byte)
{
        uint32_t name_length, value_length;
        size_t used;

        params->lengths[params->lengths_used++] = byte;
        used = record_pair_length(params->lengths, params->lengths_used, &name_length);
        if (used == 0 || record_pair_length(params->lengths + used, params->lengths_used - used, &value_length) == 0)
                return 0;
        params->lengths_used = 0;
        return open_pair(params, name_length, value_length);
}

/* Copies what `data` has of the pair's name and value to their places; returns how many bytes that was. */
static size_t feed_pair(struct params *params, const unsigned char *data, size_t length)
{
        const struct param *pair = &params->pair;
        size_t used = 0, part;

        if (params->filled < pair->name_length) {
                part = pair->name_length - params->filled;
                used = part < length ? part : length;
                memcpy(params->block + pair->name + params->filled, data, used);
                params->filled += used;
        }
        if (params->filled >= pair->name_length && used < length) {
                part = pair->name_length + pair->value_length - params->filled;
                part = part < length - used ? part : length - used;
                memcpy(params->block + pair->value + (params->filled - pair->name_length), data + used, part);
                params->filled += part;
                used += part;
        }
        return used;
}

static bool is_variable_name(const char *name, size_t length)
{
        for (size_t i = 0; i < length; i++) {
                char c = name[i];
                bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';

                if (!letter && !(i > 0 && c >= '0' && c <= '9'))
                        return false;
        }
        return length > 0;
}

static bool is_dropped(const char *name, size_t length)
{
        static const char proxy[] = "HTTP_PROXY", ours[] = "SANDBOXD_";

        if (!is_variable_name(name, length))
                return true;
        if (length == sizeof(proxy) - 1 && strncasecmp(name, proxy, length) == 0)
                return true;
        return length >= sizeof(ours) - 1 && strncasecmp(name, ours, sizeof(ours) - 1) == 0;
}

static const struct param *find(const struct params *params, const char *name, size_t length)
{
        for (size_t i = 0; i < params->count; i++) {
                const struct param *param = &params->list[i];

                if (param->name_length == length && memcmp(params->block + param->name, name, length) == 0)
                        return param;
        }
        return NULL;
}

static bool is_header(const char *name, size_t length)
{
        return length > 5 && memcmp(name, "HTTP_", 5) == 0;
}

/*
 * RFC 3875 section 4.1.18: a header field that a client repeats is one meta-variable, its values joined; some web
 * servers leave that to us. Cookies are joined as RFC 6265 section 4.2.1 writes them. The block has room: what is
 * inserted is shorter than the pair that stands behind it.
 */
static int join(struct params *params, const struct param *first)
{
        const struct param *pair = &params->pair;
        bool cookie = first->name_length == 11 && memcmp(params->block + first->name, "HTTP_COOKIE", 11) == 0;
        size_t index = (size_t)(first - params->list), added = pair->value_length + 2;
        char *end = params->block + first->value + first->value_length; /* its NUL */
        char *value = malloc(pair->value_length + 1);

        if (!value)
                return fail(params, -ENOMEM, "out of memory");
        memcpy(value, params->block + pair->value, pair->value_length);
        memmove(end + added, end, params->length - (size_t)(end - params->block));
        /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): the value follows, and its NUL was moved along */
        memcpy(end, cookie ? "; " : ", ", 2);
        memcpy(end + 2, value, pair->value_length);
        free(value);
        params->list[index].value_length += added;
        params->length += added;
        for (size_t i = index + 1; i < params->count; i++) {
                params->list[i].name += added;
                params->list[i].value += added;
        }
        return 0;
}

/* The pair is whole: judges it, and makes it a part of the block or lets the next one overwrite it. */
static int close_pair(struct params *params)
{
        const struct param *pair = &params->pair;
        const char *name = params->block + pair->name, *value = params->block + pair->value;
        const struct param *first;

        params->in_pair = false;
        if (memchr(name, '\0', pair->name_length) || memchr(name, '=', pair->name_length))
                return fail(params, -EINVAL, "NUL or '=' in a parameter's name");
        if (memchr(value, '\0', pair->value_length))
                return fail(params, -EINVAL, "NUL in a parameter's value");
        if (is_dropped(name, pair->name_length)) {
                params->dropped++;
                return 0;
        }
        first = find(params, name, pair->name_length);
        if (first && !is_header(name, pair->name_length))
                return fail(params, -EEXIST, "repeated parameter");
        if (first)
                return join(params, first);
        params->block[pair->value - 1] = '=';
        params->block[pair->value + pair->value_length] = '\0';
        params->length = pair->value + pair->value_length + 1;
        params->list[params->count++] = *pair;
        return 0;
}

int params_feed(struct params *params, const unsigned char *data, size_t length)
{
        while (length > 0) {
                size_t used = 1;
                int r = 0;

                if (params->received >= params->max_bytes)
                        return fail(params, -E2BIG, "parameters too long");
                if (params->in_pair)
                        used = feed_pair(params, data, length);
                params->received += used;
                if (!params->in_pair)
                        r = feed_length(params, *data);
                if (r == 0 && params->in_pair && params->filled == params->pair.name_length + params->pair.value_length)
                        r = close_pair(params);
                if (r < 0)
                        return r;
                data += used;
                length -= used;
        }
        return 0;
}

int params_end(struct params *params)
{
        if (params->in_pair || params->lengths_used > 0)
                return fail(params, -EINVAL, "parameters end within a pair");
        return 0;
}

const struct param *params_find(const struct params *params, const char *name)
{
        return find(params, name, strlen(name));
}

void params_cut(struct params *params, const struct param *param, size_t skip, size_t length)
{
        size_t index = (size_t)(param - params->list);
        size_t removed = param->value_length - length;
        size_t old_end = param->value + param->value_length; /* its NUL */
        char *value = params->block + param->value;

        memmove(value, value + skip, length);
        memmove(value + length, params->block + old_end, params->length - old_end);
        params->list[index].value_length = length;
        params->length -= removed;
        for (size_t i = index + 1; i < params->count; i++) {
                params->list[i].name -= removed;
                params->list[i].value -= removed;
        }
}
