/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/response.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A piece of the received header; not ended by NUL. */
struct span {
        const char *data;
        size_t length;
};

/* What a pass over the lines has found; the fields are spans of the received header. */
struct fields {
        struct span status, location, content_type;
};

static int fail(struct response *response, int error, const char *problem)
{
        response->problem = problem;
        return error;
}

void response_init(struct response *response)
{
        *response = (struct response){0};
}

void response_clear(struct response *response)
{
        free(response->raw);
        free(response->header);
        response_init(response);
}

/* RFC 9110, section 5.6.2: tchar. */
static bool is_token(struct span text)
{
        for (size_t i = 0; i < text.length; i++) {
                char c = text.data[i];
                bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

                if (!alphanumeric && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
                        return false;
        }
        return text.length > 0;
}

/* RFC 9110, section 5.5: visible characters, bytes above 0x7f, space and tab. */
static bool is_clean(struct span text)
{
        for (size_t i = 0; i < text.length; i++) {
                unsigned char c = (unsigned char)text.data[i];

                if ((c < 0x20 && c != '\t') || c == 0x7f)
                        return false;
        }
        return true;
}

static struct span trim(struct span text)
{
        while (text.length > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
                text.data++;
                text.length--;
        }
        while (text.length > 0 && (text.data[text.length - 1] == ' ' || text.data[text.length - 1] == '\t'))
                text.length--;
        return text;
}

static bool is_name(struct span text, const char *name)
{
        return text.length == strlen(name) && strncasecmp(text.data, name, text.length) == 0;
}

/* Takes the next line, without its LF or CRLF, off the front of `rest`. The received header ends with LF. */
static bool next_line(struct span *rest, struct span *ret_line)
{
        const char *end;

        if (rest->length == 0)
                return false;
        end = memchr(rest->data, '\n', rest->length);
        ret_line->data = rest->data;
        ret_line->length = (size_t)(end - rest->data);
        rest->length -= ret_line->length + 1;
        rest->data = end + 1;
        if (ret_line->length > 0 && ret_line->data[ret_line->length - 1] == '\r')
                ret_line->length--;
        return ret_line->length > 0;
}

/* "NNN" or "NNN reason", 200 to 599; 0 for anything else. */
static unsigned parse_status(struct span text)
{
        unsigned status = 0;

        if (text.length < 3 || (text.length > 3 && text.data[3] != ' '))
                return 0;
        for (size_t i = 0; i < 3; i++) {
                if (text.data[i] < '0' || text.data[i] > '9')
                        return 0;
                status = status * 10 + (unsigned)(text.data[i] - '0');
        }
        return status >= 200 && status <= 599 ? status : 0;
}

/* A first line "HTTP/1.x NNN reason": true with "NNN reason". */
static bool is_status_line(struct span line, struct span *ret_status)
{
        if (line.length < 9 || memcmp(line.data, "HTTP/1.", 7) != 0 || line.data[7] < '0' || line.data[7] > '9' ||
                line.data[8] != ' ')
                return false;
        *ret_status = trim((struct span){line.data + 9, line.length - 9});
        return true;
}

static int split_field(struct response *response, struct span line, struct span *ret_name, struct span *ret_value)
{
        const char *colon;

        if (!is_clean(line))
                return fail(response, -EBADMSG, "control character in the response header");
        if (line.data[0] == ' ' || line.data[0] == '\t')
                return fail(response, -EBADMSG, "continued line in the response header");
        colon = memchr(line.data, ':', line.length);
        if (!colon)
                return fail(response, -EBADMSG, "line without a colon in the response header");
        *ret_name = (struct span){line.data, (size_t)(colon - line.data)};
        if (!is_token(*ret_name))
                return fail(response, -EBADMSG, "bad field name in the response header");
        *ret_value = trim((struct span){colon + 1, line.length - ret_name->length - 1});
        return 0;
}

/* RFC 3875, section 6.3: a CGI field may not appear more than once. */
static int note_field(struct response *response, struct fields *fields, struct span name, struct span value)
{
        struct span *field = is_name(name, "Status")         ? &fields->status
                             : is_name(name, "Location")     ? &fields->location
                             : is_name(name, "Content-Type") ? &fields->content_type
                                                             : NULL;

        if (!field)
                return 0;
        if (field->data)
                return fail(response, -EBADMSG, "Status, Location or Content-Type given twice");
        *field = value;
        return 0;
}

/* First pass: every line is judged, the CGI fields are noted. */
static int check_lines(struct response *response, struct fields *ret_fields)
{
        struct span rest = {response->raw, response->raw_length}, line, name, value;
        struct fields fields = {0};
        int r;

        for (bool first = true; next_line(&rest, &line); first = false) {
                if (first && is_status_line(line, &fields.status)) {
                        if (!is_clean(line))
                                return fail(response, -EBADMSG, "control character in the response header");
                        continue;
                }
                r = split_field(response, line, &name, &value);
                if (r < 0)
                        return r;
                r = note_field(response, &fields, name, value);
                if (r < 0)
                        return r;
        }
        *ret_fields = fields;
        return 0;
}

static int judge_fields(struct response *response, struct fields *fields)
{
        static const char found[] = "302 Found";

        if (!fields->status.data && !fields->location.data && !fields->content_type.data)
                return fail(response, -EBADMSG, "response header without Content-Type, Location or Status");
        if (!fields->status.data && fields->location.data)
                fields->status = (struct span){found, sizeof(found) - 1};
        response->status = fields->status.data ? parse_status(fields->status) : 200;
        if (response->status == 0)
                return fail(response, -EBADMSG, "bad Status in the response header");
        return 0;
}

static void put_span(struct response *response, struct span text)
{
        memcpy(response->header + response->header_length, text.data, text.length);
        response->header_length += text.length;
}

static void put_text(struct response *response, const char *text)
{
        put_span(response, (struct span){text, strlen(text)});
}

static void put_field(struct response *response, struct span name, struct span value)
{
        put_span(response, name);
        put_text(response, ": ");
        put_span(response, value);
        put_text(response, "\r\n");
}

/*
 * Fields by which an application tells a web server to send a file or another location, with the web server's
 * rights: an application that may not read a file must not have it sent. Left out, as Status is.
 */
static bool is_for_front_end(struct span name)
{
        static const char *const prefixes[] = {"X-Accel-", "X-Sendfile", "X-LIGHTTPD-", "X-Reproxy-"};

        for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
                size_t length = strlen(prefixes[i]);

                if (name.length >= length && strncasecmp(name.data, prefixes[i], length) == 0)
                        return true;
        }
        return false;
}

