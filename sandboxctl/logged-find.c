/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <systemd/sd-journal.h>

#include "common/cleanup.h"
#include "sandboxctl/logged.h"

/* Ids are as the bridge makes them: what is looked for is nothing else, whatever is typed. */
static bool is_request_id(const char *text)
{
        return strlen(text) == WIRE_REQUEST_ID_SIZE - 1 && strspn(text, "0123456789abcdef") == WIRE_REQUEST_ID_SIZE - 1;
}

/* Returns 1 when it is the line that is looked for, 0 when not. */
static int take_line(const char *service, size_t length, const char *message, struct logged *logged)
{
        static struct logged found;

        memset(&found, 0, sizeof(found));
        if (length == 0 || length >= sizeof(found.service) || logged_parse(message, &found) < 0)
                return 0;
        memcpy(found.service, service, length);
        *logged = found;
        /* The names and values are where the copy is. */
        for (size_t i = 0; i < logged->n_variables; i++) {
                char *name = logged->variables[i];

                logged->conditions[i] = (struct map_condition){name, name + strlen(name) + 1};
        }
        return 1;
}

/* A field's value; the journal's data ends without a NUL. */
static int get_field(sd_journal *journal, const char *name, char *text, size_t size)
{
        const void *data;
        size_t length, prefix = strlen(name) + 1;
        int r = sd_journal_get_data(journal, name, &data, &length);

        if (r < 0)
                return r;
        if (length < prefix || length - prefix >= size)
                return -EBADMSG;
        memcpy(text, (const char *)data + prefix, length - prefix);
        text[length - prefix] = '\0';
        return 0;
}

static void close_journal(sd_journal **journal)
{
        if (*journal)
                sd_journal_close(*journal);
}

/* Anybody may write to the journal with our fields. _UID is journald's own: systemd.journal-fields(7). */
static int find_in_journal(const char *id, struct logged *logged)
{
        _cleanup_(close_journal) sd_journal *journal = NULL;
        static char message[8192];
        char match[64], service[NAME_MAX + 1];
        int r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY), found = 0;

        if (r < 0)
                return r;
        snprintf(match, sizeof(match), "SANDBOXD_REQUEST=%s", id);
        r = sd_journal_add_match(journal, match, 0);
        if (r >= 0)
                r = sd_journal_add_match(journal, "_UID=0", 0);
        if (r >= 0)
                r = sd_journal_set_data_threshold(journal, sizeof(message));
        while (r >= 0 && (r = sd_journal_next(journal)) > 0)
                if (get_field(journal, "MESSAGE", message, sizeof(message)) == 0 &&
                        get_field(journal, "SANDBOXD_SERVICE", service, sizeof(service)) == 0)
                        found |= take_line(service, strlen(service), message, logged);
        return r < 0 ? r : found;
}

/*
 * "sandboxd[PID]: service=NAME request=ID: outcome=…". Only at the beginning of a line: what an application has written
 * to its stderr stands in lines too, behind what fcgi-bridge puts before it.
 */
static int take_file_line(const char *line, const char *id, struct logged *logged)
{
        static const char begin[] = "service=";
        const char *service, *request;

        if (strncmp(line, "sandboxd[", strlen("sandboxd[")) != 0 || !(service = strstr(line, ": ")))
                return 0;
        service += 2;
        if (strncmp(service, begin, strlen(begin)) != 0)
                return 0;
        service += strlen(begin);
        request = service + strcspn(service, " ");
        if (strncmp(request, " request=", strlen(" request=")) != 0 ||
                strncmp(request + strlen(" request="), id, strlen(id)) != 0 ||
                strncmp(request + strlen(" request=") + strlen(id), ": ", 2) != 0)
                return 0;
        return take_line(service, (size_t)(request - service), request + strlen(" request=") + strlen(id) + 2, logged);
}

static int find_in_file(const char *path, const char *id, struct logged *logged)
{
        _cleanup_fclose_ FILE *stream = fopen(path, "re");
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        int found = 0;

        if (!stream)
                return -errno;
        while (getline(&line, &size, stream) > 0) {
                line[strcspn(line, "\n")] = '\0';
                found |= take_file_line(line, id, logged);
        }
        return ferror(stream) ? -EIO : found;
}

int logged_find(const struct options *options, struct logged *ret_logged)
{
        const char *where = options->log ? options->log : "the journal";
        int r;

        if (!is_request_id(options->request)) {
                fprintf(stderr, "sandboxctl: --request=%s: an id is 32 digits and letters from a to f, as in the log\n",
                        options->request);
                return -EINVAL;
        }
        if (options->log)
                r = find_in_file(options->log, options->request, ret_logged);
        else
                r = find_in_journal(options->request, ret_logged);
        if (r < 0)
                fprintf(stderr, "sandboxctl: %s: %s\n", where, strerror(-r));
        else if (r == 0)
                fprintf(stderr, "sandboxctl: %s has no line about the end of the request %s%s\n", where,
                        options->request,
                        options->log ? "" : ": may it be read? journalctl SANDBOXD_REQUEST=ID, or --log=FILE");
        return r > 0 ? 0 : r < 0 ? r : -ENOENT;
}
