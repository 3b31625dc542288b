/* SPDX-License-Identifier: Apache-2.0 */
#include "allot/database.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "allot/schema.h"
#include "common/cleanup.h"

const char database_damaged[] =
        "restore it from a backup; an empty one in its place would give the same numbers to others";

/* https://www.sqlite.org/rescode.html: primary result codes. */
static const struct {
        int code, error;
        const char *advice;
} failures[] = {
        {SQLITE_FULL, -ENOSPC, "make room on its file system"},
        {SQLITE_BUSY, -EBUSY, "end the process that holds it: see lslocks(8)"},
        {SQLITE_CANTOPEN, -EACCES,
                "its directory must exist, with mode 0700, and belong to the account sandboxd-allot"},
        {SQLITE_PERM, -EACCES, "it must belong to the account sandboxd-allot"},
        {SQLITE_READONLY, -EACCES, "it must belong to the account sandboxd-allot, on a file system that is writable"},
        {SQLITE_CORRUPT, -EBADMSG, database_damaged},
        {SQLITE_NOTADB, -EBADMSG, database_damaged},
        {SQLITE_CONSTRAINT, -EBADMSG, database_damaged},
        {SQLITE_ERROR, -EBADMSG, database_damaged}, /* a table or a column is missing */
        {SQLITE_NOMEM, -ENOMEM, "give this machine more memory"},
};

void database_close(struct store *store)
{
        for (size_t i = 0; i < STORE_STATEMENTS; i++) {
                sqlite3_finalize(store->statements[i]);
                store->statements[i] = NULL;
        }
        /* Rolls back what was not committed; cannot fail without statements. */
        sqlite3_close(store->database);
        store->database = NULL;
}

int database_refuse(struct store *store, int error, const char *what, const char *advice)
{
        snprintf(store->detail, sizeof(store->detail), "%s", what);
        for (char *c = store->detail; *c; c++) /* SQLite may quote what it found in the file */
                if ((unsigned char)*c < 0x20 || *c == 0x7f)
                        *c = '?';
        store->advice = advice;
        database_close(store);
        return error;
}

int database_fail(struct store *store, int code)
{
        int system_error = store->database ? sqlite3_system_errno(store->database) : 0;
        const char *what = store->database ? sqlite3_errmsg(store->database) : sqlite3_errstr(code);

        code &= 0xff;
        if (code == SQLITE_IOERR && (system_error == ENOSPC || system_error == EDQUOT))
                code = SQLITE_FULL;
        for (size_t i = 0; i < ELEMENTS(failures); i++)
                if (failures[i].code == code)
                        return database_refuse(store, failures[i].error, what, failures[i].advice);
        return database_refuse(store, -EIO, what, "look for errors of the disk in the kernel's log");
}

static int execute(struct store *store, const char *statements)
{
        int code = sqlite3_exec(store->database, statements, NULL, NULL, NULL);

        return code == SQLITE_OK ? 0 : database_fail(store, code);
}

static int read_number(struct store *store, const char *query, int64_t *ret_number)
{
        sqlite3_stmt *statement = NULL;
        int code = sqlite3_prepare_v2(store->database, query, -1, &statement, NULL);
        int64_t number = 0;

        if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
                number = sqlite3_column_int64(statement, 0);
        sqlite3_finalize(statement);
        if (code != SQLITE_ROW)
                return database_fail(store, code);
        *ret_number = number;
        return 0;
}

/* Returns 0 for a schema that is ours, or STORE_ABSENT where there is none at all: a new file. */
static int check_schema(struct store *store)
{
        int64_t tables = 0, application = 0, version = 0;
        int r = read_number(store, "SELECT count(*) FROM sqlite_schema", &tables);

        if (r < 0)
                return r;
        if (tables == 0)
                return STORE_ABSENT;
        r = read_number(store, "PRAGMA application_id", &application);
        if (r == 0)
                r = read_number(store, "PRAGMA user_version", &version);
        if (r < 0)
                return r;
        if (application != SCHEMA_APPLICATION || version < 1)
                return database_refuse(store, -EBADMSG, "this database is no store of sandboxd", database_damaged);
        if (version > SCHEMA_VERSION)
                return database_refuse(
                        store, -ENOTSUP, "a newer sandboxd wrote it", "run that version, or a later one");
        return 0;
}

/* Two processes may find nothing at the same time. */
static int create_schema(struct store *store)
{
        int r = execute(store, "BEGIN IMMEDIATE");

        if (r < 0)
                return r;
        r = check_schema(store);
        if (r > 0)
                r = execute(store, SCHEMA);
        return r < 0 ? r : execute(store, "COMMIT");
}

static int connect_database(struct store *store)
{
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
        int code =
                sqlite3_open_v2(store->path, &store->database, flags | (store->create ? SQLITE_OPEN_CREATE : 0), NULL);

        if (code == SQLITE_OK)
                code = sqlite3_busy_timeout(store->database, STORE_WAIT);
        if (code != SQLITE_OK)
                return database_fail(store, code);
        /*
         * https://www.sqlite.org/pragma.html. EXTRA syncs the directory after the journal was removed: without that, a
         * power failure may bring the journal back, and with it the state before. The rest: a file that somebody has
         * tampered with is read with suspicion, and no temporary file is made.
         */
        return execute(store, "PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA;"
                              "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY");
}

int database_open(struct store *store)
{
        int r;

        if (!store->create && access(store->path, F_OK) < 0 && errno == ENOENT)
                return STORE_ABSENT;
        r = connect_database(store);
        if (r == 0)
                r = check_schema(store);
        if (r == STORE_ABSENT && store->create)
                r = create_schema(store);
        if (r == STORE_ABSENT)
                database_close(store);
        return r;
}
