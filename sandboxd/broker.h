/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "common/accounts.h"
#include "common/broker-options.h"
#include "common/decision.h"
#include "common/load.h"
#include "common/packet.h"
#include "common/spawn.h"
#include "common/warm-pool.h"
#include "common/zygote.h"
#include "sandboxd/cgroup.h"

/*
 * The broker's state, and who owns what:
 *
 *   broker ─▶ generation (the configuration in force; older ones live on while requests or zygotes use them)
 *               └▶ service ─▶ zygotes, each with the requests that wait for its answer
 *   broker ─▶ application zygotes (warm.h), each with the requests that its children serve
 *   broker ─▶ requests, each with its connection from the bridge and, once it runs, its process
 *
 * Everything happens in one thread, in the handlers of one sd-event loop, and nothing in it blocks.
 */

struct broker;
struct generation;
struct service;

TAILQ_HEAD(request_list, request);
TAILQ_HEAD(zygote_list, zygote);

/* A zygote, running or starting. */
struct zygote {
        TAILQ_ENTRY(zygote) link;
        struct service *service;
        struct zygote_process process;
        sd_event_source *control_source;
        sd_event_source *patience_source;
        uint64_t patience;           /* µs, monotonic: until when an answer is awaited; 0: none is */
        struct request_list waiting; /* for its answers, in the order they were sent */
        struct identity identity;    /* the one it serves, with INDEX_PER_IDENTITY */
        uint64_t last_used;          /* µs, monotonic */
        unsigned number;             /* among those that its service has had, from 1 */
        bool ready;
};

struct service {
        struct generation *generation;
        const struct index_service *config;
        const char *name;
        struct cgroup_service cgroup;
        bool cgroup_open;
        struct zygote_list zygotes;
        unsigned n_zygotes, last_zygote; /* how many there are, and the number of the newest */
        unsigned n_requests;
        struct zygote_answer failure; /* of the zygote that last failed to start */
        uint64_t not_before;          /* µs: no zygote is started earlier than this after a failure */
};

struct generation {
        struct broker *broker;
        struct index index;
        struct map map;
        struct service *services; /* as many as in the index */
        unsigned number;
        unsigned references;     /* of requests, and one of the broker's while it is in force */
        unsigned map_references; /* likewise, but of requests only until they are launched: maps may be large */
};

enum request_state {
        REQUEST_RECEIVING, /* connected, the launch request has not come */
        REQUEST_ASKING,    /* the bridge was asked for request variables */
        REQUEST_RESOLVING, /* a resolver was asked */
        REQUEST_SPAWNING,  /* sent to a zygote */
        REQUEST_RUNNING,   /* has a process */
};

struct request {
        TAILQ_ENTRY(request) link; /* among the broker's */
        TAILQ_ENTRY(request)
        waiting; /* among its zygote's: while REQUEST_SPAWNING, or until an application zygote's ends */
        struct broker *broker;
        enum request_state state;
        int connection;
        sd_event_source *connection_source;
        uint64_t deadline; /* µs, monotonic; 0: none */
        void (*on_deadline)(struct request *request);
        struct wire_request wire;
        int fds[WIRE_FDS];               /* until it is launched */
        struct service *service;         /* holds a reference on its generation */
        struct zygote *zygote;           /* while REQUEST_SPAWNING */
        char address[WIRE_ADDRESS_SIZE]; /* as far as it is believed */
        uint64_t number;                 /* in the spawn protocol */
        uint64_t started;                /* µs, monotonic */

        bool holds_map;
        struct decision decision; /* by admit.c; of its rule, the strings lie in the map */
        char rule_source[256];    /* of the rule, once the map has been let go */
        struct wire_question question;
        struct wire_variables variables;
        struct map_condition conditions[MAP_VARIABLES_MAX]; /* names in `question`, values in `variables` */
        uint64_t asked;                                     /* number of the question to a resolver; 0: none */
        enum question_kind asked_kind;
        struct resolver *resolver; /* that was asked */

        struct cgroup_leaf *leaf;
        int report;
        int pidfd;
        sd_event_source *process_source;
        bool ending;               /* killed, or to be killed when its process comes */
        enum wire_outcome outcome; /* if ending */
        const char *ending_reason;
        bool bridge_gone; /* nobody is left to tell */
        bool done;        /* the web server has the whole response */
        bool counts;      /* among n_requests of broker and service */

        struct warm *warm;   /* the application zygote whose child serves it; it is among that one's `requests` */
        int slot;            /* of that child; -1: none has taken it yet */
        struct warm *starts; /* this is no request: it is this application zygote's own process */
};

/* A resolver, running or not: see resolver.h. */
enum { RESOLVER_NAMES, RESOLVER_ALLOT, RESOLVERS };

struct resolver {
        struct broker *broker;
        int pidfd;              /* -1: there is no process */
        int pipes[PACKET_ENDS]; /* our ends; -1: none runs, though one that was killed may still be ending */
        sd_event_source *source;
        uint64_t heard;      /* µs, monotonic: when it last answered */
        uint64_t not_before; /* µs: not started earlier, after a failure */
};

struct broker {
        sd_event *event;
        struct broker_options options;
        struct accounts accounts;
        struct cgroups cgroups;
        struct resolver resolvers[RESOLVERS];
        struct generation *current; /* NULL until the first configuration is loaded */
        unsigned generations;
        struct load load; /* the compiler, while one runs */
        sd_event_source *load_source;
        sd_event_source *load_timer;
        bool load_yields;  /* it keeps out of the way of requests, and takes longer */
        bool load_again;   /* asked for while one was running */
        bool load_to_stop; /* the one that runs only looks whether the next broker could start */
        int listen_fd;
        sd_event_source *listen_source;
        sd_event_source *pause_source;
        sd_event_source *drain_source;
        uint64_t drain_until;  /* µs, monotonic */
        uint64_t last_request; /* µs, monotonic: when one last ended */
        struct request_list requests;
        struct warm_pool warm; /* application zygotes: warm.h */
        struct warm_sightings sightings;
        sd_event_source *deadline_source; /* of all requests */
        unsigned n_requests;              /* connections, in whatever state */
        uint64_t next_number;
        bool draining;
};

/* The time now, µs, monotonic, as the event loop sees it. */
uint64_t broker_now(const struct broker *broker);
