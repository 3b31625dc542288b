/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The launch protocol, between fcgi-bridge and sandboxd; docs/protocol.md describes it in prose.
 *
 * Transport: a SOCK_SEQPACKET connection for each launch. The bridge sends one launch request with exactly
 * WIRE_FDS descriptors. The broker may ask one question, which the bridge answers; then it answers with exactly one
 * launch result, after which both close. The bridge ends a request early by closing the connection. Both sides are on
 * one machine and from one build: native byte order, fixed size, and a version that must be equal.
 *
 * This module is pure: it makes no system call, and both sides use it. Everything received is checked by the
 * wire_check_…() of its kind before any field is read.
 */

#define WIRE_MAGIC           UINT32_C(0x53626f78) /* "Sbox": request and result */
#define WIRE_QUESTION_MAGIC  UINT32_C(0x53626f71) /* "Sboq" */
#define WIRE_VARIABLES_MAGIC UINT32_C(0x53626f76) /* "Sbov" */
#define WIRE_DONE_MAGIC      UINT32_C(0x53626f64) /* "Sbod" */
#define WIRE_VERSION         3

enum {
        WIRE_REQUEST_ID_SIZE = 33, /* 32 hexadecimal digits and NUL */
        WIRE_USER_SIZE = 256,
        WIRE_ADDRESS_SIZE = 46, /* INET6_ADDRSTRLEN */
        WIRE_HOST_SIZE = 256,
        WIRE_SCRIPT_SIZE = 2048,
        WIRE_ENVIRONMENT_MAX = 256 * 1024,           /* bytes in the environment memfd */
        WIRE_CONNECTION_ENVIRONMENT_MAX = 60 * 1024, /* bytes of environment in a connection: each pair fits a record */
        WIRE_VARIABLES_MAX = 8,
        WIRE_VARIABLE_NAME_SIZE = 64,
        WIRE_VARIABLE_VALUE_SIZE = 256,
};

/*
 * How the application is to get its request, and which descriptors come along. Every launch can be made with streams. A
 * connection is for FastCGI applications that are warm: the broker says in its result which of the two it wants at
 * this door next time, and answers WIRE_AGAIN where it cannot serve a connection now.
 */
enum wire_kind {
        WIRE_STREAMS,    /* a CGI request: the environment in a memfd, and three pipes */
        WIRE_CONNECTION, /* a FastCGI request on a Unix stream socket; see common/warm.h */
};

/* The descriptors of a launch request, in this order. */
enum wire_fd {
        WIRE_FD_FRONT,       /* the connection accepted from the web server; the broker inspects it and drops it */
        WIRE_FD_STDERR,      /* write end of a pipe */
        WIRE_FD_ENVIRONMENT, /* WIRE_STREAMS: memfd sealed against write, grow and shrink: "NAME=VALUE\0" … */
        WIRE_FD_STDIN,       /* read end of a pipe */
        WIRE_FD_STDOUT,      /* write end of a pipe */
        WIRE_FDS,
        WIRE_FD_APPLICATION = WIRE_FD_ENVIRONMENT, /* WIRE_CONNECTION: the application's end of a socketpair(2) */
        WIRE_FD_PEER,                              /* a copy of the bridge's end: the child writes the parameters */
        WIRE_CONNECTION_FDS,
};

enum {
        WIRE_NO_BODY = 1 << 0, /* WIRE_CONNECTION: FCGI_STDIN is empty, and ended by the child */
};

/* The selectors: who asks for what. Strings end with NUL, and every byte after it is zero. */
struct wire_request {
        uint32_t magic;
        uint32_t version;
        uint32_t kind;                         /* enum wire_kind */
        uint32_t flags;                        /* WIRE_NO_BODY */
        uint32_t environment_size;             /* WIRE_CONNECTION: bytes that the bridge has written into it */
        char request_id[WIRE_REQUEST_ID_SIZE]; /* 32 lower-case hexadecimal digits */
        char user[WIRE_USER_SIZE];             /* REMOTE_USER; empty: nobody is logged in */
        char address[WIRE_ADDRESS_SIZE];       /* REMOTE_ADDR as the web server wrote it; may be empty */
        char host[WIRE_HOST_SIZE];             /* SERVER_NAME; may be empty */
        char script[WIRE_SCRIPT_SIZE];         /* SCRIPT_FILENAME; may be empty */
};

_Static_assert(sizeof(struct wire_request) <= 4096, "a launch request is at most 4 KB");

