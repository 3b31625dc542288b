/* SPDX-License-Identifier: Apache-2.0 */
#include "child/warm-variables.h"

#include <errno.h>
#include <string.h>

#include "common/warm.h"

/* Writes strings one after the other; what does not fit is remembered, and nothing written any more. */
struct writer {
        char *buffer;
        size_t size;
        size_t used;
        bool full;
};

static void put(struct writer *writer, const char *text, size_t length)
{
        if (writer->full || length > writer->size - writer->used) {
                writer->full = true;
                return;
        }
        memcpy(writer->buffer + writer->used, text, length);
        writer->used += length;
}

/* NAME= and where it begins. */
static char *begin(struct writer *writer, const char *name)
{
        char *variable = writer->buffer + writer->used;

        put(writer, name, strlen(name));
        put(writer, "=", 1);
        return variable;
}

static int end(struct writer *writer, struct environment *environment, char *variable)
{
        put(writer, "", 1);
        return writer->full ? -E2BIG : environment_set(environment, variable);
}

static int add_text(struct writer *writer, struct environment *environment, const char *name, const char *value)
{
        char *variable = begin(writer, name);

        put(writer, value, strlen(value));
        return end(writer, environment, variable);
}

/* A list, with a line end between each two. The compiler has seen to it that none is within. */
static int add_list(struct writer *writer, struct environment *environment, const char *name, const struct index *index,
        struct index_span list)
{
        char *variable = begin(writer, name);

        for (size_t i = 0; i < list.count; i++) {
                const char *item = index_item(index, list, i);

                if (i > 0)
                        put(writer, "\n", 1);
                put(writer, item, strlen(item));
        }
        return end(writer, environment, variable);
}

/* Its bytes as they lie in memory, two lower-case digits each. */
static int add_filter(struct writer *writer, struct environment *environment, const char *name,
        const struct index *index, struct index_span filter)
{
        static const char digits[] = "0123456789abcdef";
        const unsigned char *bytes = index_array(index, filter);
        char *variable = begin(writer, name);

        for (size_t i = 0; i < filter.count * sizeof(struct sock_filter); i++) {
                const char pair[] = {digits[bytes[i] >> 4], digits[bytes[i] & 0xf]};

                put(writer, pair, sizeof(pair));
        }
        return end(writer, environment, variable);
}

int warm_variables_add(struct environment *environment, const struct index *index, const struct index_service *service,
        char *buffer, size_t size)
{
        struct writer writer = {.buffer = buffer, .size = size};
        const char *scripts = index_text(index, service->script_directory);
        int r;

        if (!(service->flags & INDEX_WARM))
                return -EINVAL;
        r = add_text(&writer, environment, "LD_PRELOAD", WARM_LIBRARY);
        /* What is bound before the fork need not be bound in each child: ld.so(8). */
        if (r == 0)
                r = add_text(&writer, environment, "LD_BIND_NOW", "1");
        if (r == 0)
                r = add_text(&writer, environment, WARM_VARIABLE, "1");
        if (r == 0)
                r = add_list(&writer, environment, WARM_VARIABLE_PASS, index, service->pass_environment);
        if (r == 0 && scripts)
                r = add_text(&writer, environment, WARM_VARIABLE_SCRIPTS, scripts);
        if (r == 0)
                r = add_list(&writer, environment, WARM_VARIABLE_REQUESTS, index, service->warm_up);
        if (r == 0)
                r = add_list(&writer, environment, WARM_VARIABLE_WATCH, index, service->warm_watch);
        return r < 0 ? r : add_filter(&writer, environment, WARM_VARIABLE_FILTER, index, service->filter_warm);
}
