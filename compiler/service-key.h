/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "compiler/draft.h"
#include "compiler/ini-file.h"

/*
 * The keys of a service file. service-keys.c has the table; what reads their values is in service-values.c (one value),
 * service-lists.c (lists of words) and service-warm.c (how warm the service is).
 */

/*
 * A key of [Service]: what reads its value, and where the value goes. `target` is an offset into struct
 * draft; `detail` is the reader's own: a flag, an RLIMIT_ number, a bound.
 */
struct key {
        const char *name;
        void (*read)(struct draft *draft, const char *value);
        size_t target;
        uint64_t detail;
};

enum { KEY_WORD_MAX = INI_FILE_LINE_MAX + 1 };

/* Where the value of the key at hand goes. */
void *key_target(struct draft *draft);

/* Complains about the assignment at hand, "KEY=: …". `hint` may be NULL. */
__attribute__((format(printf, 3, 4))) void key_wrong(
        const struct draft *draft, const char *hint, const char *format, ...);

/* Calls `use` for every word of a list; an empty value resets the list. Complains about quotes and escapes. */
void key_each_word(
        struct draft *draft, const char *value, struct list *list, void (*use)(struct draft *draft, char *word));

/* Appends `text` to a list of index_string. */
void key_add_string(struct draft *draft, const char *text, struct list *list);

/* Whether it could be the name of a variable, in the environment or in a program. */
bool key_is_name(const char *name);

/* Each reads a value of the key at hand into the draft, or complains. One value: */
void key_read_path(struct draft *draft, const char *value);
void key_read_flag(struct draft *draft, const char *value);  /* detail: the flag */
void key_read_count(struct draft *draft, const char *value); /* detail: the maximum; at least 1 */
void key_read_size(struct draft *draft, const char *value);
void key_read_temporary_size(struct draft *draft, const char *value);
void key_read_runtime(struct draft *draft, const char *value);
void key_read_umask(struct draft *draft, const char *value);
void key_read_nice(struct draft *draft, const char *value);
void key_read_limit(struct draft *draft, const char *value); /* detail: RLIMIT_… */
void key_read_memory_max(struct draft *draft, const char *value);
void key_read_tasks_max(struct draft *draft, const char *value); /* detail: the minimum */
void key_read_cpu_weight(struct draft *draft, const char *value);

/* Lists: */
void key_read_doors(struct draft *draft, const char *value);
void key_read_front_end_users(struct draft *draft, const char *value);
void key_read_trusted(struct draft *draft, const char *value);
void key_read_exec(struct draft *draft, const char *value);
void key_read_binds(struct draft *draft, const char *value); /* detail: INDEX_BIND_… */
void key_read_environment(struct draft *draft, const char *value);
void key_read_pass_environment(struct draft *draft, const char *value);

/* How warm it is: */
void key_read_type(struct draft *draft, const char *value);
void key_read_warm(struct draft *draft, const char *value);
void key_read_warm_up(struct draft *draft, const char *value);
void key_read_warm_watch(struct draft *draft, const char *value);
void key_read_warm_idle(struct draft *draft, const char *value);
void key_read_private_tmp(struct draft *draft, const char *value);
