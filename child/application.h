/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "child/environment.h"
#include "child/program.h"
#include "common/warm.h"
#include "sandboxd/jail.h"

/*
 * From the identity to the application: the steps after the drop, which need no privilege and have none. Like those of
 * the jail they are ordered, and each is fatal.
 */

/*
 * What is ready to execute; too large for a stack. Each page that a request writes to is copied for it, and most write
 * to two or three of this: to the environment from where its parts meet, and to the beginnings of the rest.
 */
struct application {
        _Alignas(4096) char before[1024]; /* so that they meet within a page */
        struct environment environment;
        struct program program;
        char *arguments[PROGRAM_ARGUMENTS_MAX + 1];
        char block[WIRE_ENVIRONMENT_MAX + 1]; /* the request's variables: memfd_read() */
};

#define APPLICATION_PAGE(member) (offsetof(struct application, member) / 4096)

_Static_assert(APPLICATION_PAGE(environment.own_left) == APPLICATION_PAGE(environment.variables[64]) &&
                       APPLICATION_PAGE(arguments) == APPLICATION_PAGE(block[512]),
        "two pages");

/*
 * The descriptors that the application's process has in its last steps; all of them but the standard streams, and those
 * of common/warm.h in an application zygote, are gone when the application begins. The entry program (child/entry.c)
 * finds the same.
 */
enum {
        APPLICATION_FD_PROGRAM = JAIL_FD_REPORT + 1, /* the ELF program; closed for a script, which goes by path */
        APPLICATION_FD_ENTRY,
};

_Static_assert((int)WARM_FD_CONTROL == APPLICATION_FD_ENTRY + 1, "an application zygote's come next, and stay");

enum {
        APPLICATION_STREAMS = 3,
        APPLICATION_KINDS_SIZE = APPLICATION_STREAMS + 1 + WARM_FDS_END - WARM_FD_CONTROL + 1,
};

/*
 * What a standard stream is, in a letter: the file's type, or 'n' for /dev/null. The entry program gets a word of them,
 * a fourth letter for APPLICATION_FD_PROGRAM, and for an application zygote four more, for WARM_FD_CONTROL and those
 * that follow, as its first argument, before the application's own, to compare with what the change of context has
 * left.
 */
#define APPLICATION_ELF    'P' /* it is there, and executed */
#define APPLICATION_SCRIPT 'S' /* nothing is there: the first argument is a path */

static inline char application_stream_kind(const struct stat *st)
{
        if (S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3))
                return 'n';
        return (char)('a' + ((st->st_mode & S_IFMT) >> 12));
}

/*
 * In a process that jail_enter() has made the identity: confines it further, judges the script and the program, and
 * builds the environment. Arguments point into the index, the request and program.c's memory. Returns 0, or a negative
 * errno with *ret_step naming the step.
 */
int application_prepare(const struct jail *jail, struct jail_request *request, struct application *ret_application,
        enum step *ret_step);

/*
 * The last steps, in the process that becomes the application: signals, exec context, the last filter, exec. A failure
 * is reported, so that it never returns; not declared to, because a sanitizer tidies up the stack before such a call,
 * and this one is made on a stack of init's. Safe in a process that shares init's memory.
 */
void application_start(
        const struct jail *jail, const struct jail_request *request, const struct application *application);

/* Both, in the same process: for one whose PID namespace has an init already. */
_Noreturn void application_run(const struct jail *jail, struct jail_request *request);
