/* SPDX-License-Identifier: Apache-2.0 */
#include "names/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/descriptors.h"
#include "names/account.h"

/* In the place of the conversation with the broker: that is not ours to take part in. */
enum { CHILD_FD = QUESTION_FD_QUESTIONS };

static int confine(int fd, pid_t parent)
{
        sigset_t none;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
                return -errno;
        if (getppid() != parent)
                return -ESRCH; /* it ended before it was to kill us */
        if (dup3(fd, CHILD_FD, O_CLOEXEC) < 0 || close_range(CHILD_FD + 1, ~0U, 0) < 0)
                return -errno;
        sigemptyset(&none);
        return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

/* Returns 0 at the end of the conversation, 1 to go on, or a negative errno. */
static int answer_one(void)
{
        struct question question;
        struct answer answer;
        size_t n_fds;
        ssize_t length = descriptors_receive(CHILD_FD, &question, sizeof(question), NULL, 0, &n_fds, 0);
        int r;

        if (length <= 0)
                return (int)length;
        r = question_check(&question, (size_t)length);
        if (r < 0)
                return r;
        account_look_up(question.name, &answer);
        answer.number = question.number;
        r = descriptors_send(CHILD_FD, &answer, sizeof(answer), NULL, 0);
        return r < 0 ? r : 1;
}

_Noreturn void child_run(int fd, pid_t parent)
{
        int r = confine(fd, parent);

        if (r == 0)
                do
                        r = answer_one();
                while (r > 0);
        _exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
