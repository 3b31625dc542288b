/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "compiler/builder.h"
#include "compiler/diagnostics.h"
#include "compiler/syscalls.h"

/*
 * The system-call filters of a service, made by libseccomp once, when the configuration is compiled, so that
 * attaching one is a copy. docs/design.md says why there are several:
 *   allow: what the service asked for, and what its zygote and the jail need to get there;
 *   deny:  what nobody gets: namespaces, mounts, io_uring, …, ids below the minimum, other address families;
 *   last:  takes back what only the jail needed. Attached by the zygote, whose calls then carry a key, or, if the
 * service's own set is so narrow that this is not possible, by the application just before exec.
 *   warm:  of a warm service, for which `allow` and `last` leave what its stand-in for accept(2) needs: takes that
 * back. Attached by each child of an application zygote before it looks at its request. Where it compares process ids
 * it has WARM_FILTER_PID (common/warm.h), and the child puts its own there. What is refused answers EPERM; what
 * libseccomp does not know answers ENOSYS, as on an older kernel.
 */

enum { FILTER_FAMILIES = 64 };

/* What SystemCallFilter= and RestrictAddressFamilies= of a service add up to. */
struct filter {
        struct syscalls allowed;
        uint64_t families; /* bit AF_… */
        bool chosen;       /* SystemCallFilter= was given */
};

/*
 * Applies one line of SystemCallFilter=: "@group name ~@group ~name", from left to right. A line that begins
 * with ~ removes all that it names, as in systemd.exec(5). Before the first line, and after an empty one,
 * nothing is allowed, but a first line that only removes begins from filter_default().
 */
void filter_line(struct filter *filter, const char *value, struct position position);

/* One line of RestrictAddressFamilies=: "none", or families to allow. */
void filter_families_line(struct filter *filter, const char *value, struct position position);

/* @system-service without @privileged, keyrings and System V IPC: what a request would leave for the next. */
void filter_default(struct filter *filter);

/* Whether a request could leave System V IPC objects or message queues behind: svipc(7), mq_overview(7). */
bool filter_lets_ipc_remain(const struct filter *filter);

/* Whether two identities in one network namespace could meet: abstract Unix sockets, netlink. */
bool filter_lets_identities_meet(const struct filter *filter);

/* What else decides how they are made. */
struct filter_purpose {
        uint32_t min_uid;
        uint32_t min_gid;
        bool temporary; /* the jail attaches a tmpfs */
        bool warm;      /* the service is warm */
        bool signals;   /* `warm` holds back signals: Landlock of this kernel does not */
};

/* Makes the filters of `service`, `warm` only where it is. */
void filter_build(const struct filter *filter, const struct filter_purpose *purpose, struct builder *builder,
        struct index_service *service);
