/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/fastcgi.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/warm.h"
#include "fcgi-bridge/record.h"

enum {
        ANSWER_MAX = 1024,
        PAIR_OVERHEAD = 2 * 4 - 1, /* two lengths, in place of the "=" */
        OUT_MAX = FASTCGI_PARAMS_MAX + 2 * RECORD_FIXED_SIZE,
};

static int send_whole(int fd, const unsigned char *data, size_t size)
{
        for (size_t done = 0; done < size;) {
                ssize_t n = send(fd, data + done, size - done, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        done += (size_t)n;
        }
        return 0;
}

/* Section 3.4. */
static size_t put_length(unsigned char *out, size_t length)
{
        if (length < 128) {
                out[0] = (unsigned char)length;
                return 1;
        }
        out[0] = (unsigned char)(length >> 24 | 0x80);
        out[1] = (unsigned char)(length >> 16);
        out[2] = (unsigned char)(length >> 8);
        out[3] = (unsigned char)length;
        return 4;
}

static size_t put_pair(unsigned char *out, const char *variable)
{
        size_t name = strcspn(variable, "="), value = strlen(variable + name + 1), used = put_length(out, name);

        used += put_length(out + used, value);
        memcpy(out + used, variable, name);
        memcpy(out + used + name, variable + name + 1, value);
        return used + name + value;
}

/*
 * Whole pairs in each record. The specification lets one straddle two (section 3.4 with 3.3), but php-cgi takes that
 * for the end of the connection.
 */
static int put_params(char *const *variables, unsigned char *out, size_t size, size_t *ret_used)
{
        size_t record = 0, used = RECORD_HEADER_SIZE;

        for (; *variables; variables++) {
                size_t most = strlen(*variables) + PAIR_OVERHEAD;

                if (most > RECORD_CONTENT_MAX || size - used < most + 2UL * RECORD_HEADER_SIZE)
                        return -E2BIG;
                if (used + most - record - RECORD_HEADER_SIZE > RECORD_CONTENT_MAX) {
                        record_header(out + record, FCGI_PARAMS, FASTCGI_ID, used - record - RECORD_HEADER_SIZE, 0);
                        record = used;
                        used += RECORD_HEADER_SIZE;
                }
                used += put_pair(out + used, *variables);
        }
        record_header(out + record, FCGI_PARAMS, FASTCGI_ID, used - record - RECORD_HEADER_SIZE, 0);
        if (used - record > RECORD_HEADER_SIZE) { /* else it is the empty one that ends the stream already */
                record_header(out + used, FCGI_PARAMS, FASTCGI_ID, 0, 0);
                used += RECORD_HEADER_SIZE;
        }
        *ret_used = used;
        return 0;
}

/* A stream that is one record, and the empty one that ends it. Returns how long they are. */
static size_t put_stream(unsigned char *out, uint8_t type, const char *data, size_t size)
{
        size_t used = size > 0 ? RECORD_HEADER_SIZE + size : 0;

        if (size > 0) {
                record_header(out, type, FASTCGI_ID, size, 0);
                memcpy(out + RECORD_HEADER_SIZE, data, size);
        }
        record_header(out + used, type, FASTCGI_ID, 0, 0);
        return used + RECORD_HEADER_SIZE;
}

int fastcgi_send_request(int fd, char *const *variables, bool no_body)
{
        static unsigned char out[OUT_MAX];
        static const unsigned char body[8] = {0, FCGI_RESPONDER};
        size_t size = 0, used = RECORD_FIXED_SIZE;
        int r = put_params(variables, out + used, FASTCGI_PARAMS_MAX, &size);

        if (r < 0)
                return r;
        record_header(out, FCGI_BEGIN_REQUEST, FASTCGI_ID, sizeof(body), 0);
        memcpy(out + RECORD_HEADER_SIZE, body, sizeof(body));
        used += size;
        if (no_body)
                used += put_stream(out + used, FCGI_STDIN, NULL, 0);
        return send_whole(fd, out, used);
}

int fastcgi_send_go(int fd)
{
        unsigned char out[RECORD_HEADER_SIZE];

        record_header(out, WARM_RECORD_GO, 0, 0, 0);
        return send_whole(fd, out, sizeof(out));
}

int fastcgi_send_answer(int fd, const char *text)
{
        unsigned char out[ANSWER_MAX + 2 * RECORD_HEADER_SIZE + RECORD_FIXED_SIZE];
        size_t length = strlen(text), used;

        if (length > ANSWER_MAX)
                return -E2BIG;
        used = put_stream(out, FCGI_STDOUT, text, length);
        record_end_request(out + used, FASTCGI_ID, 1, FCGI_REQUEST_COMPLETE);
        return send_whole(fd, out, used + RECORD_FIXED_SIZE);
}
