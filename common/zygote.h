/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "common/spawn.h"

/*
 * The starter's side of a zygote: to start one, to ask it for a process, to take its answers. Used by the
 * broker, which drives it from its event loop, and by `sandboxctl run`, which waits. Does not log.
 */

struct zygote_process {
        int pidfd;
        int control; /* SOCK_SEQPACKET, ours */
};

/* What it takes to start one. */
struct zygote_start {
        const char *libexec; /* the folder with sandboxd-zygote, sandboxd-entry and warm/ */
        int index_fd;        /* the sealed index */
        size_t service;      /* number in the index */
        uid_t uid;           /* of the account sandboxd-zygote */
        gid_t gid;
        int cgroup; /* a folder to start it in, or -1 */
};

/* What becomes of a spawn: the answer to one request, or to the start (number 0). */
struct zygote_answer {
        uint64_t number;
        int pidfd;  /* of the new process, or -1 */
        int keeper; /* of a new keeper, or -1 */
        enum step step;
        int error;
        char detail[256];
};

/*
 * Forks and executes a zygote: a fresh image that has nothing of the caller's memory, and as descriptors only
 * /dev/null, its end of the spawn socket and the index. Returns 0 with both descriptors the caller's, or a
 * negative errno. Its readiness, or the step that failed, comes as the first answer. It ends when the control socket is
 * closed; the caller reaps it.
 */
int zygote_start(const struct zygote_start *start, struct zygote_process *ret_zygote);

/* A tmpfs of `size` bytes for SPAWN_TEMPORARY, not attached anywhere yet; or a negative errno. */
int zygote_open_temporary(uint64_t size);

/*
 * Sends a spawn request. `fds` are SPAWN_FDS descriptors and the optional ones by the
 * flags. They stay the caller's. Returns 0, -EAGAIN when the zygote is too far behind, or -EPIPE when it is
 * gone.
 */
int zygote_send(const struct zygote_process *zygote, struct spawn_request *request, const int *fds, size_t n_fds);

/*
 * Takes one answer; with `flags` MSG_DONTWAIT, -EAGAIN when there is none. Each pidfd is checked to be that of a
 * child of the caller's: a zygote that was taken over cannot make us kill somebody else. Returns 0;
 * -ECONNRESET when the zygote is gone; -EBADMSG for an answer that makes no sense.
 */
int zygote_receive(const struct zygote_process *zygote, int flags, struct zygote_answer *ret_answer);