/*
 * The broker's one question, where identity rules for the service ask for request variables: their names. The bridge
 * answers it at once with their values, in the same order; a variable that is not there is empty.
 */
struct wire_question {
        uint32_t magic;
        uint32_t version;
        uint32_t n_names; /* 1 to WIRE_VARIABLES_MAX */
        char names[WIRE_VARIABLES_MAX][WIRE_VARIABLE_NAME_SIZE];
};

struct wire_variables {
        uint32_t magic;
        uint32_t version;
        uint32_t n_values; /* as many as were asked for */
        char values[WIRE_VARIABLES_MAX][WIRE_VARIABLE_VALUE_SIZE];
};

/* How a launch ended. The order is part of the protocol. */
enum wire_outcome {
        WIRE_EXITED,     /* the application ran and exited: `detail` is its exit status, 0 to 255 */
        WIRE_SIGNALED,   /* the application ran and was killed by the signal `detail` */
        WIRE_NO_RULE,    /* no identity rule admits this request, or one says deny (403) */
        WIRE_UNTRUSTED,  /* the front end may not use this door or make this claim (403) */
        WIRE_NO_SERVICE, /* no service listens on this front door (404) */
        WIRE_NO_SCRIPT,  /* the script does not exist (404) */
        WIRE_FAILED,     /* the application could not be confined or executed; `detail` is an errno (502) */
        WIRE_BUSY,       /* a limit on concurrent requests is reached, or the broker is draining (503) */
        WIRE_TIMEOUT,    /* the deadline passed and the request was killed (504) */
        WIRE_INVALID,    /* the launch request was malformed (500) */
        WIRE_AGAIN,      /* nothing was started: launch it again, with streams (503 if that is not possible) */
        WIRE_OUTCOMES,
};

struct wire_result {
        uint32_t magic;
        uint32_t version;
        uint32_t outcome; /* enum wire_outcome */
        uint32_t detail;
        uint32_t wants;   /* enum wire_kind: what suits the next launch at this door best */
        char reason[256]; /* for the log, never for the client; ends with NUL */
};

/*
 * From the bridge, in place of an abort, for WIRE_CONNECTION: the application has sent FCGI_END_REQUEST, and the web
 * server has its response. The bridge then closes; what the application still does has a moment left.
 */
struct wire_done {
        uint32_t magic; /* WIRE_DONE_MAGIC */
        uint32_t version;
};

/* Writes the reason of a result, cut to its size; control characters become '?'. NULL: none. */
void wire_set_reason(struct wire_result *result, const char *reason);

/* Fills in magic and version, and zeroes the rest. */
void wire_init_request(struct wire_request *request);
void wire_init_result(struct wire_result *result, enum wire_outcome outcome, uint32_t detail);
void wire_init_question(struct wire_question *question);
void wire_init_variables(struct wire_variables *variables);

/*
 * Copies `value` of `length` bytes into a field of `size` bytes and zeroes the field's rest.
 * Returns 0; -ENAMETOOLONG when it does not fit with its NUL; -EINVAL when it contains a control character
 * (NUL among them: a selector is compared as a string, so nothing may hide behind one).
 */
int wire_set_string(char *field, size_t size, const char *value, size_t length);

/* Whether a received field is a clean string: no control character before its NUL, nothing but zeroes after it. */
bool wire_is_string(const char *field, size_t size);

/*
 * Checks a received packet of `length` bytes with `n_fds` descriptors. Returns 0, or -EBADMSG for a wrong
 * length, magic, version, number of descriptors or of strings, request id, or a field that is not a clean string.
 */
int wire_check_request(const struct wire_request *request, size_t length, size_t n_fds);
/* For a request: as many descriptors as its kind brings, and no more flags and environment than the kind knows. */
int wire_check_result(const struct wire_result *result, size_t length, size_t n_fds);
int wire_check_question(const struct wire_question *question, size_t length, size_t n_fds);
int wire_check_done(const struct wire_done *done, size_t length, size_t n_fds);
/* The answer to a question of `n_names` names. */
int wire_check_variables(const struct wire_variables *variables, size_t length, size_t n_fds, size_t n_names);

/*
 * The HTTP status that tells a client about `outcome` when the application has sent no response: 403, 404,
 * 500, 502, 503 or 504. WIRE_EXITED and WIRE_SIGNALED without a response are 502.
 */
unsigned wire_status(enum wire_outcome outcome);

/* A short constant name of the outcome, for logs: "exited", "no-rule", … */
const char *wire_outcome_name(enum wire_outcome outcome);
