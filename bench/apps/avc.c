/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avc SOURCE TARGET: what one question to the SELinux policy costs, `service { start }` by context SOURCE on label
 * TARGET, when the access vector cache knows the answer and when it does not and the kernel is asked. Prints both in
 * nanoseconds, and how often the slower one takes longer. In rounds that alternate; the median of each.
 */
#include <errno.h>
#include <selinux/avc.h>
#include <selinux/selinux.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 21, QUESTIONS = 500 };

static double now(void)
{
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

/* Nanoseconds for one question. */
static double ask(const char *source, const char *target, int forget)
{
        double start = now();

        for (int i = 0; i < QUESTIONS; i++) {
                if (forget && avc_reset() < 0)
                        exit(EXIT_FAILURE);
                if (selinux_check_access(source, target, "service", "start", NULL) < 0) {
                        fprintf(stderr, "avc: %s may not start %s: %s\n", source, target, strerror(errno));
                        exit(EXIT_FAILURE);
                }
        }
        return (now() - start) / QUESTIONS;
}

int main(int argc, char **argv)
{
        double hit[ROUNDS], miss[ROUNDS];

        if (argc != 3)
                return EXIT_FAILURE;
        ask(argv[1], argv[2], 0);
        for (int i = 0; i < ROUNDS; i++) {
                hit[i] = ask(argv[1], argv[2], 0);
                miss[i] = ask(argv[1], argv[2], 1);
        }
        qsort(hit, ROUNDS, sizeof(*hit), compare);
        qsort(miss, ROUNDS, sizeof(*miss), compare);
        printf("hit %.0f ns, miss %.0f ns, ratio %.1f\n", hit[ROUNDS / 2], miss[ROUNDS / 2],
                miss[ROUNDS / 2] / hit[ROUNDS / 2]);
        return EXIT_SUCCESS;
}
