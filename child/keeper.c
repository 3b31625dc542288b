/* SPDX-License-Identifier: Apache-2.0 */
#include "child/keeper.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/capabilities.h"
#include "common/cleanup.h"
#include "common/keyed.h"

enum { PATIENCE = 5000 }; /* ms */

/* The broker may have died before the death signal was set: then its end of the socket is closed. */
static bool is_orphan(const struct jail *jail)
{
        struct pollfd control = {.fd = jail->control};

        return poll(&control, 1, 0) < 0 || control.revents & POLLHUP;
}

void keeper_await(const struct jail *jail)
{
        struct pollfd ready = {.fd = jail->ready[0], .events = POLLIN};
        char byte;

        /* One that is late would be taken for the next. */
        if (poll(&ready, 1, PATIENCE) != 1 || read(jail->ready[0], &byte, 1) != 1)
                _exit(EXIT_FAILURE);
}

void keeper_run(const struct jail *jail)
{
        const struct sigaction ignore = {.sa_handler = SIG_IGN};
        const int ready = jail->ready[1];

        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || is_orphan(jail) ||
                keyed_call(jail->key, SYS_setpgid, 0, 0, 0, 0, 0) < 0 || sigaction(SIGCHLD, &ignore, NULL) < 0 ||
                capabilities_drop(jail->key) < 0 || close_range(0, (unsigned)ready - 1, 0) < 0 ||
                close_range((unsigned)ready + 1, ~0U, 0) < 0)
                _exit(JAIL_EXIT);
        /* Not before nothing of the request's is left to be looked at. */
        if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 || write(ready, "", 1) != 1 || close(ready) < 0)
                _exit(JAIL_EXIT);
        for (;;)
                poll(NULL, 0, -1);
}
