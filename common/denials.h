/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What libselinux has to say: into our log, and what its access vector cache denies into the audit log as well, a
 * limited number of them a second. One process has one of it. Logs.
 */

/* What an audit record says besides the contexts; the last argument of avc_has_perm(3). */
struct denial_subject {
        const char *service, *request_id, *role;
};

/* Before the cache is opened. */
void denials_set_callbacks(void);

/* Without an audit log they are in ours alone, and a message says so. */
void denials_open_audit(void);
void denials_close_audit(void);
