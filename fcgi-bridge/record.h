/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <fastcgi.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Records, the unit of the FastCGI wire: FastCGI Specification 1.0, section 3.3, and the fixed bodies of
 * sections 4 and 5. fastcgi.h names the constants. Pure: bytes in, bytes out.
 */

enum {
        RECORD_HEADER_SIZE = FCGI_HEADER_LEN,
        RECORD_CONTENT_MAX = FCGI_MAX_LENGTH,
        RECORD_MAX = FCGI_HEADER_LEN + FCGI_MAX_LENGTH + 255, /* header, content, padding */
        RECORD_FIXED_SIZE = FCGI_HEADER_LEN + 8,              /* a record with one of the fixed bodies */
        RECORD_VALUES_MAX = 128,                              /* the longest answer to FCGI_GET_VALUES */
};

struct record {
        uint8_t type;
        uint16_t id;
        const unsigned char *content; /* points into the decoded bytes */
        size_t length;                /* of the content */
        size_t size;                  /* of the whole record with header and padding */
};

/*
 * Looks at the first record in `length` bytes. Returns 1 when the whole record is there; 0 when more bytes
 * are needed; -EPROTO as soon as the version is seen not to be 1.
 */
int record_decode(const unsigned char *data, size_t length, struct record *ret_record);

/*
 * The same, as soon as the header is there: 1 then, and `content` points behind it, to what may still have to come.
 */
int record_decode_header(const unsigned char *data, size_t length, struct record *ret_record);

/* The body of FCGI_BEGIN_REQUEST (section 5.1). Returns 0, or -EPROTO when the content is not 8 bytes. */
int record_begin_request(const struct record *record, uint16_t *ret_role, uint8_t *ret_flags);

/* The body of FCGI_END_REQUEST (section 5.5), of which the caller has seen that it is 8 bytes. */
void record_end_status(const struct record *record, uint32_t *ret_app_status, uint8_t *ret_protocol_status);

/*
 * One length of a name-value pair (section 3.4): one byte up to 127, or four bytes with the high bit set.
 * Returns how many bytes it took, 1 or 4; 0 when `length` bytes are not enough to know it.
 */
size_t record_pair_length(const unsigned char *data, size_t length, uint32_t *ret_value);

/* How many padding bytes bring `length` to a multiple of eight, as section 3.3 recommends. */
size_t record_padding(size_t length);

/* Writes a header; `length` is at most RECORD_CONTENT_MAX, `padding` at most 255. */
void record_header(unsigned char *out, uint8_t type, uint16_t id, size_t length, size_t padding);

/* Writes a whole FCGI_END_REQUEST (section 5.5) or FCGI_UNKNOWN_TYPE (section 4.2): RECORD_FIXED_SIZE bytes.
 */
void record_end_request(unsigned char *out, uint16_t id, uint32_t app_status, uint8_t protocol_status);
void record_unknown_type(unsigned char *out, uint8_t type);

/*
 * Writes the FCGI_GET_VALUES_RESULT (section 4.1) to the FCGI_GET_VALUES `query` into `out`, which has room
 * for RECORD_VALUES_MAX bytes; returns its length. A variable asked for twice is answered once, one that is
 * not known is left out, as is what follows a malformed pair.
 */
size_t record_values_result(
        unsigned char *out, const struct record *query, unsigned max_connections, unsigned max_requests);
