/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What `sandboxd-allot --list DIRECTORY` prints: by uid, a line for each thing allotted, of three fields with tabs
 * between them:
 *
 *   name        UID  NAME
 *   categories  UID  cFIRST,cSECOND
 *
 * In a name, a control character is written \xHH, and a backslash too.
 */

/*
 * Prints the store in `directory` to stdout; nothing, where nothing was ever allotted. As root it becomes the
 * directory's owner first. Complains to the log. Returns 0 or a negative errno.
 */
int list_print(const char *directory);
