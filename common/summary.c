/* SPDX-License-Identifier: Apache-2.0 */
#include "common/summary.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "common/log.h"

/* Appends as far as there is room. */
__attribute__((format(printf, 3, 4))) static void append(char *text, size_t size, const char *format, ...)
{
        size_t length = strlen(text);
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text + length, size - length, format, arguments);
        va_end(arguments);
}

static void append_quoted(char *text, size_t size, const char *name, const char *value)
{
        char quoted[WIRE_VARIABLE_NAME_SIZE + WIRE_VARIABLE_VALUE_SIZE + 2];

        append(text, size, " %s=%s", name, log_quote(value ? value : "", quoted, sizeof(quoted)));
}

static void append_decision(char *text, size_t size, const struct decision *decision)
{
        const struct map_query *query = &decision->query;
        char pair[WIRE_VARIABLE_NAME_SIZE + WIRE_VARIABLE_VALUE_SIZE];

        append_quoted(text, size, "user", query->user);
        append_quoted(text, size, "address", query->address);
        append_quoted(text, size, "host", query->host);
        if (decision->identity.uid)
                append(text, size, " identity=%u:%u", decision->identity.uid, decision->identity.gid);
        else
                append(text, size, " identity=-");
        if (decision->has_rule)
                append(text, size, " rule=%s:%u", decision->rule.source, decision->rule.line);
        if (query->variables_unknown)
                append(text, size, " variables=unknown");
        for (size_t i = 0; i < query->n_variables; i++) {
                snprintf(pair, sizeof(pair), "%s=%s", query->variables[i].name, query->variables[i].value);
                append_quoted(text, size, "variable", pair);
        }
}

void summary_format(const struct summary *summary, char *text, size_t size)
{
        const struct rusage *usage = summary->usage;
        double cpu = 0;

        if (usage)
                cpu = (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1e3 +
                      (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e3;
        snprintf(text, size, "outcome=%s detail=%u", summary->outcome, summary->detail);
        append_decision(text, size, summary->decision);
        append(text, size, " wall=%.1fms", (double)summary->wall / 1e3);
        if (summary->is_warm)
                append(text, size, " warm=yes");
        else
                append(text, size, " cpu=%.1fms maxrss=%ldK", cpu, usage ? usage->ru_maxrss : 0L);
        if (summary->reason)
                append(text, size, " reason=%s", summary->reason);
}

int summary_priority(enum wire_outcome outcome)
{
        switch (outcome) {
        case WIRE_EXITED:
                return LOG_INFO;
        case WIRE_AGAIN:
                return LOG_DEBUG;
        default:
                return LOG_WARNING;
        }
}
