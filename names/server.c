/* SPDX-License-Identifier: Apache-2.0 */
#include "names/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <syslog.h>

#include "common/log.h"
#include "common/packet.h"
#include "names/lookup.h"

struct unsent {
        TAILQ_ENTRY(unsent) link;
        struct answer answer;
};

/* Questions are taken while no answer waits to be sent. */
static int take_turns(struct names *names)
{
        bool sending = !TAILQ_EMPTY(&names->unsent);
        int r = sd_event_source_set_enabled(names->questions, sending ? SD_EVENT_OFF : SD_EVENT_ON);

        return r < 0 ? r : sd_event_source_set_enabled(names->answers, sending ? SD_EVENT_ON : SD_EVENT_OFF);
}

int server_answer(struct names *names, uint64_t number, const struct answer *answer)
{
        struct unsent *unsent;
        struct answer copy = *answer;
        int r = -EAGAIN;

        copy.number = number;
        if (TAILQ_EMPTY(&names->unsent))
                r = packet_write(QUESTION_FD_ANSWERS, &copy, sizeof(copy));
        if (r == -EPIPE)
                return 0;
        if (r != -EAGAIN)
                return r;
        unsent = malloc(sizeof(*unsent));
        if (!unsent)
                return -ENOMEM;
        unsent->answer = copy;
        TAILQ_INSERT_TAIL(&names->unsent, unsent, link);
        return take_turns(names);
}

static int send_unsent(struct names *names)
{
        struct unsent *unsent;

        while ((unsent = TAILQ_FIRST(&names->unsent))) {
                int r = packet_write(QUESTION_FD_ANSWERS, &unsent->answer, sizeof(unsent->answer));

                if (r < 0)
                        return r == -EAGAIN ? 0 : r;
                TAILQ_REMOVE(&names->unsent, unsent, link);
                free(unsent);
        }
        return take_turns(names);
}

static int refuse(struct names *names, uint64_t number, const char *detail)
{
        struct answer answer;

        answer_init(&answer, ANSWER_UNAVAILABLE, number);
        snprintf(answer.detail, sizeof(answer.detail), "%s", detail);
        return server_answer(names, number, &answer);
}

static int take_question(struct names *names, const struct question *question)
{
        struct answer answer;

        if (question->kind != QUESTION_ACCOUNT)
                return refuse(names, question->number, "the name service is asked about accounts only");
        if (cache_find(&names->cache, question->name, question->ttl, names_now(names), &answer))
                return server_answer(names, question->number, &answer);
        if (names->n_questions >= NAMES_QUESTIONS_MAX)
                return refuse(names, question->number, "too many questions wait for the name service");
        return lookup_ask(names, question);
}

/* Returns 1 when the broker has closed. */
static int receive_question(struct names *names)
{
        struct question question;
        ssize_t length = packet_read(QUESTION_FD_QUESTIONS, &question, sizeof(question));
        int r;

        if (length == 0)
                return 1;
        if (length < 0)
                return length == -EAGAIN ? 0 : (int)length;
        r = question_check(&question, (size_t)length);
        return r < 0 ? r : take_question(names, &question);
}

static int on_broker(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        struct names *names = userdata;
        int r = source == names->answers ? send_unsent(names) : receive_question(names);

        (void)fd, (void)events;
        if (r > 0 || r == -EPIPE)
                return sd_event_exit(names->event, 0);
        if (r == -EBADMSG)
                log_message(LOG_ERR, "the broker sent what is no question");
        return r < 0 ? sd_event_exit(names->event, r) : 0;
}

int server_start(struct names *names)
{
        int r;

        if (fcntl(QUESTION_FD_QUESTIONS, F_SETFL, O_NONBLOCK) < 0 ||
                fcntl(QUESTION_FD_ANSWERS, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        r = sd_event_add_io(names->event, &names->questions, QUESTION_FD_QUESTIONS, EPOLLIN, on_broker, names);
        if (r < 0)
                return r;
        r = sd_event_add_io(names->event, &names->answers, QUESTION_FD_ANSWERS, EPOLLOUT, on_broker, names);
        return r < 0 ? r : take_turns(names);
}

void server_finish(struct names *names)
{
        struct unsent *unsent;

        while ((unsent = TAILQ_FIRST(&names->unsent))) {
                TAILQ_REMOVE(&names->unsent, unsent, link);
                free(unsent);
        }
        names->questions = sd_event_source_unref(names->questions);
        names->answers = sd_event_source_unref(names->answers);
}
