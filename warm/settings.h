/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "child/environment.h"

/*
 * What the broker tells an application zygote: by variables (common/warm.h), and by descriptors at fixed numbers, where
 * the application would trip over them. They are moved to high numbers, in one row, so that a child closes what is ours
 * with one call.
 */

enum {
        SETTINGS_LIST_MAX = 256,
        SETTINGS_FIRST_FD = 512, /* or half of what LimitNOFILE= allows, if that is less: forks copy the table */
};

struct settings {
        const char *problem; /* a constant: why this zygote cannot work; NULL: it can */
        const char *scripts; /* ScriptDirectory=, or NULL */
        const char *pass[SETTINGS_LIST_MAX];
        size_t n_pass;
        const char *requests[SETTINGS_LIST_MAX];
        size_t n_requests;
        const char *watch[SETTINGS_LIST_MAX];
        size_t n_watch;
        const char *set[ENVIRONMENT_MAX]; /* the zygote's own environment, which is Environment= */
        size_t n_set;
        struct sock_filter *filter;
        size_t n_filter;
        bool at_top; /* the working directory is /: no WorkingDirectory= */

        int first_fd; /* no descriptor of the application's is here or above */
        int control;  /* = first_fd */
        int queue;    /* = first_fd + 1 */
        int proc;     /* -1 once it is closed */
        int landlock; /* -1: this kernel has none */
        int null;     /* /dev/null */
        int inotify;  /* warm/watch.h; -1: not yet, or no more */
};

/*
 * Whether this process is an application zygote. If so, fills in `settings`, removes all variables of ours and
 * LD_PRELOAD from the environment, and moves the descriptors. What the lists point to stays for good. A failure goes
 * into `problem`; without a control socket to tell it on, the process ends.
 */
bool settings_take(struct settings *settings);

/* The next number for a descriptor of ours, for F_DUPFD_CLOEXEC. */
int settings_free_fd(const struct settings *settings);

/* Moves `fd`, if it is one, among ours. Returns its new number, or a negative errno; `fd` is closed in both cases. */
int settings_move_fd(const struct settings *settings, int fd);
