/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

/*
 * A worker process, from inside: what a fork of sandboxd-names becomes. It keeps `fd`, on which it is asked, and the
 * standard streams, and no other descriptor; nobody of its account can read its memory; it ends when `fd` ends or when
 * `parent`, the process that forked it, does. Never returns: 0 is its status at the end of `fd`, else 1.
 */
_Noreturn void child_run(int fd, pid_t parent);
