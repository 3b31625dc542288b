/* SPDX-License-Identifier: Apache-2.0 */
#include "allot/store.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "allot/database.h"

static const char advice_asked[] = "this is a mistake in sandboxd: report it";

/*
 * A statement that gives is a transaction of its own, and the only way to something new: it takes the write lock before
 * it reads, and gives nothing to who has something by then.
 */
static const char *const sql[STORE_STATEMENTS] = {
        [STORE_FIND_UID] = "SELECT uid FROM uids WHERE name = ?1",
        [STORE_GIVE_UID] = "INSERT INTO uids (name, uid)"
                           " SELECT ?1, max(first, ?2) FROM fresh_uids"
                           " WHERE last = (SELECT min(last) FROM fresh_uids WHERE last >= ?2) AND first <= ?3"
                           " ON CONFLICT (name) DO NOTHING RETURNING uid",
        [STORE_FIND_PAIR] = "SELECT first, second FROM categories WHERE uid = ?1",
        /* A row of fresh_pairs for each second category at most, and one more for each range that was left. */
        [STORE_GIVE_PAIR] = "INSERT INTO categories (uid, first, second)"
                            " SELECT ?1, max(first, ?2), second FROM fresh_pairs"
                            " WHERE second BETWEEN ?2 + 1 AND ?3 AND last >= ?2"
                            " ORDER BY second, last LIMIT 1"
                            " ON CONFLICT (uid) DO NOTHING RETURNING first, second",
        [STORE_LIST] = "SELECT uid, 0, name, 0, 0 FROM uids WHERE uid > ?1"
                       " UNION ALL SELECT uid, 1, NULL, first, second FROM categories WHERE uid > ?2"
                       " ORDER BY 1, 2 LIMIT ?3",
};

int store_init(struct store *store, const char *directory, bool create)
{
        int length;

        memset(store, 0, sizeof(*store));
        store->create = create;
        length = snprintf(store->path, sizeof(store->path), "%s/%s", directory, STORE_FILE);
        return length < 0 || (size_t)length >= sizeof(store->path) ? -ENAMETOOLONG : 0;
}

void store_close(struct store *store)
{
        database_close(store);
}

/* The database with its statements: all of them are prepared, or it is closed. */
static int open_store(struct store *store)
{
        int r;

        if (store->database)
                return 0;
        r = database_open(store);
        for (size_t i = 0; r == 0 && i < STORE_STATEMENTS; i++) {
                int code = sqlite3_prepare_v3(
                        store->database, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL);

                if (code != SQLITE_OK)
                        r = database_fail(store, code);
        }
        return r;
}

/* What is asked for: something for `name`, or where that is NULL for `uid`, from the range. */
struct wanted {
        const char *name;
        uint32_t uid, first, last;
};

static int bind(struct store *store, sqlite3_stmt *statement, const struct wanted *wanted)
{
        int code = wanted->name
                           ? sqlite3_bind_blob(statement, 1, wanted->name, (int)strlen(wanted->name), SQLITE_TRANSIENT)
                           : sqlite3_bind_int64(statement, 1, wanted->uid);

        if (code == SQLITE_OK && sqlite3_bind_parameter_count(statement) == 3)
                code = sqlite3_bind_int64(statement, 2, wanted->first);
        if (code == SQLITE_OK && sqlite3_bind_parameter_count(statement) == 3)
                code = sqlite3_bind_int64(statement, 3, wanted->last);
        return code == SQLITE_OK ? 0 : database_fail(store, code);
}

/*
 * Runs a statement to its end, which commits it: not before is its row worth anything. Returns 1 with the one or two
 * numbers of the row, 0 when there is none.
 */
static int run(struct store *store, sqlite3_stmt *statement, const struct wanted *wanted, int64_t ret_numbers[2])
{
        int64_t numbers[2] = {0};
        int code, r = bind(store, statement, wanted), found = 0;

        if (r < 0)
                return r;
        while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
                for (int i = 0; i < sqlite3_column_count(statement); i++)
                        numbers[i] = sqlite3_column_int64(statement, i);
                found = 1;
        }
        if (code == SQLITE_DONE)
                code = sqlite3_reset(statement);
        if (code != SQLITE_OK)
                return database_fail(store, code);
        if (found)
                memcpy(ret_numbers, numbers, sizeof(numbers));
        return found;
}

/* Returns 1 with what it has or is given now, 0 when nothing is left to give. */
static int allot(struct store *store, enum store_statement find, enum store_statement give, const struct wanted *wanted,
        int64_t ret_numbers[2])
{
        int r = open_store(store);

        if (r == STORE_ABSENT)
                return database_refuse(store, -EBADMSG, "there is none", database_damaged);
        if (r == 0)
                r = run(store, store->statements[find], wanted, ret_numbers);
        if (r == 0)
                r = run(store, store->statements[give], wanted, ret_numbers);
        if (r == 0) /* nothing is left, or another process has given it something in between */
                r = run(store, store->statements[find], wanted, ret_numbers);
        return r;
}

