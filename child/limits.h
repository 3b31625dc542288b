/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandboxd/jail.h"

/*
 * In the zygote. Hard limits above our own are for CAP_SYS_RESOURCE to set, which no child has: here and now, the soft
 * ones stay. Returns 0, or a negative errno with *failure filled in.
 */
int limits_raise(const struct index_service *service, struct failure *failure);

/* In a child: both to what the service says, its umask, and the nice value. Returns 0 or a negative errno. */
int limits_apply(const struct jail *jail, int nice);
