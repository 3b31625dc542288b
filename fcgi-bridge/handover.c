/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/handover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "common/log.h"
#include "fcgi-bridge/accept.h"

#define BARRIER_USEC UINT64_C(5000000)

unsigned long handover_room(void)
{
        const char *room = getenv("FDSTORE");

        return room ? strtoul(room, NULL, 10) : 0;
}

int handover_give(struct bridge *bridge, int fd)
{
        int r;

        if (bridge->n_handed_over >= handover_room())
                return -ENOSPC;
        /* Without FDPOLL=0: systemd drops a connection whose web server has gone. */
        r = sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=" HANDOVER_NAME, &fd, 1);

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

static bool is_first(char **names, char **name)
{
        for (char **other = names; other < name; other++)
                if (strcmp(*other, *name) == 0)
                        return false;
        return true;
}

/* Of names that only the socket unit has, nothing is stored. */
static int forget_stored(char **names)
{
        for (char **name = names; *name; name++) {
                int r = is_first(names, name) ? sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", *name) : 0;

                if (r < 0) {
                        log_message(LOG_ERR,
                                "cannot tell the service manager (NOTIFY_SOCKET) to forget what it stores as '%s': %s",
                                *name, strerror(-r));
                        return r;
                }
        }
        return 0;
}

int handover_take(struct bridge *bridge)
{
        int r = forget_stored(bridge->names);

        if (r < 0)
                return r;
        for (size_t i = 0; i < bridge->n_taken; i++)
                accept_connection(bridge, NULL, bridge->taken[i]);
        bridge->n_taken = 0;
        return 0;
}
