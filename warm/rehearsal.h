/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "warm/settings.h"

/*
 * What memory a request uses, so that a child can have it before the request is there: each page is a page fault
 * otherwise, while somebody waits.
 *
 * It is seen by letting the application answer its last WarmUpRequest= once more, while a fork of it, a witness, does
 * nothing: pages that the two of them do not share any more have been written to. Of the files that it has loaded, all
 * pages are unmapped before: those that are mapped afterwards have been read or executed. Nothing is learnt from what a
 * client has asked for.
 */

enum {
        REHEARSAL_RANGES_MAX = 256,
        REHEARSAL_PAGES_MAX = 2048, /* each child that waits has as many; those beyond it gets when it needs them */
};

struct rehearsal_pages {
        size_t n_pages;
        size_t n_ranges;
        struct {
                char *start;
                size_t size;
        } ranges[REHEARSAL_RANGES_MAX];
};

struct rehearsal {
        int pagemap;   /* -1: none, or no more */
        pid_t witness; /* 0: the rehearsal has not begun */
        struct rehearsal_pages written;
        struct rehearsal_pages read; /* of files; one page in each window: the kernel maps those around it, too */
};

/*
 * While the process is still dumpable: nobody may look up its own pages afterwards (proc(5), PR_SET_DUMPABLE in
 * prctl(2)). Where that cannot be, there is no rehearsal.
 */
void rehearsal_open(struct rehearsal *rehearsal, const struct settings *settings);

/*
 * After the warm-up requests. Returns true once, when the caller is to have the last one answered again. A process with
 * several threads has no rehearsal; it is not fit to be forked either.
 */
bool rehearsal_goes_on(struct rehearsal *rehearsal, const struct settings *settings);

/*
 * The request has been answered, and what the application does from here on no request does. Before that, and without
 * a rehearsal, it does nothing; the next rehearsal_goes_on() does it otherwise.
 */
void rehearsal_end(struct rehearsal *rehearsal, const struct settings *settings);

/* In a child: it gets these pages, those to be written to as its own. What fails costs a page fault later. */
void rehearsal_populate(const struct rehearsal *rehearsal);
