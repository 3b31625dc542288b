/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

/*
 * What the broker asks its two resolvers, over two pipes (common/packet.h): a resolver reads questions from one and
 * writes answers to the other.
 *
 *   sandboxd-names  asks the name service (NSS), which may take long: QUESTION_ACCOUNT
 *   sandboxd-allot  keeps what has been allotted, on disk:            QUESTION_UID, QUESTION_CATEGORIES
 *
 * Each question is answered once, in any order; the answer repeats its number. Both sides are from one build: native
 * byte order and fixed sizes. Pure: everything received is checked by question_check() or answer_check() before any
 * field is read.
 */

#define QUESTION_MAGIC UINT32_C(0x53627175)
#define ANSWER_MAGIC   UINT32_C(0x5362616e)

/* The descriptors of a resolver. */
enum { QUESTION_FD_QUESTIONS = 3, QUESTION_FD_ANSWERS = 4 };

enum { ANSWER_GROUPS_MAX = 256 };

enum question_kind {
        QUESTION_ACCOUNT,    /* of the name: the account of exactly this name, and the groups that the name is in */
        QUESTION_UID,        /* of the name: the uid allotted to it, or a new one from first to last */
        QUESTION_CATEGORIES, /* of the uid: its pair of MCS categories, or a new pair from first to last */
        QUESTION_KINDS,
};

struct question {
        uint32_t magic;
        uint32_t kind;
        uint64_t number;           /* not 0 */
        uint64_t timeout;          /* µs, QUESTION_ACCOUNT: no answer is wanted later */
        uint64_t ttl;              /* µs, QUESTION_ACCOUNT: an answer may be so old */
        uint32_t first, last;      /* the range, both inclusive */
        uint32_t uid;              /* QUESTION_CATEGORIES */
        char name[WIRE_USER_SIZE]; /* else; ends with NUL and zeroes */
};

enum answer_status {
        ANSWER_FOUND,
        ANSWER_UNKNOWN,     /* QUESTION_ACCOUNT: there is no account of exactly this name; groups may still be listed */
        ANSWER_UNAVAILABLE, /* the name service or the store does not answer: try again later */
        ANSWER_EXHAUSTED,   /* the range is used up */
        ANSWER_STATUSES,
};

struct answer {
        uint32_t magic;
        uint32_t status;
        uint64_t number;
        uint32_t uid;           /* of the account, or allotted */
        uint32_t gid;           /* of the account */
        uint32_t first, second; /* QUESTION_CATEGORIES: first < second */
        uint32_t has_shell;     /* the account's shell is one of /etc/shells: getusershell(3) */
        uint32_t n_groups;      /* QUESTION_ACCOUNT: every group, the account's own among them */
        uint32_t groups[ANSWER_GROUPS_MAX];
        char detail[128]; /* ANSWER_UNAVAILABLE, ANSWER_EXHAUSTED: why, for the log */
};

static_assert(sizeof(struct question) <= PIPE_BUF && sizeof(struct answer) <= PIPE_BUF, "each is written whole");

/* Fill in the magic, kind or status, and number, and zero the rest. */
void question_init(struct question *question, enum question_kind kind, uint64_t number);
void answer_init(struct answer *answer, enum answer_status status, uint64_t number);

/*
 * Return 0, or -EBADMSG for a wrong length, magic, kind or status, a number 0, a name that is no clean string, too many
 * groups, or a range whose end is before its beginning.
 */
int question_check(const struct question *question, size_t length);
int answer_check(const struct answer *answer, size_t length);
