/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/access.h"

#include <libaudit.h>
#include <selinux/avc.h>
#include <selinux/selinux.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "common/log.h"

static const char class_name[] = "service", permission_name[] = "start";

static const char unknown[] = "the SELinux policy knows no permission 'start' of class 'service': load one for systemd";

static struct {
        int audit; /* netlink socket, or -1: then denials are in our own log alone */
        sd_event_source *source;
} state = {.audit = -1};

/* What an audit record says besides the contexts. */
struct subject {
        const char *service, *request_id, *role;
};

/* From libselinux' cache, which it empties when a policy is loaded. */
static bool is_known(void)
{
        security_class_t class = string_to_security_class(class_name);

        return class != 0 && string_to_av_perm(class, permission_name) != 0;
}

/* Kind of an audit record by kind of message; 0: none. */
static int audit_kind(int type)
{
        switch (type) {
        case SELINUX_AVC:
                return AUDIT_USER_AVC;
        case SELINUX_POLICYLOAD:
                return AUDIT_USER_MAC_POLICY_LOAD;
        case SELINUX_SETENFORCE:
                return AUDIT_USER_MAC_STATUS;
        default:
                return 0;
        }
}

__attribute__((format(printf, 2, 3))) static int on_message(int type, const char *format, ...)
{
        char text[2048];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        text[strcspn(text, "\n")] = '\0';
        log_message(type == SELINUX_ERROR  ? LOG_ERR
                    : type == SELINUX_INFO ? LOG_DEBUG
                                           : LOG_WARNING,
                "SELinux: %s", text);
        if (state.audit >= 0 && audit_kind(type) != 0 &&
                audit_log_user_avc_message(state.audit, audit_kind(type), text, NULL, NULL, NULL, 0) <= 0)
                log_message(LOG_ERR, "the message above is missing in the audit log: %s", strerror(errno));
        return 0;
}

static int on_audit(void *data, security_class_t class, char *text, size_t size)
{
        const struct subject *subject = data;

        (void)class;
        snprintf(text, size, "service=%s request=%s peer=%s", subject->service, subject->request_id, subject->role);
        return 0;
}

/* The status page says what has changed; the message says only that it is time to look. */
static int on_netlink(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        char message[256];

        (void)source, (void)events, (void)userdata;
        while (recv(fd, message, sizeof(message), MSG_DONTWAIT) >= 0)
                ;
        selinux_status_updated();
        return 0;
}

static int watch(sd_event *event)
{
        int r;

        if (selinux_status_open(0) < 0 || avc_netlink_open(0) < 0)
                return -errno;
        r = sd_event_add_io(event, &state.source, avc_netlink_acquire_fd(), EPOLLIN, on_netlink, NULL);
        return r < 0 ? r : 0;
}

int access_open(sd_event *event)
{
        int r;

        if (is_selinux_enabled() <= 0)
                return 0;
        selinux_set_callback(SELINUX_CB_LOG, (union selinux_callback){.func_log = on_message});
        selinux_set_callback(SELINUX_CB_AUDIT, (union selinux_callback){.func_audit = on_audit});
        state.audit = audit_open();
        if (state.audit < 0)
                log_message(LOG_WARNING, "no audit log, denials are in this one only: %s", strerror(errno));
        r = watch(event);
        if (r < 0)
                log_message(LOG_ERR, "cannot watch the SELinux policy: %s", strerror(-r));
        return r;
}

void access_close(void)
{
        if (state.source)
                avc_netlink_release_fd();
        state.source = sd_event_source_disable_unref(state.source);
        if (state.audit >= 0)
                audit_close(state.audit);
        state.audit = -1;
}

const char *access_unenforceable(const struct index_header *header)
{
        return header->selinux == INDEX_SELINUX_OFF || is_known() ? NULL : unknown;
}

static int peer_context(int fd, char **ret_context)
{
        if (getpeercon(fd, ret_context) == 0)
                return 0;
        return errno == ENOPROTOOPT ? security_get_initial_context("unlabeled", ret_context) : -1;
}

static bool may_start(int fd, const char *label, struct subject *subject)
{
        char *context = NULL;
        bool allowed;

        if (peer_context(fd, &context) < 0) {
                log_message(LOG_ERR, "the SELinux context of the %s is unknown: %s", subject->role, strerror(errno));
                return false;
        }
        allowed = selinux_check_access(context, label, class_name, permission_name, subject) == 0;
        freecon(context);
        return allowed;
}

const char *access_refusal(
        const struct index *index, const struct index_service *service, const char *request_id, int bridge, int front)
{
        struct subject subject = {.service = index_text(index, service->name), .request_id = request_id};
        const char *label = index_text(index, service->label);
        bool allowed;

        if (index->header->selinux == INDEX_SELINUX_OFF)
                return NULL;
        if (!label)
                return "the service file has no SELinux label";
        if (index->header->selinux == INDEX_SELINUX_REQUIRE && selinux_status_getenforce() != 1)
                return "SELinux=require, and SELinux is permissive";
        subject.role = "bridge";
        allowed = is_known() && may_start(bridge, label, &subject);
        subject.role = "front end";
        allowed = allowed && may_start(front, label, &subject);
        /* Asked again: a new policy may have been noticed on the way, and what it does not know it allows. */
        if (!is_known())
                return unknown;
        return allowed ? NULL
                       : "the SELinux policy does not let this front end or bridge start the service: "
                         "ausearch -m USER_AVC";
}
