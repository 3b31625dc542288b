/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "allot/store.h"

/* The store's database as such: opening, its schema, and what SQLite's errors mean. For allot/store.c alone. */

/* The advice about a file whose content is wrong. */
extern const char database_damaged[];

/*
 * Opens the database, and makes its tables where there are none and store->create is set. Returns 0, STORE_ABSENT, or
 * an error as allot/store.h has them.
 */
int database_open(struct store *store);

/*
 * Both say what is wrong in store->detail and store->advice, and close the database, which leaves no doubt about the
 * state of a transaction. The one returns what SQLite's result `code` is as a negative errno; the other `error`.
 */
int database_fail(struct store *store, int code);
int database_refuse(struct store *store, int error, const char *what, const char *advice);

/* Closes it if it is open. What was not committed is rolled back. */
void database_close(struct store *store);
