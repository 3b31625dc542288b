/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * Parses FrontDoor=: an absolute path, IPV4:PORT or [IPV6]:PORT, into a name (common/door.h). Pure. Returns
 * 0, -EINVAL or -ENAMETOOLONG.
 */
int front_door_parse(const char *text, char *ret_name, size_t size);
