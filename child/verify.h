/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandboxd/jail.h"

/*
 * A drop that is not proved is a hope. Asks the kernel what we are now: ids, groups, capabilities in every set,
 * no_new_privs; and tries to become another identity that the filter lets through, for a filter's EPERM would prove
 * nothing about the capability. Returns 0; -ENOTRECOVERABLE for a process that is anything but what `spawn` says.
 */
int verify_identity(const struct jail *jail, const struct spawn_request *spawn);
