/* SPDX-License-Identifier: Apache-2.0 */
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "compiler/filter-program.h"
#include "compiler/filter.h"

/* What SystemCallFilter= and RestrictAddressFamilies= say. */

static const struct {
        const char *name;
        int family;
} families[] = {
        {"AF_UNIX", AF_UNIX},
        {"AF_INET", AF_INET},
        {"AF_INET6", AF_INET6},
        {"AF_NETLINK", AF_NETLINK},
        {"AF_VSOCK", AF_VSOCK},
        {"AF_ALG", AF_ALG},
};

void filter_default(struct filter *filter)
{
        static const char *const leftovers[] = {
                "shmget",
                "shmat",
                "shmctl",
                "shmdt",
                "semget",
                "semop",
                "semctl",
                "semtimedop",
                "msgget",
                "msgsnd",
                "msgrcv",
                "msgctl",
                "mq_open",
                "mq_unlink",
                "mq_timedsend",
                "mq_timedreceive",
                "mq_notify",
                "mq_getsetattr",
        };

        memset(&filter->allowed, 0, sizeof(filter->allowed));
        syscalls_put_group(&filter->allowed, "@system-service", true);
        syscalls_put_group(&filter->allowed, "@privileged", false);
        syscalls_put_group(&filter->allowed, "@keyring", false);
        syscalls_put_names(&filter->allowed, leftovers, ELEMENTS(leftovers), false);
}

static void filter_word(struct filter *filter, const char *word, bool present, struct position position)
{
        int number;

        if (syscalls_put_group(&filter->allowed, word, present))
                return;
        number = seccomp_syscall_resolve_name(word);
        if (word[0] == '@')
                diagnose(position, syscalls_nearest_group(word), "unknown system-call group '%s'", word);
        else if (strchr(word, ':'))
                diagnose(position, "what is refused answers EPERM", "'%s': an error number is not supported", word);
        else if (number == __NR_SCMP_ERROR)
                diagnose(position, "see `systemd-analyze syscall-filter` for names and groups",
                        "unknown system call '%s'", word);
        else if (present && filter_is_forbidden(word))
                diagnose(position, NULL, "'%s' is never available to an application", word);
        else
                syscalls_put(&filter->allowed, number, present);
}

void filter_line(struct filter *filter, const char *value, struct position position)
{
        bool inverted = value[0] == '~';
        char word[64];

        if (!*value) {
                memset(&filter->allowed, 0, sizeof(filter->allowed));
                filter->chosen = false;
                return;
        }
        if (!filter->chosen && inverted)
                filter_default(filter);
        else if (!filter->chosen)
                syscalls_put_group(&filter->allowed, "@default", true); /* always permitted, says systemd.exec(5) */
        filter->chosen = true;
        while (sscanf(value, " %63s", word) == 1) {
                bool removes = inverted || word[0] == '~';

                filter_word(filter, word + (word[0] == '~'), !removes, position);
                value += strspn(value, " \t") + strlen(word);
        }
}

static void family_word(struct filter *filter, const char *word, struct position position)
{
        const char *names[ELEMENTS(families)];

        for (size_t i = 0; i < ELEMENTS(families); i++) {
                names[i] = families[i].name;
                if (strcmp(names[i], word) == 0) {
                        filter->families |= UINT64_C(1) << families[i].family;
                        return;
                }
        }
        diagnose(position, nearest_word(word, names, ELEMENTS(names)), "unknown address family '%s'", word);
}

void filter_families_line(struct filter *filter, const char *value, struct position position)
{
        char word[64];

        if (!*value || strcmp(value, "none") == 0) {
                filter->families = 0;
                return;
        }
        if (value[0] == '~') {
                diagnose(position, "list the families to allow", "RestrictAddressFamilies= cannot begin with ~ here");
                return;
        }
        while (sscanf(value, " %63s", word) == 1) {
                family_word(filter, word, position);
                value += strspn(value, " \t") + strlen(word);
        }
}

bool filter_lets_ipc_remain(const struct filter *filter)
{
        static const char *const makers[] = {"shmget", "semget", "msgget", "mq_open"};

        for (size_t i = 0; i < ELEMENTS(makers); i++)
                if (syscalls_has_name(&filter->allowed, makers[i]))
                        return true;
        return false;
}

bool filter_lets_identities_meet(const struct filter *filter)
{
        return filter->families & ~(UINT64_C(1) << AF_INET | UINT64_C(1) << AF_INET6);
}
