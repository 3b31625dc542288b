/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sandboxd-names: the resolver that asks the name service for the broker; names.h names the files in the order of a
 * question's way. The broker starts it, as an account without rights, and it ends when the broker closes the pipe of
 * questions.
 */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "common/descriptors.h"
#include "common/log.h"
#include "names/lookup.h"
#include "names/names.h"
#include "names/server.h"
#include "names/worker.h"

/* Whatever the modules of the name service do in the workers, they do not do it as root. */
static int check_start(void)
{
        if (!descriptors_is_pipe(QUESTION_FD_QUESTIONS, O_RDONLY) ||
                !descriptors_is_pipe(QUESTION_FD_ANSWERS, O_WRONLY)) {
                log_message(LOG_ERR, "descriptors %d and %d are no pipes of the broker's: sandboxd starts this",
                        QUESTION_FD_QUESTIONS, QUESTION_FD_ANSWERS);
                return -EINVAL;
        }
        if (geteuid() == 0) {
                log_message(LOG_ERR, "this is not to run as root");
                return -EPERM;
        }
        return 0;
}

static int confine(void)
{
        /* The workers have our account, and modules in them that we do not know. */
        if (prctl(PR_SET_DUMPABLE, 0) < 0)
                return -errno;
        if (fcntl(QUESTION_FD_QUESTIONS, F_SETFD, FD_CLOEXEC) < 0 ||
                fcntl(QUESTION_FD_ANSWERS, F_SETFD, FD_CLOEXEC) < 0 || close_range(QUESTION_FD_ANSWERS + 1, ~0U, 0) < 0)
                return -errno;
        return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -errno : 0;
}

static int start(struct names *names)
{
        int r = check_start();

        if (r < 0)
                return r;
        r = confine();
        if (r < 0)
                return r;
        r = sd_event_new(&names->event);
        if (r < 0)
                return r;
        return server_start(names);
}

static void finish(struct names *names)
{
        worker_finish(names);
        while (!TAILQ_EMPTY(&names->waiting))
                lookup_free(TAILQ_FIRST(&names->waiting));
        server_finish(names);
        cache_clear(&names->cache);
        sd_event_unref(names->event);
}

int main(void)
{
        struct names names = {0};
        int r;

        log_open("sandboxd-names");
        TAILQ_INIT(&names.unsent);
        TAILQ_INIT(&names.waiting);
        cache_init(&names.cache);
        worker_init(&names);
        r = start(&names);
        if (r < 0)
                log_message(LOG_ERR, "cannot start: %s", strerror(-r));
        else
                r = sd_event_loop(names.event);
        if (r < 0)
                log_message(LOG_ERR, "cannot go on: %s", strerror(-r));
        finish(&names);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
