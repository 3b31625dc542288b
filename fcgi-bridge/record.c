/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/record.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

int record_decode_header(const unsigned char *data, size_t length, struct record *ret_record)
{
        size_t content;

        /* Section 3.3: there is one version. In another one the lengths may lie elsewhere: do not read on. */
        if (length >= 1 && data[0] != FCGI_VERSION_1)
                return -EPROTO;
        if (length < RECORD_HEADER_SIZE)
                return 0;
        content = (size_t)data[4] << 8 | data[5];
        *ret_record = (struct record){
                .type = data[1],
                .id = (uint16_t)(data[2] << 8 | data[3]),
                .content = data + RECORD_HEADER_SIZE,
                .length = content,
                .size = RECORD_HEADER_SIZE + content + data[6],
        };
        return 1;
}

int record_decode(const unsigned char *data, size_t length, struct record *ret_record)
{
        struct record record;
        int r = record_decode_header(data, length, &record);

        if (r <= 0)
                return r;
        if (length < record.size)
                return 0;
        *ret_record = record;
        return 1;
}

int record_begin_request(const struct record *record, uint16_t *ret_role, uint8_t *ret_flags)
{
        if (record->length != sizeof(FCGI_BeginRequestBody))
                return -EPROTO;
        *ret_role = (uint16_t)(record->content[0] << 8 | record->content[1]);
        *ret_flags = record->content[2];
        return 0;
}

void record_end_status(const struct record *record, uint32_t *ret_app_status, uint8_t *ret_protocol_status)
{
        const unsigned char *body = record->content;

        *ret_app_status = (uint32_t)body[0] << 24 | (uint32_t)body[1] << 16 | (uint32_t)body[2] << 8 | body[3];
        *ret_protocol_status = body[4];
}

size_t record_pair_length(const unsigned char *data, size_t length, uint32_t *ret_value)
{
        if (length < 1)
                return 0;
        if (!(data[0] & 0x80)) {
                *ret_value = data[0];
                return 1;
        }
        if (length < 4)
                return 0;
        *ret_value = (uint32_t)(data[0] & 0x7f) << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
        return 4;
}

size_t record_padding(size_t length)
{
        return (8 - length % 8) % 8;
}

void record_header(unsigned char *out, uint8_t type, uint16_t id, size_t length, size_t padding)
{
        out[0] = FCGI_VERSION_1;
        out[1] = type;
        out[2] = (unsigned char)(id >> 8);
        out[3] = (unsigned char)(id & 0xff);
        out[4] = (unsigned char)(length >> 8);
        out[5] = (unsigned char)(length & 0xff);
        out[6] = (unsigned char)padding;
        out[7] = 0;
}

void record_end_request(unsigned char *out, uint16_t id, uint32_t app_status, uint8_t protocol_status)
{
        unsigned char *body = out + RECORD_HEADER_SIZE;

        record_header(out, FCGI_END_REQUEST, id, 8, 0);
        memset(body, 0, 8);
        body[0] = (unsigned char)(app_status >> 24);
        body[1] = (unsigned char)(app_status >> 16);
        body[2] = (unsigned char)(app_status >> 8);
        body[3] = (unsigned char)app_status;
        body[4] = protocol_status;
}

void record_unknown_type(unsigned char *out, uint8_t type)
{
        unsigned char *body = out + RECORD_HEADER_SIZE;

        record_header(out, FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID, 8, 0);
        memset(body, 0, 8);
        body[0] = type;
}

/* Appends one short pair (both lengths below 128) at `out`; returns its size. */
static size_t write_pair(unsigned char *out, const char *name, unsigned value)
{
        char text[16];
        int value_length = snprintf(text, sizeof(text), "%u", value);
        size_t name_length = strlen(name);

        out[0] = (unsigned char)name_length;
        out[1] = (unsigned char)value_length;
        /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): lengths stand before it, section 3.4 */
        memcpy(out + 2, name, name_length);
        memcpy(out + 2 + name_length, text, (size_t)value_length);
        return 2 + name_length + (size_t)value_length;
}

/* Takes one pair off the front of `*data`: true with its name, false at the end or at a malformed pair. */
static bool next_name(const unsigned char **data, size_t *left, const unsigned char **ret_name, size_t *ret_name_length)
{
        uint32_t name_length, value_length;
        size_t used, more;

        used = record_pair_length(*data, *left, &name_length);
        if (used == 0)
                return false;
        more = record_pair_length(*data + used, *left - used, &value_length);
        used += more;
        if (more == 0 || (size_t)name_length + value_length > *left - used)
                return false;
        *ret_name = *data + used;
        *ret_name_length = name_length;
        *data += used + name_length + value_length;
        *left -= used + name_length + value_length;
        return true;
}

size_t record_values_result(
        unsigned char *out, const struct record *query, unsigned max_connections, unsigned max_requests)
{
        const struct {
                const char *name;
                unsigned value;
        } known[] = {
                {FCGI_MAX_CONNS, max_connections}, {FCGI_MAX_REQS, max_requests},
                {FCGI_MPXS_CONNS, 0}, /* one request at a time on a connection */
        };
        bool asked[ELEMENTS(known)] = {false};
        const unsigned char *data = query->content, *name;
        size_t left = query->length, name_length, length = 0;

        while (next_name(&data, &left, &name, &name_length))
                for (size_t i = 0; i < ELEMENTS(known); i++)
                        if (strlen(known[i].name) == name_length && memcmp(known[i].name, name, name_length) == 0)
                                asked[i] = true;
        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (asked[i])
                        length += write_pair(out + RECORD_HEADER_SIZE + length, known[i].name, known[i].value);
        record_header(out, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, length, 0);
        return RECORD_HEADER_SIZE + length;
}
