/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/handover.h"

#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "fcgi-bridge/accept.h"

#define BARRIER_USEC UINT64_C(5000000)

bool handover_is_possible(void)
{
        return getenv("NOTIFY_SOCKET") != NULL;
}

int handover_give(struct bridge *bridge, int fd)
{
        /* Without FDPOLL=0: systemd drops a connection whose web server has gone. */
        int r = sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=" HANDOVER_NAME, &fd, 1);

        if (r == 0)
                return -ENOTCONN;
        if (r < 0)
                return r;
        bridge->n_handed_over++;
        return 0;
}

void handover_finish(const struct bridge *bridge)
{
        int r;

        if (bridge->n_handed_over == 0)
                return;
        r = sd_notify_barrier(0, BARRIER_USEC);
        if (r > 0)
                log_message(LOG_INFO, "%u idle connections handed over to the next bridge", bridge->n_handed_over);
        else
                log_message(LOG_WARNING,
                        "%u idle connections may be lost: the service manager does not say that it has them: %s",
                        bridge->n_handed_over, strerror(r < 0 ? -r : ENOTCONN));
}

void handover_take(struct bridge *bridge)
{
        size_t refused = 0;

        if (bridge->n_taken == 0)
                return;
        if (sd_notify(0, "FDSTOREREMOVE=1\nFDNAME=" HANDOVER_NAME) <= 0)
                log_message(LOG_WARNING, "cannot tell the service manager to forget the connections handed over");
        for (size_t i = 0; i < bridge->n_taken; i++) {
                if (bridge->n_connections >= bridge->options.max_connections) {
                        close_fd(bridge->taken[i]);
                        refused++;
                } else
                        accept_connection(bridge, bridge->taken[i]);
        }
        bridge->n_taken = 0;
        if (refused > 0)
                log_message(
                        LOG_WARNING, "%zu connections handed over are closed: too many (--max-connections=)", refused);
}
