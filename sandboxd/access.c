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
#include <time.h>

#include "common/cleanup.h"
#include "common/log.h"

/* Denials in a second: beyond, they are counted. The kernel may let whoever writes to the audit log wait. */
enum { DENIALS_MAX = 20 };

enum { SETTLE_USEC = 100000 };

static const char unknown[] = "the SELinux policy knows no permission 'start' of class 'service', which systemd's has";

static const char unasked[] = "the SELinux policy cannot be asked";

static struct {
        int audit; /* netlink socket, or -1: then denials are in our own log alone */
        sd_event_source *source;
        time_t second;
        unsigned denials, suppressed; /* in this second; since the last that was told */
} state = {.audit = -1};

/* What an audit record says besides the contexts. */
struct subject {
        const char *service, *request_id, *role;
};

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
        const struct subject *subject = data;

        (void)class;
        snprintf(text, size, "service=%s request=%s peer=%s", subject->service, subject->request_id, subject->role);
        return 0;
}

static int on_settled(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void)source, (void)usec, (void)userdata;
        selinux_status_updated();
        return 0;
}

/* Only the status page says what has changed, and the kernel writes it a moment after it sends the message. */
static int on_netlink(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        char message[256];

        (void)events, (void)userdata;
        while (recv(fd, message, sizeof(message), MSG_DONTWAIT) >= 0)
                ;
        return sd_event_add_time_relative(
                sd_event_source_get_event(source), NULL, CLOCK_MONOTONIC, SETTLE_USEC, 0, on_settled, NULL);
}

/* From libselinux' cache, which it empties when it notices a new policy. False: the policy has no such thing. */
static bool look_up(security_class_t *ret_class, access_vector_t *ret_permission)
{
        *ret_class = string_to_security_class("service");
        *ret_permission = *ret_class ? string_to_av_perm(*ret_class, "start") : 0;
        return *ret_permission != 0;
}

static int open_cache(sd_event *event)
{
        int r;

        selinux_set_callback(SELINUX_CB_LOG, (union selinux_callback){.func_log = on_message});
        selinux_set_callback(SELINUX_CB_AUDIT, (union selinux_callback){.func_audit = on_audit});
        /* The first question about the status only sets its beginning: asked before anything is cached. */
        if (avc_open(NULL, 0) < 0 || selinux_status_updated() < 0 || avc_netlink_open(0) < 0)
                return -errno;
        r = sd_event_add_io(event, &state.source, avc_netlink_acquire_fd(), EPOLLIN, on_netlink, NULL);
        if (r < 0)
                return r;
        state.audit = audit_open();
        if (state.audit < 0)
                log_message(LOG_WARNING, "no audit log, denials are in this one only: %s", strerror(errno));
        return 0;
}

/* Not by libselinux, which says no as well where it cannot see its file system. */
static bool kernel_runs_selinux(void)
{
        _cleanup_fclose_ FILE *stream = fopen("/proc/filesystems", "re");
        char line[128];

        while (stream && fgets(line, sizeof(line), stream))
                if (strstr(line, "selinuxfs"))
                        return true;
        return !stream;
}

const char *access_prepare(sd_event *event, const struct index_header *header)
{
        access_vector_t permission;
        security_class_t class;
        int r;

        if (header->selinux == INDEX_SELINUX_OFF)
                return NULL;
        if (header->selinux == INDEX_SELINUX_ABSENT)
                return kernel_runs_selinux()
                               ? "the kernel runs SELinux, and sandboxd-compile cannot see it: is selinuxfs "
                                 "mounted, and writable? SELinux=off runs without contexts"
                               : NULL;
        r = state.source ? 0 : open_cache(event);
        if (r < 0) {
                log_message(LOG_ERR, "cannot watch the SELinux policy: %s", strerror(-r));
                return unasked;
        }
        return look_up(&class, &permission) ? NULL : unknown;
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

/* The context of the peer, as the cache knows it; NULL after a message. */
static security_id_t peer_of(int fd, const char *role)
{
        security_id_t id = NULL;
        char *context = NULL;
        int r = getpeercon_raw(fd, &context);

        if (r < 0 && errno == ENOPROTOOPT)
                r = security_get_initial_context_raw("unlabeled", &context);
        if (r == 0)
                r = avc_context_to_sid_raw(context, &id);
        if (r < 0)
                log_message(LOG_ERR, "the SELinux context of the %s is unknown: %s", role, strerror(errno));
        freecon(context);
        return r == 0 ? id : NULL;
}

/*
 * As selinux_check_access(3), which however answers "allowed" for a class or permission that the policy does not know.
 * Returns NULL, or why not.
 */
static const char *refusal(security_id_t peer, security_id_t label, struct subject *subject)
{
        access_vector_t permission;
        security_class_t class;

        if (selinux_status_updated() < 0)
                return unasked;
        if (!look_up(&class, &permission))
                return unknown;
        return avc_has_perm(peer, label, class, permission, NULL, subject) == 0
                       ? NULL
                       : "the SELinux policy does not let this front end or bridge start the service: "
                         "ausearch -m USER_AVC";
}

const char *access_refusal(
        const struct index *index, const struct index_service *service, const char *request_id, int bridge, int front)
{
        struct subject from_bridge = {index_text(index, service->name), request_id, "bridge"};
        struct subject from_front = {index_text(index, service->name), request_id, "front-end"};
        const char *label = index_text(index, service->label), *reason;
        security_id_t label_id = NULL, bridge_id, front_id;

        if (!index_applies_contexts(index))
                return NULL;
        if (!label || avc_context_to_sid_raw(label, &label_id) < 0)
                return "the service file has no SELinux label";
        bridge_id = peer_of(bridge, from_bridge.role);
        front_id = peer_of(front, from_front.role);
        if (!bridge_id || !front_id)
                return unasked;
        /* The permission that the bridge has is not for a connection to itself. */
        if (bridge_id == front_id)
                return "the front end is in the SELinux context of the bridge";
        reason = refusal(bridge_id, label_id, &from_bridge);
        if (!reason)
                reason = refusal(front_id, label_id, &from_front);
        if (!reason && index->header->selinux == INDEX_SELINUX_REQUIRE && selinux_status_getenforce() != 1)
                reason = "SELinux=require, and SELinux is permissive";
        return reason;
}
