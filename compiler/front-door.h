/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * Parses FrontDoor=: an absolute path, IPV4:PORT or [IPV6]:PORT, into a name (common/door.h). Pure. Returns
 * 0, -EINVAL or -ENAMETOOLONG.
 */
int front_door_parse(const char *text, char *ret_name, size_t size);

/* The name of the door that units/fcgi-bridge@.socket makes for `service`. Pure. Returns 0 or -ENAMETOOLONG. */
int front_door_default(const char *service, char *ret_name, size_t size);
