/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/access.h"

#include <selinux/avc.h>
#include <selinux/selinux.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "common/denials.h"
#include "common/log.h"

enum { SETTLE_USEC = 100000 };

static const char unknown[] = "the SELinux policy knows no permission 'start' of class 'service', which systemd's has";

static const char unasked[] = "the SELinux policy cannot be asked";

static sd_event_source *netlink_source;

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

        denials_set_callbacks();
        /* The first question about the status only sets its beginning: asked before anything is cached. */
        if (avc_open(NULL, 0) < 0 || selinux_status_updated() < 0 || avc_netlink_open(0) < 0)
                return -errno;
        r = sd_event_add_io(event, &netlink_source, avc_netlink_acquire_fd(), EPOLLIN, on_netlink, NULL);
        if (r >= 0)
                denials_open_audit();
        return r < 0 ? r : 0;
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
        r = netlink_source ? 0 : open_cache(event);
        if (r < 0) {
                log_message(LOG_ERR, "cannot watch the SELinux policy: %s", strerror(-r));
                return unasked;
        }
        return look_up(&class, &permission) ? NULL : unknown;
}

void access_close(void)
{
        if (netlink_source)
                avc_netlink_release_fd();
        netlink_source = sd_event_source_disable_unref(netlink_source);
        denials_close_audit();
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
static const char *refusal(security_id_t peer, security_id_t label, struct denial_subject *subject)
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
        struct denial_subject from_bridge = {index_text(index, service->name), request_id, "bridge"};
        struct denial_subject from_front = {index_text(index, service->name), request_id, "front-end"};
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