/* `key` is DynamicUID or MCSCategories. */
static int exhausted(struct store *store, uint64_t count, const char *what, const char *key)
{
        snprintf(store->detail, sizeof(store->detail), "all %" PRIu64 " %s of %s= are allotted", count, what, key);
        return STORE_EXHAUSTED;
}

static bool is_uid(int64_t uid)
{
        return uid >= 1 && uid < UINT32_MAX;
}

static bool is_pair(int64_t first, int64_t second)
{
        return first >= 0 && first < second && second <= STORE_CATEGORY_MAX;
}

int store_uid(struct store *store, const char *name, uint32_t first, uint32_t last, uint32_t *ret_uid)
{
        const struct wanted wanted = {.name = name, .first = first, .last = last};
        int64_t numbers[2] = {0};
        int r;

        if (!*name || strlen(name) > STORE_NAME_MAX)
                return database_refuse(store, -EINVAL, "no uid can be allotted to a name of this length", advice_asked);
        if (!is_uid(first) || !is_uid(last) || first > last)
                return database_refuse(store, -EINVAL, "this is no range of uids", advice_asked);
        r = allot(store, STORE_FIND_UID, STORE_GIVE_UID, &wanted, numbers);
        if (r < 0)
                return r;
        if (r == 0)
                return exhausted(store, (uint64_t)last - first + 1, "uids", "DynamicUID");
        if (!is_uid(numbers[0]))
                return database_refuse(store, -EBADMSG, "a name has a uid that is none", database_damaged);
        *ret_uid = (uint32_t)numbers[0];
        return 0;
}

int store_categories(
        struct store *store, uint32_t uid, uint32_t first, uint32_t last, uint32_t *ret_first, uint32_t *ret_second)
{
        const struct wanted wanted = {.uid = uid, .first = first, .last = last};
        int64_t numbers[2] = {0};
        int r;

        if (!is_uid(uid))
                return database_refuse(store, -EINVAL, "no categories can be allotted to this uid", advice_asked);
        if (first > last || last > STORE_CATEGORY_MAX)
                return database_refuse(store, -EINVAL, "this is no range of categories", advice_asked);
        r = allot(store, STORE_FIND_PAIR, STORE_GIVE_PAIR, &wanted, numbers);
        if (r < 0)
                return r;
        if (r == 0) {
                uint64_t n = (uint64_t)last - first + 1;

                return exhausted(store, n * (n - 1) / 2, "category pairs", "MCSCategories");
        }
        if (!is_pair(numbers[0], numbers[1]))
                return database_refuse(
                        store, -EBADMSG, "a uid has a pair of categories that is none", database_damaged);
        *ret_first = (uint32_t)numbers[0];
        *ret_second = (uint32_t)numbers[1];
        return 0;
}

/* Columns of STORE_LIST: uid, 0 for a name or 1 for a pair, name, first, second. Returns whether they are sound. */
static bool take_entry(struct store_list *list, sqlite3_stmt *statement)
{
        struct store_entry *entry = &list->entries[list->n_entries];
        bool is_name = sqlite3_column_int(statement, 1) == 0;
        int64_t uid = sqlite3_column_int64(statement, 0);
        int64_t first = sqlite3_column_int64(statement, 3), second = sqlite3_column_int64(statement, 4);
        const void *name = sqlite3_column_blob(statement, 2);
        int n_name = sqlite3_column_bytes(statement, 2);

        if (!is_uid(uid) || (is_name ? n_name < 1 || n_name > STORE_NAME_MAX : !is_pair(first, second)))
                return false;
        *entry = (struct store_entry){
                .uid = (uint32_t)uid, .first = (uint32_t)first, .second = (uint32_t)second, .n_name = (size_t)n_name};
        if (is_name)
                memcpy(entry->name, name, entry->n_name);
        *(is_name ? &list->names_after : &list->pairs_after) = entry->uid;
        list->n_entries++;
        return true;
}

int store_list(struct store *store, struct store_list *list)
{
        /* The three parameters of STORE_LIST. */
        const struct wanted wanted = {.uid = list->names_after, .first = list->pairs_after, .last = STORE_LIST_MAX};
        sqlite3_stmt *statement;
        int code, r = open_store(store);

        list->n_entries = 0;
        if (r != 0)
                return r;
        statement = store->statements[STORE_LIST];
        r = bind(store, statement, &wanted);
        if (r < 0)
                return r;
        while ((code = sqlite3_step(statement)) == SQLITE_ROW)
                if (!take_entry(list, statement))
                        return database_refuse(store, -EBADMSG, "an entry is out of bounds", database_damaged);
        if (code == SQLITE_DONE)
                code = sqlite3_reset(statement);
        return code == SQLITE_OK ? 0 : database_fail(store, code);
}
