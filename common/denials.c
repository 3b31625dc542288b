/* SPDX-License-Identifier: Apache-2.0 */
#include "common/denials.h"

#include <errno.h>
#include <libaudit.h>
#include <selinux/selinux.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "common/log.h"

/* In a second: beyond, they are counted. The kernel may let whoever writes to the audit log wait. */
enum { DENIALS_MAX = 20 };

static struct {
        int audit; /* netlink socket, or -1: then denials are in our own log alone */
        time_t second;
        unsigned denials, suppressed; /* in this second; since the last that was told */
} state = {.audit = -1};

static bool is_too_many(void)
{
        time_t now = time(NULL);

        if (now != state.second) {
                state.second = now;
                state.denials = 0;
        }
        return ++state.denials > DENIALS_MAX;
}

static void audit_denial(const char *text)
{
        if (is_too_many()) {
                state.suppressed++;
                return;
        }
        log_message(LOG_WARNING, "SELinux: %s", text);
        if (state.audit >= 0 && audit_log_user_avc_message(state.audit, AUDIT_USER_AVC, text, NULL, NULL, NULL, 0) <= 0)
                log_message(LOG_ERR, "the message above is missing in the audit log: %s", strerror(errno));
        if (state.suppressed > 0)
                log_message(LOG_WARNING, "SELinux: %u denials before it were not told, more than %d in a second",
                        state.suppressed, DENIALS_MAX);
        state.suppressed = 0;
}

__attribute__((format(printf, 2, 3))) static int on_message(int type, const char *format, ...)
{
        char text[2048];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        text[strcspn(text, "\n")] = '\0';
        if (type == SELINUX_AVC)
                audit_denial(text);
        else
                log_message(type == SELINUX_ERROR ? LOG_ERR : LOG_NOTICE, "SELinux: %s", text);
        return 0;
}

static int on_audit(void *data, security_class_t class, char *text, size_t size)
{
        const struct denial_subject *subject = data;

        (void)class;
        snprintf(text, size, "service=%s request=%s peer=%s", subject->service, subject->request_id, subject->role);
        return 0;
}

void denials_set_callbacks(void)
{
        selinux_set_callback(SELINUX_CB_LOG, (union selinux_callback){.func_log = on_message});
        selinux_set_callback(SELINUX_CB_AUDIT, (union selinux_callback){.func_audit = on_audit});
}

void denials_open_audit(void)
{
        state.audit = audit_open();
        if (state.audit < 0)
                log_message(LOG_WARNING, "no audit log, denials are in this one only: %s", strerror(errno));
}

void denials_close_audit(void)
{
        if (state.audit >= 0)
                audit_close(state.audit);
        state.audit = -1;
}
