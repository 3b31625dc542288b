/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The index: the configuration, compiled, but for the identity map (common/map.h). sandboxd-compile, which is
 * unprivileged, writes it into a sealed memfd; the broker and the zygotes map it read-only. It holds offsets and no
 * pointers, in native byte order, and index_open() checks every one of them before anything is used: a wrong index can
 * give a wrong answer, never a wrong access to memory.
 *
 * Layout: struct index_header, then arrays (each aligned to 8) and strings in any order; the last byte is
 * NUL, so that every string that begins inside the index ends inside it. Offset 0 stands for "no string".
 */

#define INDEX_MAGIC   UINT32_C(0x53626978)
#define INDEX_VERSION 4

enum {
        INDEX_SIZE_MAX = 64 * 1024 * 1024,
        INDEX_GROUPS_MAX = 64, /* supplementary groups of one identity */
        INDEX_CONTEXT_MAX = 255,
        INDEX_LIMITS = 16, /* RLIM_NLIMITS of the kernel's interface */
        INDEX_WARM_UP_MAX = 8,
        INDEX_WARM_WATCH_MAX = 64,
};

typedef uint32_t index_string;

struct index_span {
        uint32_t offset; /* of the first element */
        uint32_t count;  /* of elements */
};

enum index_selinux {
        INDEX_SELINUX_OFF,     /* contexts are not applied: SELinux=off */
        INDEX_SELINUX_ABSENT,  /* likewise: the compiler sees no SELinux */
        INDEX_SELINUX_APPLY,   /* contexts are applied at exec, and front ends need the policy's leave */
        INDEX_SELINUX_REQUIRE, /* likewise, and while SELinux is permissive nothing is launched */
};

struct index_header {
        uint32_t magic;
        uint32_t version;
        uint32_t size; /* of the whole index in bytes */
        uint32_t selinux;
        uint32_t min_uid;
        uint32_t min_gid;
        uint32_t max_connections; /* requests at once, in all */
        uint32_t contexts_unused; /* contexts that the configuration names and this kernel cannot apply */
        uint32_t require_shell;   /* RequireShell=yes */
        uint32_t dynamic_first;   /* DynamicUID=, both inclusive; 0 and 0: none */
        uint32_t dynamic_last;
        uint32_t category_first; /* MCSCategories=, both inclusive */
        uint32_t category_last;
        uint64_t name_timeout;    /* NameServiceTimeoutSec=, µs */
        uint64_t name_ttl;        /* NameServiceCacheSec=, µs */
        uint64_t warm_memory_max; /* WarmMemoryMax=, bytes */
        struct index_span services;
};

/* An address and prefix; family 0 matches every address, an unknown one too. */
struct index_network {
        uint32_t family; /* 0, AF_INET or AF_INET6 */
        uint32_t prefix; /* bits */
        uint8_t address[16];
};

enum {
        INDEX_BIND_WRITABLE = 1 << 0,
        INDEX_BIND_OPTIONAL = 1 << 1, /* ignored where the source does not exist */
};

struct index_bind {
        index_string source;
        index_string target; /* inside the root */
        uint32_t flags;
};

enum {
        INDEX_PRIVATE_TMP = 1 << 0,
        INDEX_PRIVATE_NETWORK = 1 << 1,
        INDEX_PRIVATE_IPC = 1 << 3,  /* an IPC namespace for each request: the filter lets it make IPC objects */
        INDEX_PER_IDENTITY = 1 << 2, /* identities could meet in the namespaces: one zygote for each */
        INDEX_WARM = 1 << 4,         /* Warm=yes: an application zygote for each identity that is busy */
        INDEX_TMP_SHARED = 1 << 5,   /* with INDEX_PRIVATE_TMP: one for all requests of an application zygote */
        INDEX_KEYED = 1 << 7,        /* filter_last is attached by the zygote: common/keyed.h */
        INDEX_RUNNER = 1 << 6,       /* WARM_FOLDER is needed in the root: it is warm, or the runner executes it */
};

/* Type=: how the application takes its requests. */
enum index_type {
        INDEX_TYPE_CGI,
        INDEX_TYPE_FASTCGI, /* cold, it is a CGI program */
        INDEX_TYPE_WSGI,    /* a file that defines a WSGI application; argv has the runner in it */
        INDEX_TYPE_PYTHON,  /* a CGI script in Python; likewise */
        INDEX_TYPES,
};

struct index_cgroup {
        uint64_t memory_max; /* bytes; UINT64_MAX: no limit */
        uint64_t tasks_max;  /* UINT64_MAX: no limit */
        uint64_t cpu_weight; /* 0: not set */
};

struct index_service {
        index_string name;
        index_string source; /* the file it was read from */
        index_string label;  /* that file's SELinux context, where contexts are applied */
        index_string script_directory;
        index_string working_directory;
        index_string root_directory;
        index_string context;
        struct index_span doors;            /* of index_string: canonical, as front_door_name() writes them */
        struct index_span argv;             /* of index_string; empty: the script itself is executed */
        struct index_span environment;      /* of index_string: NAME=VALUE */
        struct index_span pass_environment; /* of index_string: NAME */
        struct index_span binds;            /* of struct index_bind */
        struct index_span front_end_users;  /* of uint32_t: uids */
        struct index_span trusted;          /* of struct index_network */
        struct index_span warm_up;          /* of index_string: WarmUpRequest= */
        struct index_span warm_watch;       /* of index_string: WarmWatch= */
        struct index_span filter_allow;     /* of struct sock_filter: what service and jail may call */
        struct index_span filter_deny;      /* of struct sock_filter: what nobody may call, and id ranges */
        struct index_span filter_last;      /* of struct sock_filter: takes back what only the jail needs */
        struct index_span filter_warm;      /* of struct sock_filter: what a zygote's child loses; if INDEX_WARM */
        uint32_t flags;
        uint32_t type;              /* enum index_type */
        uint32_t warm_spare;        /* WarmSpare=: children forked ahead */
        uint32_t warm_children_max; /* WarmChildrenMax=: children at once, these included; 0: no limit of its own */
        uint64_t warm_idle;         /* WarmIdleSec=, µs: an application zygote without a request for so long ends */
        uint32_t umask;
        int32_t nice;
        uint32_t max_connections;
        uint64_t temporary_size;            /* bytes of /tmp */
        uint64_t runtime_max;               /* µs */
        struct index_cgroup cgroup;         /* of all its requests together */
        struct index_cgroup request_cgroup; /* of each of them */
        uint64_t limits[INDEX_LIMITS];      /* by RLIMIT_… number; UINT64_MAX: infinity */
        uint64_t limits_set;                /* bit set by RLIMIT_… number */
};

struct index {
        const struct index_header *header;
        size_t size;
        int fd;
};

/*
 * Maps and checks the index in `fd`, a memfd that must be sealed against writing, growing and shrinking. `fd`
 * becomes the index's. Returns 0, or -EBADMSG when the index is not well-formed, or another negative errno;
 * on failure `fd` is still the caller's.
 */
int index_open(int fd, struct index *ret_index);
void index_close(struct index *index);

/* Whether applications are executed in contexts. */
static inline bool index_applies_contexts(const struct index *index)
{
        return index->header->selinux >= INDEX_SELINUX_APPLY;
}

/* What an offset leads to, in a checked index. A string offset of 0 gives NULL. */
const char *index_text(const struct index *index, index_string string);
const struct index_service *index_services(const struct index *index);
const void *index_array(const struct index *index, struct index_span span);
/* The string that element `i` of a span of strings stands for. */
const char *index_item(const struct index *index, struct index_span span, size_t i);
