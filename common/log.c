/* SPDX-License-Identifier: Apache-2.0 */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "common/log.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

enum { LOG_LINE_MAX = 8192 };

static const char *log_program = "sandboxd";
static bool log_to_journal;
static int log_level = LOG_INFO;

/* systemd.exec(5), $JOURNAL_STREAM: "device:inode" of the stream, to be compared with fstat(2) of stderr. */
static bool stderr_is_journal(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        uintmax_t device, inode;
        struct stat st;

        if (!stream || sscanf(stream, "%ju:%ju", &device, &inode) != 2)
                return false;
        return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open(const char *program)
{
        log_program = program;
        log_to_journal = stderr_is_journal();
}

void log_set_level(int priority)
{
        log_level = priority;
}

/* U+0080 to U+009F, as UTF-8: terminals obey them like the control characters of ASCII (ECMA-48). */
static bool is_c1(const char *c)
{
        return (unsigned char)c[0] == 0xc2 && (unsigned char)c[1] >= 0x80 && (unsigned char)c[1] < 0xa0;
}

static void clean(char *line)
{
        for (char *c = line; *c; c++)
                if (is_c1(c))
                        c[0] = c[1] = '?';
                else if ((unsigned char)*c < 0x20 || *c == 0x7f)
                        *c = '?';
}

static void write_journal(int priority, const char *request_id, const char *service, const char *line)
{
        char request_field[64], service_field[320];
        int used = 0;
        const char *fields[2] = {"SANDBOXD_REQUEST=", "SANDBOXD_SERVICE="};

        if (request_id && *request_id) {
                snprintf(request_field, sizeof(request_field), "SANDBOXD_REQUEST=%s", request_id);
                fields[0] = request_field;
                used++;
        }
        if (service && *service) {
                snprintf(service_field, sizeof(service_field), "SANDBOXD_SERVICE=%s", service);
                fields[1] = service_field;
                used++;
        }
        if (used == 0)
                sd_journal_send("MESSAGE=%s", line, "PRIORITY=%i", priority, NULL);
        else
                sd_journal_send("MESSAGE=%s", line, "PRIORITY=%i", priority, "%s", fields[0], "%s", fields[1], NULL);
}

static void write_stderr(const char *request_id, const char *service, const char *line)
{
        char text[LOG_LINE_MAX + 512];
        bool has_service = service && *service, has_request = request_id && *request_id;
        int length;

        length = snprintf(text, sizeof(text), "%s[%d]: %s%s%s%s%s%s%s\n", log_program, (int)getpid(),
                has_service ? "service=" : "", has_service ? service : "", has_service ? " " : "",
                has_request ? "request=" : "", has_request ? request_id : "", has_request ? ": " : "", line);
        if (length > 0 && write(STDERR_FILENO, text, (size_t)length) < 0)
                return; /* nowhere is left to report to */
}

static void log_line(int priority, const char *request_id, const char *service, const char *format, va_list arguments)
{
        char line[LOG_LINE_MAX];

        if (priority > log_level)
                return;
        vsnprintf(line, sizeof(line), format, arguments);
        clean(line);
        if (log_to_journal)
                write_journal(priority, request_id, service, line);
        else
                write_stderr(request_id, service, line);
}

void log_message(int priority, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        log_line(priority, NULL, NULL, format, arguments);
        va_end(arguments);
}

void log_request(int priority, const char *request_id, const char *service, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        log_line(priority, request_id, service, format, arguments);
        va_end(arguments);
}

const char *log_quote(const char *text, char *quoted, size_t size)
{
        snprintf(quoted, size, "\"%s\"", text);
        for (char *c = quoted + 1; c[0] && c[1]; c++)
                if (*c == '"')
                        *c = '?';
        return quoted;
}
