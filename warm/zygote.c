/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/zygote.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/descriptors.h"
#include "common/warm.h"
#include "warm/event.h"
#include "warm/fork.h"

enum {
        RETRY = 100,       /* ms, after a fork that failed for want of something */
        RETRIES_MAX = 100, /* in a row */
};

struct slot {
        int fds[WARM_SLOT_FDS];
        pid_t child;      /* 0: none */
        int status;       /* of the child that has ended */
        uint32_t n_ended; /* that have been told of */
        bool ended;       /* …and has not been told of */
        bool replaced; /* it got another group since its child began: what is in the old one is the broker's matter */
        bool free;     /* to be forked into */
};

struct zygote {
        struct settings *settings;
        struct watch *watch;
        struct slot slots[WARM_SLOTS_MAX];
        size_t n_slots; /* those at and above have never been used */
        size_t n_children;
        unsigned failures; /* to fork, in a row */
        bool stopping;     /* it forks no more */
};

/* There is nobody to tell it to: the broker is gone, or hangs. */
static void say(
        const struct zygote *zygote, enum warm_event_kind kind, uint32_t slot, int32_t value, const char *detail)
{
        if (event_send(zygote->settings->control, kind, slot, value, 0, detail) < 0)
                _exit(EXIT_FAILURE);
}

/* Orphans of children are reaped as well, and nobody hears of them. */
static void reap(struct zygote *zygote)
{
        int status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
                for (size_t i = 0; i < zygote->n_slots; i++) {
                        struct slot *slot = &zygote->slots[i];

                        if (slot->child != pid)
                                continue;
                        slot->child = 0;
                        slot->status = status;
                        slot->ended = true;
                        zygote->n_children--;
                }
        }
}

static void take_slot(struct zygote *zygote, const struct warm_slot *message, const int *fds)
{
        struct slot *slot = &zygote->slots[message->slot];
        bool is_new = message->slot >= zygote->n_slots;

        if (is_new) {
                for (size_t i = zygote->n_slots; i <= message->slot; i++)
                        zygote->slots[i] = (struct slot){.fds = {-1, -1}};
                zygote->n_slots = message->slot + 1;
        }
        for (size_t i = 0; i < WARM_SLOT_FDS; i++) {
                close_fd(slot->fds[i]);
                slot->fds[i] = settings_move_fd(zygote->settings, fds[i]);
                if (slot->fds[i] < 0)
                        event_end(zygote->settings->control, WARM_TROUBLE, "slot %u: no descriptor left for its group",
                                message->slot);
        }
        slot->replaced = slot->child != 0 || slot->ended;
        slot->free = !slot->replaced;
}

/* One that has ended in the meantime is not meant any more, nor is its successor. */
static void kill_child(struct zygote *zygote, const struct warm_slot *message)
{
        const struct slot *slot = &zygote->slots[message->slot];

        if (slot->child > 0 && slot->n_ended == message->n_ended && kill(slot->child, SIGKILL) < 0)
                event_end(zygote->settings->control, WARM_TROUBLE, "a child cannot be killed: %m");
}

/* Returns false when nothing is there. */
static bool take_message(struct zygote *zygote)
{
        struct warm_slot message;
        int fds[WARM_SLOT_FDS];
        size_t n_fds = 0;
        ssize_t n = descriptors_receive(
                zygote->settings->control, &message, sizeof(message), fds, WARM_SLOT_FDS, &n_fds, MSG_DONTWAIT);

        if (n == -EAGAIN)
                return false;
        if (n == 0 || n == -ECONNRESET)
                _exit(EXIT_SUCCESS); /* the broker wants no more of it */
        if (n < 0 || warm_check_slot(&message, (size_t)n, n_fds) < 0)
                event_end(zygote->settings->control, WARM_TROUBLE, "a malformed message on the control socket");
        if (n_fds > 0)
                take_slot(zygote, &message, fds);
        else
                kill_child(zygote, &message);
        return true;
}

/* cgroups(7): "populated 0" in cgroup.events. What cannot be read counts as not empty. */
static bool is_empty(const struct slot *slot)
{
        char text[128];
        ssize_t n = pread(slot->fds[WARM_SLOT_FD_EVENTS], text, sizeof(text) - 1, 0);

        text[n < 0 ? 0 : n] = '\0';
        return strstr(text, "populated 0") != NULL;
}

