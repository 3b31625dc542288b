/* SPDX-License-Identifier: Apache-2.0 */
#include "common/step.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

static const char *const names[STEPS] = {
        [STEP_NONE] = "none",
        [STEP_START] = "start",
        [STEP_INDEX] = "index",
        [STEP_NAMESPACES] = "namespaces",
        [STEP_ROOT] = "root",
        [STEP_BIND] = "bind",
        [STEP_PIVOT] = "pivot",
        [STEP_PROC] = "proc",
        [STEP_LANDLOCK_RULESET] = "landlock-ruleset",
        [STEP_SECUREBITS] = "securebits",
        [STEP_BOUNDING] = "bounding-set",
        [STEP_ZYGOTE_ACCOUNT] = "zygote-account",
        [STEP_NO_NEW_PRIVS] = "no-new-privs",
        [STEP_FILTER] = "filter",
        [STEP_CLONE] = "clone",
        [STEP_DESCRIPTORS] = "descriptors",
        [STEP_TEMPORARY] = "temporary",
        [STEP_SESSION] = "session",
        [STEP_LIMITS] = "limits",
        [STEP_GROUPS] = "groups",
        [STEP_GID] = "gid",
        [STEP_UID] = "uid",
        [STEP_CAPABILITIES] = "capabilities",
        [STEP_VERIFY] = "verify",
        [STEP_DEATH_SIGNAL] = "death-signal",
        [STEP_LANDLOCK] = "landlock",
        [STEP_SCRIPT] = "script",
        [STEP_PROGRAM] = "program",
        [STEP_DIRECTORY] = "directory",
        [STEP_ENVIRONMENT] = "environment",
        [STEP_FORK] = "fork",
        [STEP_CONTEXT] = "context",
        [STEP_LAST_FILTER] = "last-filter",
        [STEP_EXEC] = "exec",
        [STEP_ENTRY] = "entry",
};

/* error 0: whatever the errno is. */
static const struct {
        enum step step;
        int error;
        const char *hint;
} hints[] = {
        {STEP_BIND, ENOENT, "create the source of the bind, or write a '-' before it"},
        {STEP_BIND, EACCES, "the path must be reachable by root without CAP_DAC_OVERRIDE"},
        {STEP_BIND, EROFS, "make the mount point in RootDirectory=: nothing is made in it"},
        {STEP_BIND, ENOTDIR, "the mount point in RootDirectory= must be of the same kind as the source"},
        {STEP_LANDLOCK, EOPNOTSUPP,
                "children of an application zygote are kept apart by Landlock, and this kernel has none: add landlock "
                "to its lsm= parameter, or write Warm=no"},
        {STEP_LIMITS, EACCES, "Nice= is below what sandboxd itself runs with: see Nice= of its unit"},
        {STEP_SCRIPT, ENOENT, "the script is not in the root: see ScriptDirectory= and the BindReadOnlyPaths="},
        {STEP_SCRIPT, EXDEV, "scripts must lie beneath ScriptDirectory=, also after following symlinks"},
        {STEP_SCRIPT, EPERM,
                "a script and its folders must be owned by root or the identity, and not writable by "
                "group or others"},
        {STEP_SCRIPT, EACCES, "the identity may not read the script, or not enter one of its folders"},
        {STEP_PROGRAM, ENOENT,
                "the program is not in the root: see the first word of ExecStart= and BindReadOnlyPaths="},
        {STEP_PROGRAM, EACCES, "the program must be readable and executable by the identity: chmod +rx it"},
        {STEP_PROGRAM, ENOEXEC, "the program is neither an ELF file nor a script that begins with #!"},
        {STEP_EXEC, ENOENT,
                "the interpreter after #!, or the program's loader, is not in the root: add a "
                "BindReadOnlyPaths= for it"},
        {STEP_EXEC, EACCES, "the interpreter is not executable, or lies on a mount without exec (BindPaths=, /tmp)"},
        {STEP_EXEC, EAGAIN, "the identity has LimitNPROC= processes already"},
        {STEP_FORK, EAGAIN,
                "the identity has LimitNPROC= processes, or the request or the service all its tasks "
                "(RequestTasksMax=, TasksMax=)"},
        {STEP_CLONE, EAGAIN, "TasksMax= of the service, or RequestTasksMax=, is reached"},
        {STEP_ENTRY, EBADFD, "the policy must let the application's domain use the pipes of fcgi-bridge"},
        {STEP_ENTRY, EACCES,
                "the policy must let the application's domain execute program and interpreter, and their mount must "
                "not be noexec (BindPaths=, /tmp)"},
        {STEP_ENTRY, ENOENT, "add a BindReadOnlyPaths= for the interpreter after #!, or the program's loader"},
        {STEP_CONTEXT, ENODATA, "give the rule a context, or the service a SELinuxContext="},
        {STEP_CONTEXT, 0, "the policy must know the context, and allow sandboxd_zygote_t to set it at exec"},
        {STEP_ENVIRONMENT, E2BIG, "more variables than an application may get"},
};

