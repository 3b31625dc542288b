/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

/*
 * The warm protocol, between the broker and an application zygote: an application that was brought up once, as an
 * identity, to the point where it waits for its first request, and of which each request is a fork. The broker starts
 * it through the service's zygote (SPAWN_WARM in common/spawn.h); warm/ has the other side. Pure.
 *
 * Two SOCK_SEQPACKET pairs:
 *
 *   control  broker → zygote: slots, each with the control group that the slot's children are to be in.
 *            zygote → broker: events. A spare child has it until it takes a request, says WARM_TAKEN, and closes it
 *            before it looks at the first byte of the request.
 *   queue    broker → spare children: requests. The children's end is shut down for writing, all spare children wait
 *            on it, and each takes one request and closes it. At its end (the broker has closed it) spare children
 * exit, and the zygote forks no more.
 *
 * A slot has at most one child. When its child has ended and its group is empty, the zygote forks the next one into it
 * without being told to.
 */

/* Descriptors that an application zygote finds at its start; standard input is an unconnected Unix stream socket. */
enum {
        WARM_FD_CONTROL = 6,
        WARM_FD_QUEUE,
        WARM_FD_PROC,     /* a detached procfs with subset=pid: to look at itself, once */
        WARM_FD_LANDLOCK, /* a ruleset of landlock_open_apart(), for a domain of each child's own */
        WARM_FDS_END,
};

/* Where the zygote's stand-in and runner are, in every root that may need them. */
#define WARM_FOLDER  "/dev/sandboxd"
#define WARM_LIBRARY WARM_FOLDER "/sandboxd-warm.so"
#define WARM_RUNNER  WARM_FOLDER "/sandboxd-runner.py"

/*
 * What the stand-in is told in the environment, and takes out of it. Lists are separated by line ends.
 */
#define WARM_VARIABLE          "SANDBOXD_WARM"          /* "1": this is an application zygote */
#define WARM_VARIABLE_PASS     "SANDBOXD_WARM_PASS"     /* names in PassEnvironment= */
#define WARM_VARIABLE_SCRIPTS  "SANDBOXD_WARM_SCRIPTS"  /* ScriptDirectory=, if there is one */
#define WARM_VARIABLE_REQUESTS "SANDBOXD_WARM_REQUESTS" /* WarmUpRequest=, each "/path?query" */
#define WARM_VARIABLE_WATCH    "SANDBOXD_WARM_WATCH"    /* WarmWatch=: files and folders besides those that it finds */
#define WARM_VARIABLE_FILTER   "SANDBOXD_WARM_FILTER" /* each child's last filter: struct sock_filter in hexadecimal */

#define WARM_MAGIC UINT32_C(0x53627761) /* "Sbwa" */

/* A child's last filter compares process ids with this number, in whose place the child puts its own. */
#define WARM_FILTER_PID UINT32_C(0x5b0c1d00)

enum { WARM_SLOTS_MAX = 256 };

/*
 * Broker → zygote, with descriptors: fork into this slot whenever it is free. A second one for the same slot, after
 * WARM_DIRTY, gives it another group; the broker kills what is in the old one.
 *
 * Without descriptors: kill the child in this slot. It may have ended meanwhile, and have a successor: `n_ended` says
 * which one is meant. The broker does not kill by the group here: it would hit a fork on its way into the group, with
 * libc's locks held. Without a WARM_ENDED in good time it ends the zygote.
 */
struct warm_slot {
        uint32_t magic;
        uint32_t slot;    /* below WARM_SLOTS_MAX */
        uint32_t n_ended; /* how many WARM_ENDED of the slot the broker has seen */
};

enum warm_slot_fd {
        WARM_SLOT_FD_GROUP,  /* the group's folder, for CLONE_INTO_CGROUP */
        WARM_SLOT_FD_EVENTS, /* its cgroup.events */
        WARM_SLOT_FDS,
};

enum warm_event_kind {
        WARM_READY = 1, /* it is fit to be forked; `value`: its own memory in KiB */
        WARM_UNFIT,     /* it is not, `detail` says why; it ends */
        WARM_TAKEN,     /* a child in `slot` has taken request `number` */
        WARM_ENDED,     /* the child in `slot` has ended; `value`: its status, as of waitpid(2) */
        WARM_DIRTY,     /* …and left something in its group, which has to be replaced and killed */
        WARM_STALE,     /* a file that it was made of has changed: `detail` */
        WARM_TROUBLE,   /* it cannot fork, or go on: `detail`; it ends */
        WARM_EVENTS,
};

struct warm_event {
        uint32_t magic;
        uint32_t kind; /* enum warm_event_kind */
        uint32_t slot;
        int32_t value;
        uint64_t number;
        char detail[256]; /* printable; ends with NUL */
};

/* Broker → a spare child. What came with the launch request comes along, but for WIRE_FD_FRONT, in the same order. */
struct warm_request {
        uint32_t magic;
        uint32_t kind; /* enum wire_kind */
        uint32_t flags;
        uint32_t environment_size;
        uint64_t number;
        char request_id[WIRE_REQUEST_ID_SIZE];
        char user[WIRE_USER_SIZE];
        char address[WIRE_ADDRESS_SIZE];
        char host[WIRE_HOST_SIZE];
        char script[WIRE_SCRIPT_SIZE]; /* last: a message ends with its NUL */
};

/* What a child has to know of a launch request; `address` as far as it is believed. */
void warm_init_request(
        struct warm_request *request, const struct wire_request *wire, const char *address, uint64_t number);

/* How many descriptors a request of this kind brings: those of the launch but the front connection. */
size_t warm_request_fds(uint32_t kind);
size_t warm_request_size(const struct warm_request *request);

/*
 * Check a received message of `size` bytes with `n_fds` descriptors. Return 0, or -EBADMSG: wrong length, magic, kind,
 * number, descriptors, a string without end.
 */
int warm_check_slot(const struct warm_slot *slot, size_t size, size_t n_fds);
int warm_check_event(const struct warm_event *event, size_t size, size_t n_fds);
int warm_check_request(const struct warm_request *request, size_t size, size_t n_fds);

/*
 * The record with which a child tells the bridge, on a WIRE_CONNECTION with a body, that the parameters are in and the
 * body may follow: a FastCGI management record of a type that no application sends.
 */
enum { WARM_RECORD_GO = 0x53 };
