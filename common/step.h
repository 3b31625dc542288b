/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/wire.h"

/*
 * The steps between a launch and the application, by name: a zygote's set-up, then the jail of each request.
 * A failure is reported upwards as (step, errno) and ends in the log by these names.
 */
enum step {
        STEP_NONE,
        /* set-up of a zygote, once */
        STEP_START,
        STEP_INDEX,
        STEP_NAMESPACES,
        STEP_ROOT,
        STEP_BIND,
        STEP_PIVOT,
        STEP_PROC,
        STEP_LANDLOCK_RULESET,
        STEP_SECUREBITS,
        STEP_BOUNDING,
        STEP_ZYGOTE_ACCOUNT,
        STEP_NO_NEW_PRIVS,
        STEP_FILTER,
        /* the jail, for each request */
        STEP_CLONE,
        STEP_DESCRIPTORS,
        STEP_TEMPORARY,
        STEP_SESSION,
        STEP_LIMITS,
        STEP_GROUPS,
        STEP_GID,
        STEP_UID,
        STEP_CAPABILITIES,
        STEP_VERIFY,
        STEP_DEATH_SIGNAL,
        STEP_LANDLOCK,
        STEP_SCRIPT,
        STEP_PROGRAM,
        STEP_DIRECTORY,
        STEP_ENVIRONMENT,
        STEP_FORK,
        STEP_CONTEXT,
        STEP_LAST_FILTER,
        STEP_EXEC,
        STEP_ENTRY,
        STEPS,
};

/* A constant name: "uid", "exec", … */
const char *step_name(enum step step);

/* A failed step, with what it was about. */
struct failure {
        enum step step;
        int error; /* errno */
        char detail[256];
};

/* Records the step, `error` and a formatted detail; returns -error. */
__attribute__((format(printf, 4, 5))) int failure_set(
        struct failure *failure, enum step step, int error, const char *format, ...);

/*
 * A failed step in a line, for logs and people, with what an administrator can do about it where that is known:
 * "step exec: Permission denied: detail; hint". `detail` may be empty.
 */
void step_describe(char *text, size_t size, enum step step, int error, const char *detail);

/*
 * What a failure means for the client: a script that is not there is its mistake; everything else that fails is ours or
 * the administrator's.
 */
enum wire_outcome step_outcome(enum step step, int error);

/*
 * What is written into the report pipe, at most one after the other: a failed step, or, by a request's init, how the
 * application ended. No report at all means, of an init, that it was killed; of an application, that it began.
 */
enum report_kind {
        REPORT_FAILED = 1, /* `step` failed with errno `value` */
        REPORT_EXITED,     /* exit status in `value` */
        REPORT_SIGNALED,   /* signal in `value` */
};

struct report {
        uint32_t kind;
        uint32_t step;
        int32_t value;
};

/* How a request ended, in words. */
struct verdict {
        enum wire_outcome outcome;
        uint32_t detail;
        char reason[256]; /* empty: nothing to add */
};

/*
 * What to say of a request whose process ended as `info` says (waitid(2)), having left `n` bytes of report (or a
 * negative number). `is_application`: it was the application itself, which reports only what keeps it from beginning,
 * and not an init. `script` is what it asked for.
 */
void report_judge(const struct report *report, ssize_t n, const siginfo_t *info, bool is_application,
        const char *script, struct verdict *ret_verdict);

/* Whether `n` bytes that were read (or a negative number) are such a report. */
bool report_is_whole(const struct report *report, ssize_t n);
