/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/index.h"
#include "common/step.h"

/*
 * Makes the service's root and moves the calling process into it, for good: in the caller's own mount
 * namespace, which must be private to it already, the old root is left with pivot_root(2) and detached.
 *
 * With RootDirectory=, the root is that tree, read-only; without, an empty tmpfs, read-only in the end. Then
 * come a /dev of five harmless devices and the binds of the service. With INDEX_RUNNER, the folder warm/ of `libexec`
 * is in it as WARM_FOLDER, read-only; a root without /dev is a failure then. Every mount is nosuid; all but the
 * devices are nodev; writable ones are noexec. Needs CAP_SYS_ADMIN. Returns 0 or a negative errno, with
 * *failure filled in.
 */
int root_enter(
        const struct index *index, const struct index_service *service, const char *libexec, struct failure *failure);
