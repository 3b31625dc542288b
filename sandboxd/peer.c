/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/peer.h"

#include <errno.h>
#include <sys/socket.h>

static bool is_connected_stream(int fd, struct sockaddr_storage *peer)
{
        socklen_t length = sizeof(int), peer_length = sizeof(*peer);
        int type, listening;

        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_STREAM)
                return false;
        length = sizeof(int);
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0 || listening)
                return false;
        return getpeername(fd, (struct sockaddr *)peer, &peer_length) == 0;
}

/* socket(7) does not know SO_NETNS_COOKIE (Linux 5.14) yet: a number that no two network namespaces share. */
static bool same_network(int a, int b)
{
        uint64_t cookie_a, cookie_b;
        socklen_t length = sizeof(cookie_a);

        if (getsockopt(a, SOL_SOCKET, SO_NETNS_COOKIE, &cookie_a, &length) < 0)
                return false;
        length = sizeof(cookie_b);
        return getsockopt(b, SOL_SOCKET, SO_NETNS_COOKIE, &cookie_b, &length) == 0 && cookie_a == cookie_b;
}

bool peer_is(int fd, const uint32_t *uids, size_t n)
{
        struct ucred credentials;
        socklen_t length = sizeof(credentials);

        return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 &&
               front_has_uid(uids, n, credentials.uid);
}

int peer_inspect(int fd, int reference, struct front *ret_front)
{
        struct sockaddr_storage local = {0}, peer = {0};
        socklen_t length = sizeof(local), credentials_length = sizeof(struct ucred);
        struct front front = {.uid = (uid_t)-1};
        struct ucred credentials;

        if (!is_connected_stream(fd, &peer) || !same_network(fd, reference) ||
                getsockname(fd, (struct sockaddr *)&local, &length) < 0)
                return -EBADMSG;
        if (door_name(&local, length, front.door, sizeof(front.door)) < 0)
                return -EBADMSG;
        front.is_unix = local.ss_family == AF_UNIX;
        if (front.is_unix) {
                if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &credentials_length) < 0)
                        return -EBADMSG;
                front.uid = credentials.uid;
        } else {
                if (door_wildcard_name(&local, front.wildcard, sizeof(front.wildcard)) < 0)
                        return -EBADMSG;
                door_ip(&peer, front.ip, sizeof(front.ip));
        }
        *ret_front = front;
        return 0;
}
