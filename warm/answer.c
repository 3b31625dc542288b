/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/answer.h"

#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/cleanup.h"
#include "fcgi-bridge/record.h"

enum { HEADER_MAX = 8192 };

struct answer {
        char header[HEADER_MAX + 1]; /* the beginning of the output */
        size_t length;
        bool is_stream;
        bool ended; /* as it should */
        unsigned char buffer[RECORD_MAX];
        size_t used;
};

static void add_output(struct answer *answer, const unsigned char *data, size_t size)
{
        size_t room = HEADER_MAX - answer->length;

        memcpy(answer->header + answer->length, data, size < room ? size : room);
        answer->length += size < room ? size : room;
}

/* What the application says on its standard error belongs into the log. */
static int take_record(struct answer *answer, const struct record *record)
{
        if (record->type == FCGI_STDOUT)
                add_output(answer, record->content, record->length);
        else if (record->type == FCGI_STDERR && write(STDERR_FILENO, record->content, record->length) < 0)
                return -errno;
        answer->ended = record->type == FCGI_END_REQUEST;
        return 0;
}

static int take_records(struct answer *answer)
{
        struct record record;
        int r;

        while ((r = record_decode(answer->buffer, answer->used, &record)) > 0 && !answer->ended) {
                r = take_record(answer, &record);
                if (r < 0)
                        return r;
                answer->used -= record.size;
                memmove(answer->buffer, answer->buffer + record.size, answer->used);
        }
        return r < 0 ? r : 0;
}

/* Returns 1 when there is more to come. */
static int take_some(struct answer *answer, int fd)
{
        ssize_t n = read(fd, answer->buffer + answer->used, sizeof(answer->buffer) - answer->used);
        int r = 0;

        if (n <= 0) {
                answer->ended = n == 0 && answer->is_stream;
                return n < 0 && errno == EINTR ? 1 : 0;
        }
        if (answer->is_stream) {
                add_output(answer, answer->buffer, (size_t)n);
                return 1;
        }
        answer->used += (size_t)n;
        r = take_records(answer);
        return r < 0 ? r : !answer->ended;
}

static int milliseconds_left(const struct timespec *begin, unsigned seconds)
{
        struct timespec now;
        long passed;

        clock_gettime(CLOCK_MONOTONIC, &now);
        passed = (now.tv_sec - begin->tv_sec) * 1000 + (now.tv_nsec - begin->tv_nsec) / 1000000;
        return passed < (long)seconds * 1000 ? (int)((long)seconds * 1000 - passed) : 0;
}

static unsigned status_of(const char *header)
{
        unsigned status = 200;

        for (const char *line = header; line && *line && *line != '\r' && *line != '\n';) {
                if (strncasecmp(line, "Status:", 7) == 0 && sscanf(line + 7, "%u", &status) != 1)
                        return 500;
                line = strchr(line, '\n');
                line = line ? line + 1 : NULL;
        }
        return status;
}

static int judge(struct answer *answer, char *reason, size_t size)
{
        unsigned status = status_of(answer->header);

        if (!answer->ended)
                snprintf(reason, size, "it ended in the midst of its answer");
        else if (answer->length == 0)
                snprintf(reason, size, "it did not answer anything");
        else if (status >= 400)
                snprintf(reason, size, "it answered with status %u", status);
        else
                return 0;
        return ANSWER_BAD;
}

int answer_judge(int fd, int is_stream, unsigned seconds, char *reason, size_t size)
{
        static struct answer answer;
        struct pollfd input = {.fd = fd, .events = POLLIN};
        struct timespec begin;
        int r = 1;

        answer.is_stream = is_stream;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        while (r > 0) {
                int n = poll(&input, 1, milliseconds_left(&begin, seconds));

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0) {
                        snprintf(reason, size, "it has not finished its answer within %u s", seconds);
                        return ANSWER_BAD;
                }
                if (n > 0)
                        r = take_some(&answer, fd);
        }
        return r < 0 ? r : judge(&answer, reason, size);
}
