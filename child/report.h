/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/step.h"

/*
 * What a request's process says to the broker, by the report pipe `fd`. A report is smaller than PIPE_BUF: whole or not
 * at all. One that cannot be written ends the process.
 */
void report_write(int fd, enum report_kind kind, enum step step, int value);

/* Reports that a step failed with this errno, and exits. */
_Noreturn void report_failure(int fd, enum step step, int error);
