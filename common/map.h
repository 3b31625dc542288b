/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <cdb.h>

#include "common/index.h"

/*
 * The identity map, compiled: who runs a request. sandboxd-compile writes it into a sealed memfd; broker and sandboxctl
 * look rules up in it. It is a constant database (cdb, docs/map-format.md): immutable, mapped read-only, and a look-up
 * costs the same in ten rules and in a million. No zygote ever sees it.
 *
 * Pure but for map_open(): no other system call. Nothing in a map is trusted: every record is checked when it is
 * decoded, so a wrong map can give a wrong answer, never a wrong access to memory.
 *
 * What is unknown: an untrusted front end's address, host and variables do not count. A rule that asks for one of them
 * then does not match if it admits, and does if it denies: leaving it out must not be a way round a deny rule.
 */

#define MAP_MAGIC   UINT32_C(0x53626d70)
#define MAP_VERSION 1

enum {
        MAP_RULES_MAX = 4 * 1000 * 1000,
        MAP_SIZE_MAX = 1024 * 1024 * 1024,
        MAP_CONDITIONS_MAX = 4,     /* of one rule, on variables */
        MAP_VARIABLES_MAX = 8,      /* names of variables that the rules for one service may use */
        MAP_VARIABLE_NAME_MAX = 63, /* bytes */
        MAP_WORD_MAX = 255,         /* bytes of a user, host, value or account */
        MAP_GROUPS_MAX = 256,       /* groups that a user is looked up in */
};

enum map_user {
        MAP_USER_ANY,       /* whoever it is, or nobody */
        MAP_USER_ANONYMOUS, /* nobody is logged in */
        MAP_USER_EXACT,     /* this user */
        MAP_USER_GROUP,     /* a user who is in this group of the name service */
};

enum map_host {
        MAP_HOST_ANY,
        MAP_HOST_EXACT,
        MAP_HOST_SUFFIX, /* ends with the string, which begins with a dot */
};

enum map_action {
        MAP_DENY,
        MAP_BECOME,         /* uid, gid and groups of the rule */
        MAP_BECOME_USER,    /* %user: the Unix account of the user's name */
        MAP_BECOME_DYNAMIC, /* a uid allotted to the user's name, and the gid of the same number */
};

enum {
        MAP_ALLOW_SYSTEM = 1 << 0, /* the identity may be a system account */
        MAP_NO_SHELL = 1 << 1,     /* MAP_BECOME: the account's shell is not in /etc/shells */
        MAP_NICE = 1 << 2,         /* `nice` is set */
};

/* A request variable and what it must be; value NULL: anything but empty. A variable that is not there is empty. */
struct map_condition {
        const char *name;
        const char *value;
};

/* A rule, decoded. The strings lie in the map, or are the caller's when it is to be written. */
struct map_rule {
        uint32_t number; /* from 0, in the order of the files and lines */
        const char *source;
        uint32_t line;

        const char *service; /* NULL: any */
        enum map_user user_match;
        const char *user; /* the user's, or the group's name; else NULL */
        uint32_t group;   /* the group's gid */
        struct index_network network;
        enum map_host host_match;
        const char *host; /* lower case */
        uint32_t n_conditions;
        struct map_condition conditions[MAP_CONDITIONS_MAX]; /* sorted by name, no name twice */

        enum map_action action;
        uint32_t flags;
        uint32_t uid;
        uint32_t gid;
        uint32_t n_groups;
        uint32_t groups[INDEX_GROUPS_MAX]; /* supplementary; the gid itself is not repeated here */
        const char *account;               /* the name that the map gave, or NULL */
        const char *context;               /* as the map gave it (see identity_context()), or NULL: the service's */
        uint32_t max_connections;          /* of one identity in one service; 0: no limit of its own */
        int32_t nice;
        uint64_t runtime_max; /* µs; 0: the service's */
};

/* Who asks. */
struct map_query {
        const char *service;
        const char *user;                      /* empty: nobody is logged in */
        const char *address;                   /* text; empty or not an address: unknown */
        const char *host;                      /* any case, one dot at the end is ignored; empty: unknown */
        const struct map_condition *variables; /* values of those that map_variables() names; others are empty */
        size_t n_variables;
        bool variables_unknown;
        const uint32_t *groups; /* gids that the user is in */
        size_t n_groups;
        bool groups_known; /* else MAP_NEEDS_GROUPS may be the result */
};

struct map {
        struct cdb cdb;
        int fd; /* -1: no map is open */
        uint32_t n_rules;
};

enum map_result {
        MAP_MATCHED,
        MAP_NO_MATCH,
        MAP_NEEDS_GROUPS, /* which rule comes first depends on the groups that the user is in: ask, and match again */
};

/*
 * Opens the map in `fd`, a memfd sealed against writing, growing and shrinking. `fd` becomes the map's. Takes the same
 * time for a map of any size. Returns 0; -EBADMSG when it is not well-formed; another negative errno. On failure `fd`
 * is still the caller's.
 */
int map_open(int fd, struct map *ret_map);
void map_close(struct map *map);

/* How many rules there are. */
uint32_t map_count(const struct map *map);

/*
 * The first rule that matches: returns an enum map_result, with *ret_rule filled in for MAP_MATCHED, or -EBADMSG for a
 * map that contradicts itself.
 */
int map_match(struct map *map, const struct map_query *query, struct map_rule *ret_rule);

/*
 * The names of the variables that rules for `service` (and rules for any service) ask for. Returns how many, at most
 * MAP_VARIABLES_MAX, or -EBADMSG. The names lie in the map.
 */
int map_variables(struct map *map, const char *service, const char *ret_names[MAP_VARIABLES_MAX]);

/*
 * Visits the rules in their order, shadowed ones too, until `visit` returns other than 0. Returns that, 0 or -EBADMSG.
 */
int map_each(struct map *map, int (*visit)(void *context, const struct map_rule *rule), void *context);

/* The columns of a rule. */
enum map_column {
        MAP_COLUMN_SERVICE,
        MAP_COLUMN_USER,
        MAP_COLUMN_ADDRESS,
        MAP_COLUMN_HOST,
        MAP_COLUMN_VARIABLES,
        MAP_COLUMNS, /* none: the rule matches */
};

/*
 * Looks at one rule alone, as someone who reads the file would: the first column that does not match, or MAP_COLUMNS
 * when the rule matches. groups_known must be true if the rule asks for a group. For explanations, and as what
 * map_match() is tested against.
 */
enum map_column map_mismatch(const struct map_rule *rule, const struct map_query *query);
