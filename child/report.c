/* SPDX-License-Identifier: Apache-2.0 */
#include "child/report.h"

#include <unistd.h>

#include "sandboxd/jail.h"

void report_write(int fd, enum report_kind kind, enum step step, int value)
{
        struct report report = {.kind = kind, .step = step, .value = value};

        if (write(fd, &report, sizeof(report)) < 0)
                _exit(JAIL_EXIT);
}

void report_failure(int fd, enum step step, int error)
{
        report_write(fd, REPORT_FAILED, step, error);
        _exit(JAIL_EXIT);
}
