/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The store's tables; https://www.sqlite.org/stricttables.html. The first two are what was allotted. The other two are
 * what never was, as intervals that the triggers keep: `last` is part of the key because the interval wanted, the first
 * one that does not end before the range begins, is found by it.
 *
 * The names of SQL are spelt once more in allot/store.c.
 */

#define SCHEMA_APPLICATION 0x53627374 /* "Sbst", in the file's header: whose file this is */
#define SCHEMA_VERSION     1

#define SCHEMA_STRING_(number) #number
#define SCHEMA_STRING(number)  SCHEMA_STRING_(number)

#define SCHEMA                                                                                                         \
        "PRAGMA application_id = " SCHEMA_STRING(                                                                      \
                SCHEMA_APPLICATION) ";"                                                                                \
                                    "PRAGMA user_version = " SCHEMA_STRING(                                            \
                                            SCHEMA_VERSION) ";"                                                        \
                                                            "CREATE TABLE uids ("                                      \
                                                            "  uid INTEGER PRIMARY KEY CHECK (uid BETWEEN 1 AND "      \
                                                            "4294967294),"                                             \
                                                            "  name BLOB NOT NULL UNIQUE CHECK (length(name) BETWEEN " \
                                                            "1 AND 255)"                                               \
                                                            ") STRICT;"                                                \
                                                            "CREATE TABLE categories ("                                \
                                                            "  uid INTEGER PRIMARY KEY CHECK (uid BETWEEN 1 AND "      \
                                                            "4294967294),"                                             \
                                                            "  first INTEGER NOT NULL CHECK (first >= 0),"             \
                                                            "  second INTEGER NOT NULL CHECK (second <= 1023),"        \
                                                            "  UNIQUE (second, first),"                                \
                                                            "  CHECK (first < second)"                                 \
                                                            ") STRICT;"                                                \
                                                            "CREATE TABLE fresh_uids ("                                \
                                                            "  last INTEGER PRIMARY KEY,"                              \
                                                            "  first INTEGER NOT NULL CHECK (first <= last)"           \
                                                            ") STRICT;"                                                \
                                                            "CREATE TABLE fresh_pairs ("                               \
                                                            "  second INTEGER NOT NULL,"                               \
                                                            "  last INTEGER NOT NULL CHECK (last < second),"           \
                                                            "  first INTEGER NOT NULL CHECK (first <= last),"          \
                                                            "  PRIMARY KEY (second, last)"                             \
                                                            ") STRICT, WITHOUT ROWID;"                                 \
                                                            "INSERT INTO fresh_uids (first, last) VALUES (1, "         \
                                                            "4294967294);"                                             \
                                                            "WITH RECURSIVE every (second) AS (SELECT 1 UNION ALL "    \
                                                            "SELECT second + 1 FROM every WHERE second < 1023)"        \
                                                            "  INSERT INTO fresh_pairs (second, first, last) SELECT "  \
                                                            "second, 0, second - 1 FROM every;" /* What was given      \
                                                                                                   leaves its          \
                                                                                                   interval: what is   \
                                                                                                   before it becomes   \
                                                                                                   one of its own,     \
                                                                                                   what is behind it   \
                                                                                                   remains. */         \
                                                            "CREATE TRIGGER uid_given AFTER INSERT ON uids BEGIN"      \
                                                            "  INSERT INTO fresh_uids (first, last) SELECT first, "    \
                                                            "new.uid - 1 FROM fresh_uids"                              \
                                                            "    WHERE last = (SELECT min(last) FROM fresh_uids "      \
                                                            "WHERE last >= new.uid) AND first < new.uid;"              \
                                                            "  DELETE FROM fresh_uids WHERE last = new.uid;"           \
                                                            "  UPDATE fresh_uids SET first = new.uid + 1"              \
                                                            "    WHERE last = (SELECT min(last) FROM fresh_uids "      \
                                                            "WHERE last > new.uid) AND first <= new.uid;"              \
                                                            "END;"                                                     \
                                                            "CREATE TRIGGER pair_given AFTER INSERT ON categories "    \
                                                            "BEGIN"                                                    \
                                                            "  INSERT INTO fresh_pairs (second, first, last) SELECT "  \
                                                            "second, first, new.first - 1 FROM fresh_pairs"            \
                                                            "    WHERE second = new.second AND last >= new.first AND " \
                                                            "first < new.first;"                                       \
                                                            "  DELETE FROM fresh_pairs WHERE second = new.second AND " \
                                                            "last = new.first;"                                        \
                                                            "  UPDATE fresh_pairs SET first = new.first + 1"           \
                                                            "    WHERE second = new.second AND last > new.first AND "  \
                                                            "first <= new.first;"                                      \
                                                            "END;"
