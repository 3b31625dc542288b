/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/identity.h"
#include "common/step.h"
#include "common/wire.h"

/*
 * The spawn protocol, between the broker (or sandboxctl) and a zygote that it started, over a SOCK_SEQPACKET
 * pair. The zygote first says that it is ready, or which step of its set-up failed. Then each spawn request
 * is answered, in order, by one reply. Pure.
 */

/* Descriptors that a zygote finds at its start. */
enum {
        ZYGOTE_FD_CONTROL = 3,
        ZYGOTE_FD_INDEX = 4,
};

#define SPAWN_MAGIC UINT32_C(0x53627370)

enum {
        SPAWN_CGROUP = 1 << 0,    /* a cgroup descriptor comes along: clone into it */
        SPAWN_TEMPORARY = 1 << 1, /* a detached tmpfs comes along: mount it at /tmp */
        SPAWN_COMMAND = 1 << 2,   /* a memfd with "arg\0"… comes along: execute this, not the service's program */
        SPAWN_WARM = 1 << 3,      /* control and queue come along, as an application zygote's: common/warm.h */
        SPAWN_NAMESPACE = 1 << 4, /* the pidfd of a keeper (child/keeper.h) comes along: into its PID namespace */
        SPAWN_KEEP = 1 << 5, /* into a PID namespace with a keeper, which is made, and its pidfd comes with the reply */
};

/* Whether the process goes into a PID namespace with a keeper, and needs no init of its own. */
static inline bool spawn_is_kept(uint32_t flags)
{
        return flags & (SPAWN_NAMESPACE | SPAWN_KEEP);
}

/* Descriptors of a spawn request: these, then the optional ones in the order of their flags. */
enum spawn_fd {
        SPAWN_FD_ENVIRONMENT,
        SPAWN_FD_STDIN,
        SPAWN_FD_STDOUT,
        SPAWN_FD_STDERR,
        SPAWN_FD_REPORT,
        SPAWN_FDS,
        SPAWN_FDS_MAX = SPAWN_FDS + 5,
        SPAWN_REPLY_FDS_MAX = 2,
};

/* What came along with a spawn request, sorted; -1 for what did not. */
struct spawn_fds {
        int always[SPAWN_FDS]; /* enum spawn_fd */
        int cgroup;
        int temporary;
        int command;
        int warm[2];
        int keeper;
};

struct spawn_request {
        uint32_t magic;
        uint32_t flags;
        uint64_t number; /* the reply repeats it */
        uint32_t uid;
        uint32_t gid;
        int32_t nice;
        uint32_t n_groups;
        uint32_t groups[INDEX_GROUPS_MAX];
        char request_id[WIRE_REQUEST_ID_SIZE];
        char user[WIRE_USER_SIZE];
        char address[WIRE_ADDRESS_SIZE];
        char host[WIRE_HOST_SIZE];
        char context[INDEX_CONTEXT_MAX + 1]; /* empty: none is set */
        char script[WIRE_SCRIPT_SIZE]; /* last: a message ends with its NUL, so that more of them fit into the queue */
};

struct spawn_reply {
        uint32_t magic;
        uint32_t step;    /* enum step; STEP_NONE: the pidfd of the new process comes along */
        int32_t error;    /* errno of the step that failed */
        uint32_t keeper;  /* 1: the pidfd of a new keeper comes along, as the last, whatever became of the process */
        uint64_t number;  /* of the request; 0: the answer to the zygote's start */
        char detail[256]; /* what the step was about, a path for example */
};

/* Fills in magic, identity and nice value, and zeroes the rest. */
void spawn_init(struct spawn_request *request, const struct identity *identity, int nice);

/* What the child has to know of a launch request; `address` as far as it is believed. */
void spawn_set_request(
        struct spawn_request *request, const struct wire_request *wire, const char *address, uint64_t number);

/* How much of a request is sent: up to the NUL of its script. */
size_t spawn_size(const struct spawn_request *request);

/*
 * Check a received message of `size` bytes with `n_fds` descriptors. Return 0, or -EBADMSG: too short or too long,
 * wrong magic, too many groups, a string without end, other descriptors than it says, an unknown step.
 */
int spawn_check_request(const struct spawn_request *request, size_t size, size_t n_fds);
int spawn_check_reply(const struct spawn_reply *reply, size_t size, size_t n_fds);

/* Sorts the descriptors of a checked spawn request with these flags. They stay whose they are. */
void spawn_sort_fds(uint32_t flags, const int *fds, struct spawn_fds *ret_fds);
