/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/*
 * One log line for one event. Where stderr is connected to the journal (JOURNAL_STREAM, systemd.exec(5)), the
 * line becomes a journal entry with the fields SANDBOXD_REQUEST= and SANDBOXD_SERVICE=; elsewhere it is
 * written to stderr as "program[pid]: service=… request=…: message". Control characters are replaced by '?',
 * so that nobody can forge a second line.
 *
 * Only the program layer logs: main functions and event handlers.
 */

/* Call once, at start, before any confinement: finds out where stderr leads. `program` must outlive logging.
 */
void log_open(const char *program);

/* `priority` is one of syslog(3): LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG. */
__attribute__((format(printf, 2, 3))) void log_message(int priority, const char *format, ...);

/* The same about one request; `request_id` and `service` may be NULL. */
__attribute__((format(printf, 4, 5))) void log_request(
        int priority, const char *request_id, const char *service, const char *format, ...);

/* `text` in quotes, for a field: nothing in it can end them and look like the fields behind. Returns `quoted`. */
const char *log_quote(const char *text, char *quoted, size_t size);

/* Messages less urgent than `priority` are dropped; the default is LOG_INFO. */
void log_set_level(int priority);
