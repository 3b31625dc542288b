/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sandboxd-allot DIRECTORY
 * sandboxd-allot --list DIRECTORY
 *
 * Keeps what has been allotted: uids for user names, pairs of MCS categories for uids. Started by sandboxd, as the
 * account sandboxd-allot, to which DIRECTORY belongs with mode 0700. It answers the questions that come at
 * QUESTION_FD_QUESTIONS, one after the other, until that is closed; common/question.h. An answer is sent after it is on
 * disk. When the store cannot be used, the answer is ANSWER_UNAVAILABLE, and the next question tries anew.
 *
 * With --list it prints what is allotted (allot/list.h), whether or not a keeper is running.
 *
 * Exit status: 0, or 1 after a line in the log.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>

#include "allot/list.h"
#include "allot/store.h"
#include "common/cleanup.h"
#include "common/landlock.h"
#include "common/log.h"
#include "common/packet.h"
#include "common/question.h"

enum { LOG_INTERVAL = 60 }; /* seconds: the same trouble is logged once in it, whatever is asked */

struct keeper {
        struct store store;
        int trouble; /* what was logged last, a negative errno */
        time_t quiet_until;
};

static int failed(const char *what, int error)
{
        log_message(LOG_ERR, "%s: %s", what, strerror(-error));
        return error;
}

static int confine(const char *directory)
{
        _cleanup_close_ int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        unsigned char drawn;
        int r;

        if (fd < 0)
                return failed(directory, -errno);
        umask(S_IRWXG | S_IRWXO);
        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
                return failed("SIGPIPE", -errno);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return failed("PR_SET_NO_NEW_PRIVS", -errno);
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return failed("PR_SET_DUMPABLE", -errno);
        sqlite3_randomness(sizeof(drawn), &drawn); /* reads /dev/urandom, this once */
        r = landlock_enter(fd);
        if (r < 0)
                return failed("Landlock", r);
        if (r > 0)
                log_message(LOG_NOTICE, "Landlock is not used (%s): only file modes keep this process to %s",
                        r == LANDLOCK_SANITIZER ? "sanitizer build" : "this kernel has none", directory);
        return 0;
}

/* Who is known already is answered in between, so that a success does not end a trouble. */
static void log_trouble(struct keeper *keeper, int error)
{
        const struct store *store = &keeper->store;
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
        if (error == keeper->trouble && now.tv_sec < keeper->quiet_until)
                return;
        log_message(
                LOG_ERR, "nothing new is allotted: cannot use %s: %s; %s", store->path, store->detail, store->advice);
        keeper->trouble = error;
        keeper->quiet_until = now.tv_sec + LOG_INTERVAL;
}

static void refuse(struct answer *answer, enum answer_status status, const char *prefix, const char *detail)
{
        answer->status = status;
        snprintf(answer->detail, sizeof(answer->detail), "%s%s", prefix, detail);
}

static void answer_question(struct keeper *keeper, const struct question *question, struct answer *answer)
{
        struct store *store = &keeper->store;
        int r;

        answer_init(answer, ANSWER_FOUND, question->number);
        if (question->kind == QUESTION_UID) {
                r = store_uid(store, question->name, question->first, question->last, &answer->uid);
        } else if (question->kind == QUESTION_CATEGORIES) {
                r = store_categories(
                        store, question->uid, question->first, question->last, &answer->first, &answer->second);
        } else {
                refuse(answer, ANSWER_UNAVAILABLE, "", "sandboxd-allot does not answer questions of this kind");
                return;
        }
        if (r == STORE_EXHAUSTED) {
                refuse(answer, ANSWER_EXHAUSTED, "", store->detail);
        } else if (r < 0) {
                refuse(answer, ANSWER_UNAVAILABLE, "the store: ", store->detail);
                log_trouble(keeper, r);
        }
}

/* Returns 1 with a question, 0 at the end. */
static int receive(struct question *question)
{
        ssize_t n = packet_read(QUESTION_FD_QUESTIONS, question, sizeof(*question));

        if (n == 0)
                return 0;
        if (n < 0)
                return failed("cannot receive a question", (int)n);
        if (question_check(question, (size_t)n) < 0)
                return failed("sandboxd and sandboxd-allot must be of one build: a question", -EBADMSG);
        return 1;
}

/* Returns 1, or 0 when nobody listens any more. */
static int reply(const struct answer *answer)
{
        int r = packet_write(QUESTION_FD_ANSWERS, answer, sizeof(*answer));

        if (r < 0)
                return r == -EPIPE ? 0 : failed("cannot send an answer", r);
        return 1;
}

static int serve(struct keeper *keeper)
{
        struct question question;
        struct answer answer;
        int r;

        while ((r = receive(&question)) > 0) {
                answer_question(keeper, &question, &answer);
                r = reply(&answer);
                if (r <= 0)
                        break;
        }
        store_close(&keeper->store);
        return r;
}

int main(int argc, char **argv)
{
        static struct keeper keeper;

        log_open("sandboxd-allot");
        if (argc == 3 && strcmp(argv[1], "--list") == 0)
                return list_print(argv[2]) < 0;
        if (argc != 2 || argv[1][0] == '-') {
                fputs("usage: sandboxd-allot [--list] DIRECTORY\n", stderr);
                return 1;
        }
        if (store_init(&keeper.store, argv[1], true) < 0)
                return failed(argv[1], -ENAMETOOLONG) < 0;
        return confine(argv[1]) < 0 || serve(&keeper) < 0;
}