/* Second pass over lines that are known to be good: writes the header in its one form. */
static int write_header(struct response *response, const struct fields *fields)
{
        static const struct span status_name = {"Status", 6};
        struct span rest = {response->raw, response->raw_length}, line, name, value;
        int r;

        /* The shortest line, "a:\n", becomes "a: \r\n": 5 bytes for 3; a Status is added once. */
        response->header = malloc(response->raw_length * 2 + 64);
        if (!response->header)
                return fail(response, -ENOMEM, "out of memory");
        if (fields->status.data)
                put_field(response, status_name, fields->status);
        for (bool first = true; next_line(&rest, &line); first = false) {
                if (first && is_status_line(line, &value))
                        continue;
                r = split_field(response, line, &name, &value);
                if (r < 0)
                        return r;
                if (!is_name(name, "Status") && !is_for_front_end(name))
                        put_field(response, name, value);
        }
        put_text(response, "\r\n");
        if (response->header_length > RESPONSE_HEADER_MAX)
                return fail(response, -EMSGSIZE, "response header too long");
        return 1;
}

static int finish(struct response *response)
{
        struct fields fields;
        int r;

        r = check_lines(response, &fields);
        if (r < 0)
                return r;
        r = judge_fields(response, &fields);
        if (r < 0)
                return r;
        return write_header(response, &fields);
}

static int reserve(struct response *response, size_t needed)
{
        size_t wanted = response->raw_size ? response->raw_size : 1024;
        char *grown;

        while (wanted < needed)
                wanted *= 2;
        if (wanted == response->raw_size)
                return 0;
        grown = realloc(response->raw, wanted);
        if (!grown)
                return fail(response, -ENOMEM, "out of memory");
        response->raw = grown;
        response->raw_size = wanted;
        return 0;
}

/* The last line received has just got its LF: is it empty, and so the header's end? */
static bool is_end(const struct response *response)
{
        size_t length = response->raw_length - response->line;

        return length == 1 || (length == 2 && response->raw[response->line] == '\r');
}

int response_feed(struct response *response, const char *data, size_t length, size_t *ret_used)
{
        size_t used = 0;

        while (used < length) {
                const char *end = memchr(data + used, '\n', length - used);
                size_t part = end ? (size_t)(end - (data + used)) + 1 : length - used;
                int r;

                if (part > RESPONSE_HEADER_MAX - response->raw_length)
                        return fail(response, -EMSGSIZE, "response header too long");
                r = reserve(response, response->raw_length + part);
                if (r < 0)
                        return r;
                memcpy(response->raw + response->raw_length, data + used, part);
                response->raw_length += part;
                used += part;
                if (!end)
                        break;
                if (is_end(response)) {
                        *ret_used = used;
                        return finish(response);
                }
                response->line = response->raw_length;
        }
        *ret_used = used;
        return 0;
}

void response_excerpt(const struct response *response, char *out)
{
        size_t length = 0;

        while (length < response->raw_length && length < RESPONSE_EXCERPT_SIZE - 1) {
                unsigned char c = (unsigned char)response->raw[length];

                if (c == '\n' || c == '\r')
                        break;
                out[length++] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
        }
        out[length] = '\0';
}
