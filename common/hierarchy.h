/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/index.h"

/*
 * Where the control groups of version 2 are, and their folders and files: cgroups(7).
 */

/* The folder where the hierarchy is mounted: at the top, or beside version 1. Returns 0, or -ENOENT: nowhere. */
int hierarchy_mount(char *ret_path, size_t size);

/* The folder of our own group. Returns 0, -ENOENT, -ENAMETOOLONG or another negative errno. */
int hierarchy_own(char *ret_path, size_t size);

/* Opens a group's folder, or makes it first if it is not there. `name` may have several parts. Return it, or a negative
 * errno. */
int hierarchy_open(int parent, const char *name);
int hierarchy_make(int parent, const char *name);

/* Writes a file of a group, or reads its first line. Return 0 or a negative errno. */
int hierarchy_write(int folder, const char *name, const char *text);
int hierarchy_read(int folder, const char *name, char *text, size_t size);

/* Writes a number, unless it is `unset`. Returns 0 or a negative errno. */
int hierarchy_set(int folder, const char *name, uint64_t value, uint64_t unset);

/*
 * Enables those of the controllers cpu, memory and pids that the group has, for the groups in it. Their names are put
 * into ret_enabled, with spaces between them.
 */
void hierarchy_enable(int folder, char *ret_enabled, size_t size);

/* Sets MemoryMax=, TasksMax= and CPUWeight=, as far as there are any. Returns 0 or a negative errno. */
int hierarchy_set_limits(int folder, const struct index_cgroup *limits);
bool hierarchy_has_limits(const struct index_cgroup *limits);

/* Lets `uid` move processes in and out of a group. Returns 0 or a negative errno. */
int hierarchy_give(int folder, uid_t uid);

/* Removes a tree of empty groups; rmdir(2) refuses where there is a process. Returns whether it is gone. */
bool hierarchy_remove(int parent, const char *name);

/*
 * Removes the groups that processes left which were killed: those that are called `prefix` and the pid of one that is
 * gone, and in which there is no process.
 */
void hierarchy_remove_dead(int folder, const char *prefix);

enum { HIERARCHY_REST_SIZE = 160 };

/* A tree that was to be removed and still had a process in it. */
struct hierarchy_rest {
        struct hierarchy_rest *next;
        char name[HIERARCHY_REST_SIZE];
};

/*
 * What was killed need not have gone yet: a tree that holds some of it is noted in the list, which is tried again with
 * each call. `name` must not come again.
 */
void hierarchy_remove_later(int parent, struct hierarchy_rest **rests, const char *name);
