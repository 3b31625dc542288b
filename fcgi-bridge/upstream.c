/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/upstream.h"

#include <errno.h>
#include <string.h>

#include "common/warm.h"

static int fail(struct upstream *upstream, const char *problem)
{
        upstream->problem = problem;
        return -EPROTO;
}

void upstream_init(struct upstream *upstream, bool has_body)
{
        *upstream = (struct upstream){.must_go = has_body};
}

/* Section 3.3: a stream ends with a record of no content. */
static int judge_stream(struct upstream *upstream)
{
        bool *ended = &upstream->ended[upstream->record.type == FCGI_STDERR];

        if (*ended && upstream->record.length > 0)
                return fail(upstream, "content after the end of its stream");
        *ended = upstream->record.length == 0;
        return UPSTREAM_NOTHING;
}

static int judge_go(struct upstream *upstream)
{
        if (!upstream->must_go || upstream->go || upstream->record.length > 0 ||
                upstream->record.id != FCGI_NULL_REQUEST_ID)
                return fail(upstream, "a record that allows for the body, out of place");
        upstream->go = true;
        return UPSTREAM_GO;
}

/* The header is there: says whether the record may come now. UPSTREAM_GO has no content. */
static int judge(struct upstream *upstream)
{
        const struct record *record = &upstream->record;

        if (record->type == WARM_RECORD_GO)
                return judge_go(upstream);
        if (record->id != UPSTREAM_ID)
                return fail(upstream, "a record of another request");
        if (upstream->must_go && !upstream->go)
                return fail(upstream, "output before its parameters were in");
        switch (record->type) {
        case FCGI_STDOUT:
        case FCGI_STDERR:
                return judge_stream(upstream);
        case FCGI_END_REQUEST:
                return record->length == sizeof(upstream->end) ? UPSTREAM_NOTHING
                                                               : fail(upstream, "malformed FCGI_END_REQUEST");
        default:
                return fail(upstream, "a record of a type that no Responder sends");
        }
}

static size_t take(const unsigned char **data, size_t *length, size_t wanted)
{
        size_t taken = wanted < *length ? wanted : *length;

        *data += taken;
        *length -= taken;
        return taken;
}

static int next_header(struct upstream *upstream, const unsigned char **data, size_t *length)
{
        const unsigned char *from = *data;
        size_t taken = take(data, length, RECORD_HEADER_SIZE - upstream->header_used);
        int r;

        memcpy(upstream->header + upstream->header_used, from, taken);
        upstream->header_used += taken;
        r = record_decode_header(upstream->header, upstream->header_used, &upstream->record);
        if (r < 0)
                return fail(upstream, "not FastCGI version 1");
        if (r == 0)
                return UPSTREAM_NOTHING;
        upstream->content_left = upstream->record.length;
        upstream->padding_left = upstream->record.size - upstream->record.length - RECORD_HEADER_SIZE;
        return judge(upstream);
}

/* Section 5.5. */
static int next_end(struct upstream *upstream, const unsigned char *from, size_t taken)
{
        memcpy(upstream->end + sizeof(upstream->end) - upstream->content_left - taken, from, taken);
        if (upstream->content_left > 0)
                return UPSTREAM_NOTHING;
        upstream->record.content = upstream->end;
        record_end_status(&upstream->record, &upstream->app_status, &upstream->protocol_status);
        return UPSTREAM_END;
}

int upstream_next(struct upstream *upstream, const unsigned char **data, size_t *length, const char **ret_piece,
        size_t *ret_piece_length)
{
        int r = UPSTREAM_NOTHING;

        while (r == UPSTREAM_NOTHING && *length > 0) {
                const unsigned char *from = *data;

                if (upstream->header_used < RECORD_HEADER_SIZE)
                        r = next_header(upstream, data, length);
                else if (upstream->content_left > 0) {
                        size_t taken = take(data, length, upstream->content_left);

                        upstream->content_left -= taken;
                        if (upstream->record.type == FCGI_END_REQUEST)
                                r = next_end(upstream, from, taken);
                        else {
                                *ret_piece = (const char *)from;
                                *ret_piece_length = taken;
                                r = upstream->record.type == FCGI_STDOUT ? UPSTREAM_STDOUT : UPSTREAM_STDERR;
                        }
                } else
                        upstream->padding_left -= take(data, length, upstream->padding_left);
                if (upstream->header_used == RECORD_HEADER_SIZE && upstream->content_left + upstream->padding_left == 0)
                        upstream->header_used = 0;
        }
        return r;
}

bool upstream_is_partial(const struct upstream *upstream)
{
        return upstream->header_used > 0;
}