/* The event comes before the fork: the next child's WARM_TAKEN must not. */
static void finish(struct zygote *zygote, uint32_t number)
{
        struct slot *slot = &zygote->slots[number];
        bool dirty = !slot->replaced && !is_empty(slot);

        say(zygote, WARM_ENDED, number, slot->status, "");
        if (dirty) {
                say(zygote, WARM_DIRTY, number, 0, "");
                for (size_t i = 0; i < WARM_SLOT_FDS; i++)
                        slot->fds[i] = close_fd(slot->fds[i]);
        }
        slot->n_ended++;
        slot->ended = slot->replaced = false;
        slot->free = !dirty;
}

static void stop(struct zygote *zygote, const char *detail)
{
        say(zygote, WARM_TROUBLE, 0, 0, detail);
        zygote->stopping = true;
}

static void fork_failed(struct zygote *zygote, int error)
{
        char detail[128];

        if (error == FORK_KILLED) {
                stop(zygote, "the helper that was to fork has been killed");
                return;
        }
        /* TasksMax= may be reached for a moment, by what is about to end. */
        if ((error == -EAGAIN || error == -ENOMEM) && ++zygote->failures < RETRIES_MAX)
                return;
        snprintf(detail, sizeof(detail), "it cannot fork: %s", strerrordesc_np(-error));
        stop(zygote, detail);
}

/* Returns true in a child, with its slot. */
static bool fork_children(struct zygote *zygote, uint32_t *ret_slot)
{
        for (uint32_t i = 0; i < zygote->n_slots && !zygote->stopping; i++) {
                struct slot *slot = &zygote->slots[i];
                pid_t child = 0;
                int r;

                if (!slot->free)
                        continue;
                r = fork_into(slot->fds[WARM_SLOT_FD_GROUP], &child);
                if (r != 0) {
                        fork_failed(zygote, r);
                        return false;
                }
                if (child == 0) {
                        *ret_slot = i;
                        return true;
                }
                slot->child = child;
                slot->free = false;
                zygote->n_children++;
                zygote->failures = 0;
        }
        return false;
}

/* Returns when something has happened. SIGCHLD interrupts it, and nothing but it. */
static void wait_for_something(struct zygote *zygote)
{
        const struct timespec retry = {.tv_nsec = RETRY * 1000000L};
        struct pollfd fds[] = {
                {.fd = zygote->settings->control, .events = POLLIN},
                /* Only its end, not what comes in. Known, it would be reported for ever. */
                {.fd = zygote->stopping ? -1 : zygote->settings->queue},
                {.fd = zygote->settings->inotify, .events = POLLIN},
        };
        sigset_t mask;

        sigfillset(&mask);
        sigdelset(&mask, SIGCHLD);
        if (ppoll(fds, ELEMENTS(fds), zygote->failures > 0 && !zygote->stopping ? &retry : NULL, &mask) < 0) {
                if (errno != EINTR)
                        event_end(zygote->settings->control, WARM_TROUBLE, "ppoll: %m");
                return;
        }
        if (fds[1].revents & (POLLHUP | POLLERR))
                zygote->stopping = true;
        if (fds[2].revents) {
                char detail[sizeof(((struct warm_event *)0)->detail)];

                if (watch_changed(zygote->watch, zygote->settings, detail, sizeof(detail)))
                        say(zygote, WARM_STALE, 0, 0, detail);
        }
}

uint32_t zygote_run(struct settings *settings, struct watch *watch)
{
        static struct zygote zygote;
        uint32_t slot;

        zygote.settings = settings;
        zygote.watch = watch;
        for (;;) {
                wait_for_something(&zygote);
                /*
                 * In this order. The broker sends another group before it kills what is in the old one: when a killed
                 * child is known of, the new group is here already.
                 */
                reap(&zygote);
                while (take_message(&zygote))
                        ;
                for (uint32_t i = 0; i < zygote.n_slots; i++)
                        if (zygote.slots[i].ended)
                                finish(&zygote, i);
                if (fork_children(&zygote, &slot))
                        return slot;
                if (zygote.stopping && zygote.n_children == 0)
                        _exit(EXIT_SUCCESS);
        }
}