const char *step_name(enum step step)
{
        return step < STEPS ? names[step] : "unknown";
}

static const char *hint_for(enum step step, int error)
{
        for (size_t i = 0; i < ELEMENTS(hints); i++)
                if (hints[i].step == step && (hints[i].error == error || hints[i].error == 0))
                        return hints[i].hint;
        return NULL;
}

void step_describe(char *text, size_t size, enum step step, int error, const char *detail)
{
        const char *hint = hint_for(step, error);

        snprintf(text, size, "step %s: %s%s%s%s%s", step_name(step), strerror(error), *detail ? ": " : "", detail,
                hint ? "; " : "", hint ? hint : "");
}

int failure_set(struct failure *failure, enum step step, int error, const char *format, ...)
{
        va_list arguments;

        failure->step = step;
        failure->error = error;
        va_start(arguments, format);
        vsnprintf(failure->detail, sizeof(failure->detail), format, arguments);
        va_end(arguments);
        return -error;
}

enum wire_outcome step_outcome(enum step step, int error)
{
        if (step == STEP_SCRIPT &&
                (error == ENOENT || error == ENOTDIR || error == EXDEV || error == ELOOP || error == ENAMETOOLONG))
                return WIRE_NO_SCRIPT;
        return WIRE_FAILED;
}

bool report_is_whole(const struct report *report, ssize_t n)
{
        return n == (ssize_t)sizeof(*report) && report->kind >= REPORT_FAILED && report->kind <= REPORT_SIGNALED &&
               report->step < STEPS;
}

/* The first process of a request ended thus. */
static void judge_end(const siginfo_t *info, struct verdict *verdict)
{
        verdict->outcome = info->si_code == CLD_EXITED ? WIRE_EXITED : WIRE_SIGNALED;
        verdict->detail = (uint32_t)info->si_status;
        if (info->si_code != CLD_EXITED && info->si_status == SIGKILL)
                snprintf(verdict->reason, sizeof(verdict->reason), "RequestMemoryMax= or MemoryMax= may be reached");
}

void report_judge(const struct report *report, ssize_t n, const siginfo_t *info, bool is_application,
        const char *script, struct verdict *ret_verdict)
{
        struct verdict verdict = {.outcome = WIRE_FAILED, .detail = EOWNERDEAD};

        if (is_application && n <= 0) {
                judge_end(info, &verdict);
        } else if (!report_is_whole(report, n) || (is_application && report->kind != REPORT_FAILED)) {
                snprintf(verdict.reason, sizeof(verdict.reason), "%s ended without a report: %s %d%s",
                        is_application ? "it" : "init", info->si_code == CLD_EXITED ? "status" : "signal",
                        info->si_status,
                        info->si_status == SIGKILL ? "; RequestMemoryMax= or MemoryMax= may be reached" : "");
        } else if (report->kind == REPORT_FAILED) {
                step_describe(verdict.reason, sizeof(verdict.reason), report->step, report->value,
                        report->step == STEP_SCRIPT ? script : "");
                verdict.outcome = step_outcome(report->step, report->value);
                verdict.detail = (uint32_t)report->value;
        } else {
                verdict.outcome = report->kind == REPORT_EXITED ? WIRE_EXITED : WIRE_SIGNALED;
                verdict.detail = (uint32_t)report->value;
        }
        *ret_verdict = verdict;
}
