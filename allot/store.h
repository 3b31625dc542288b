/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What has been allotted, for ever: a uid to a name, a pair of MCS categories to a uid. One SQLite database,
 * DIRECTORY/allotted.db, with a rollback journal: https://www.sqlite.org/atomiccommit.html.
 *
 * The database itself refuses to give a uid or a pair twice, by its keys; what was never given is kept in it as
 * intervals, so that the next one is found at once, whatever ranges were used before. Nothing is ever deleted.
 *
 * A number is returned only after it is on disk: the journal's removal, which commits, is synced too. Several
 * processes may use one store; whoever finds it locked waits for STORE_WAIT.
 *
 * A store opens its database when it is first needed, and once more after an error: what somebody has put right is
 * noticed. Every function returns 0, a condition below, or
 *   -ENOSPC  the disk is full                          -EACCES  may not be read or written
 *   -EBUSY   locked for longer than STORE_WAIT         -EBADMSG damaged, not ours, or it contradicts itself
 *   -EIO     the disk fails                            -ENOTSUP written by a newer sandboxd
 *   -ENOMEM                                            -EINVAL  what was asked for can be in no store
 * and then `detail` says what is wrong, and `advice` what to do.
 */

#define STORE_FILE "allotted.db"

enum {
        STORE_WAIT = 2000, /* ms */
        STORE_NAME_MAX = 255,
        STORE_CATEGORY_MAX = 1023, /* the last one of the policies in use: c1023 */
        STORE_LIST_MAX = 256,
};

enum {
        STORE_EXHAUSTED = 1, /* all of the range is allotted; `detail` says so */
        STORE_ABSENT,        /* there is no database yet, and none is to be made */
};

struct sqlite3;
struct sqlite3_stmt;

enum store_statement {
        STORE_FIND_UID,
        STORE_GIVE_UID,
        STORE_FIND_PAIR,
        STORE_GIVE_PAIR,
        STORE_LIST,
        STORE_STATEMENTS,
};

struct store {
        char path[PATH_MAX];
        bool create; /* whether a database is made where there is none */
        struct sqlite3 *database;
        struct sqlite3_stmt *statements[STORE_STATEMENTS];
        char detail[96]; /* without control characters */
        const char *advice;
};

/*
 * A store of which nothing is open yet; to be closed by store_close(). With `create` false, the database must exist.
 * Returns 0 or -ENAMETOOLONG. A new file gets the mode that the umask leaves of 0644.
 */
int store_init(struct store *store, const char *directory, bool create);

/*
 * The uid of `name`, 1 to STORE_NAME_MAX bytes that are compared as bytes: the one that it has, be it in the range or
 * not; or else the lowest from `first` to `last` that was never given. Returns STORE_EXHAUSTED when there is none.
 */
int store_uid(struct store *store, const char *name, uint32_t first, uint32_t last, uint32_t *ret_uid);

/*
 * The two categories of `uid`, *ret_first < *ret_second: those that it has, be they in the range or not; or else a pair
 * of two from `first` to `last` that was never given, the one with the lowest second category, and then the lowest
 * first. Returns STORE_EXHAUSTED when there is none.
 */
int store_categories(
        struct store *store, uint32_t uid, uint32_t first, uint32_t last, uint32_t *ret_first, uint32_t *ret_second);

/* A name with its uid, or, with `n_name` 0, a uid with its categories. */
struct store_entry {
        uint32_t uid;
        uint32_t first, second;
        size_t n_name;
        char name[STORE_NAME_MAX];
};

/* What is allotted, by uid, a name before its uid's categories. To start with: zeroes. */
struct store_list {
        uint32_t names_after, pairs_after;
        size_t n_entries; /* 0: the end */
        struct store_entry entries[STORE_LIST_MAX];
};

/* The next entries, or STORE_ABSENT. Nothing is locked between two calls, for whoever reads them may be slow. */
int store_list(struct store *store, struct store_list *list);

void store_close(struct store *store);
