/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/identity.h"
#include "common/map.h"
#include "common/question.h"
#include "common/wire.h"

/*
 * Whether a request is run, and as whom. Pure: what it takes to know is asked for and told, so that the broker, which
 * may not wait, and sandboxctl, which may, decide by the same function.
 */

struct decision {
        /* Who asks for what, and under which configuration: the caller's, set before the first decision_next(). */
        const struct index *index;
        const struct index_service *service;
        struct map *map;
        struct map_query query;   /* the groups are filled in here */
        const uint32_t *reserved; /* ids of the project's own accounts */
        size_t n_reserved;

        /* What has been told. */
        bool account_known;
        struct answer account;  /* of the user's name */
        uint32_t allotted;      /* uid; 0: not told yet */
        uint32_t categories[2]; /* 0 and 0: not told yet */

        /* What comes of it. */
        bool has_rule;
        struct map_rule rule;      /* the first that matches */
        struct identity identity;  /* uid 0 as long as it is not known */
        unsigned flags;            /* IDENTITY_… */
        enum wire_outcome outcome; /* of a refusal */
        char reason[256];
};

enum decision_state {
        DECISION_MADE,    /* it may be run as `identity` */
        DECISION_REFUSED, /* `outcome` and `reason` say why; there may be a rule and an identity */
        DECISION_ASKS,    /* an answer is needed first */
};

/*
 * Decides, or asks: with DECISION_ASKS, *ret_question has its kind and what it is about. Tell the answer and call
 * again. At most one question of each kind is asked.
 */
enum decision_state decision_next(struct decision *decision, struct question *ret_question);

/* Tells the answer to a question of this kind, which answer_check() has passed. */
void decision_tell(struct decision *decision, enum question_kind kind, const struct answer *answer);
