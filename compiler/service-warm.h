/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "compiler/draft.h"

/*
 * Type=, Warm= and the keys that go with them; their readers are in compiler/service-key.h.
 */

/* Complains about what does not go together with them, once the whole file at `path` has been read. */
void service_warm_check(const struct draft *draft, const char *path);

/* Puts the runner into the program's arguments where the type needs it, and the lists into the index. */
void service_warm_finish(struct draft *draft);
