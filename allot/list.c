/* SPDX-License-Identifier: Apache-2.0 */
#include "allot/list.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "allot/store.h"
#include "common/log.h"

/*
 * A journal that a killed keeper left is played back by whoever reads next, and names files to remove: what an
 * unprivileged account wrote is not for root to follow.
 */
static int become_owner(const char *directory)
{
        struct stat st;

        if (stat(directory, &st) < 0)
                return -errno;
        if (geteuid() != 0)
                return 0;
        if (setgroups(0, NULL) < 0 || setresgid(st.st_gid, st.st_gid, st.st_gid) < 0 ||
                setresuid(st.st_uid, st.st_uid, st.st_uid) < 0)
                return -errno;
        return 0;
}

static void print_name(const struct store_entry *entry)
{
        printf("name\t%" PRIu32 "\t", entry->uid);
        for (size_t i = 0; i < entry->n_name; i++) {
                unsigned char c = (unsigned char)entry->name[i];

                if (c < 0x20 || c == 0x7f || c == '\\')
                        printf("\\x%02x", c);
                else
                        putchar(c);
        }
        putchar('\n');
}

static int print_all(struct store *store)
{
        struct store_list list = {0};
        int r;

        do {
                r = store_list(store, &list);
                if (r != 0)
                        return r == STORE_ABSENT ? 0 : r;
                for (size_t i = 0; i < list.n_entries; i++) {
                        const struct store_entry *entry = &list.entries[i];

                        if (entry->n_name)
                                print_name(entry);
                        else
                                printf("categories\t%" PRIu32 "\tc%" PRIu32 ",c%" PRIu32 "\n", entry->uid, entry->first,
                                        entry->second);
                }
        } while (list.n_entries > 0 && !ferror(stdout));
        return 0;
}

int list_print(const char *directory)
{
        struct store store;
        int r = store_init(&store, directory, false);

        if (r == 0)
                r = become_owner(directory);
        if (r < 0) {
                log_message(LOG_ERR, "cannot read %s: %s", directory, strerror(-r));
                return r;
        }
        r = print_all(&store);
        if (r < 0)
                log_message(LOG_ERR, "cannot read %s: %s; %s", store.path, store.detail, store.advice);
        store_close(&store);
        if (r == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
                r = -EIO;
                log_message(LOG_ERR, "cannot write the list to standard output");
        }
        return r;
}
