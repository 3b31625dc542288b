/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An application zygote that was taken over: it is linked statically, so that nothing stands in for it, and says to the
 * broker what it likes. How it behaves is its first argument. Run cold, it answers "cold=1".
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/warm.h"

static void say(uint32_t kind, uint32_t slot, int32_t value, uint64_t number)
{
        struct warm_event event = {
                .magic = WARM_MAGIC, .kind = kind, .slot = slot, .value = value, .number = number, .detail = "rogue"};

        if (send(WARM_FD_CONTROL, &event, sizeof(event), MSG_NOSIGNAL) < 0)
                exit(EXIT_FAILURE);
}

/* The number of the next request; its descriptors are never looked at. */
static uint64_t take(void)
{
        static struct warm_request request;

        if (recv(WARM_FD_QUEUE, &request, sizeof(request), 0) <= 0)
                exit(EXIT_SUCCESS);
        return request.number;
}

/* Slots and their groups are of no interest, but a socket that is full would end us. */
static void drain(void)
{
        static struct warm_slot slot;

        while (recv(WARM_FD_CONTROL, &slot, sizeof(slot), MSG_DONTWAIT) > 0)
                ;
}

static void behave(const char *how)
{
        if (strcmp(how, "huge") == 0 || strcmp(how, "negative") == 0) {
                say(WARM_READY, 0, strcmp(how, "huge") == 0 ? INT32_MAX : INT32_MIN, 0);
                return;
        }
        say(WARM_READY, 0, 1, 0);
        if (strcmp(how, "stale") == 0) /* each of them, and nobody has asked for anything */
                say(WARM_STALE, 0, 0, 0);
        if (strcmp(how, "mute") == 0) /* takes what there is, and tells no end */
                for (;;)
                        say(WARM_TAKEN, 0, 0, take());
        if (strcmp(how, "troubled") == 0)
                for (;;)
                        say(WARM_TROUBLE, 0, 0, 0);
        if (strcmp(how, "dirty") == 0)
                for (uint32_t i = 0;; i++, drain())
                        say(i % 2 ? WARM_DIRTY : WARM_TAKEN, i % 3, 0, i);
        if (strcmp(how, "chatty") == 0)
                for (uint32_t i = 0;; i++, drain())
                        say(i % 4 ? WARM_ENDED : WARM_STALE, i % WARM_SLOTS_MAX, SIGSEGV, 0);
        if (strcmp(how, "beyond") == 0) /* a slot that nobody gave it */
                say(WARM_TAKEN, WARM_SLOTS_MAX - 1, 0, take());
}

int main(int argc, char **argv)
{
        const char *warm = getenv(WARM_VARIABLE);

        signal(SIGPIPE, SIG_IGN);
        if (!warm) {
                printf("Content-Type: text/plain\r\n\r\ncold=1\n");
                return EXIT_SUCCESS;
        }
        if (argc > 1)
                behave(argv[1]);
        for (;;)
                pause();
}
