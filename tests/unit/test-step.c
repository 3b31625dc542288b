/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/step.c */

/* How the end of a request's first process is judged. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/step.h"

struct end {
        bool is_application;
        ssize_t n; /* of the report */
        struct report report;
        int code, status;
        enum wire_outcome outcome;
        uint32_t detail;
        const char *reason; /* a part of it; NULL: there is none */
};

enum { WHOLE = sizeof(struct report) };

static void test_ends(void **state)
{
        static const struct end ends[] = {
                /* an application without an init: the kernel says how it ended */
                {true, 0, {0}, CLD_EXITED, 3, WIRE_EXITED, 3, NULL},
                {true, -1, {0}, CLD_EXITED, 0, WIRE_EXITED, 0, NULL},
                {true, 0, {0}, CLD_KILLED, SIGTERM, WIRE_SIGNALED, SIGTERM, NULL},
                {true, 0, {0}, CLD_DUMPED, SIGSEGV, WIRE_SIGNALED, SIGSEGV, NULL},
                {true, 0, {0}, CLD_KILLED, SIGKILL, WIRE_SIGNALED, SIGKILL, "MemoryMax="},
                /* it never began */
                {true, WHOLE, {REPORT_FAILED, STEP_EXEC, EACCES}, CLD_EXITED, 120, WIRE_FAILED, EACCES, "step exec"},
                {true, WHOLE, {REPORT_FAILED, STEP_SCRIPT, ENOENT}, CLD_EXITED, 120, WIRE_NO_SCRIPT, ENOENT, "/a"},
                /* what only an init says, and what nobody says */
                {true, WHOLE, {REPORT_EXITED, STEP_NONE, 0}, CLD_EXITED, 0, WIRE_FAILED, EOWNERDEAD, "status 0"},
                {true, WHOLE - 1, {REPORT_FAILED, STEP_EXEC, EACCES}, CLD_EXITED, 0, WIRE_FAILED, EOWNERDEAD,
                        "it ended"},
                {true, WHOLE, {REPORT_FAILED, STEPS, EACCES}, CLD_EXITED, 0, WIRE_FAILED, EOWNERDEAD, "it ended"},
                /* an init */
                {false, WHOLE, {REPORT_EXITED, STEP_NONE, 3}, CLD_EXITED, 0, WIRE_EXITED, 3, NULL},
                {false, WHOLE, {REPORT_SIGNALED, STEP_NONE, SIGTERM}, CLD_EXITED, 0, WIRE_SIGNALED, SIGTERM, NULL},
                {false, WHOLE, {REPORT_FAILED, STEP_FORK, EAGAIN}, CLD_EXITED, 120, WIRE_FAILED, EAGAIN, "step fork"},
                {false, 0, {0}, CLD_EXITED, 0, WIRE_FAILED, EOWNERDEAD, "without a report: status 0"},
                {false, -1, {0}, CLD_KILLED, SIGKILL, WIRE_FAILED, EOWNERDEAD, "signal 9; RequestMemoryMax="},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(ends); i++) {
                const struct end *end = &ends[i];
                siginfo_t info = {.si_code = end->code};
                struct verdict verdict;

                info.si_status = end->status;
                report_judge(&end->report, end->n, &info, end->is_application, "/a", &verdict);
                if (verdict.outcome != end->outcome || verdict.detail != end->detail ||
                        (end->reason ? !strstr(verdict.reason, end->reason) : verdict.reason[0] != '\0'))
                        fail_msg("case %zu: outcome %d, detail %u, \"%s\"", i, verdict.outcome, verdict.detail,
                                verdict.reason);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_ends)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
