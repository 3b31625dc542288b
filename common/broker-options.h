/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/*
 * The command line of sandboxd.
 */

struct broker_options {
        const char *config_directory;
        const char *libexec_directory; /* its helper programs */
        const char *state_directory;
        uint64_t idle_exit; /* µs without a request, then the process ends; 0: never */
};

/*
 * Reads the arguments. Returns 0; 1 when there is nothing to run (--help and --version, which are printed); -EINVAL
 * after a message on stderr. Strings point into `argv`.
 */
int broker_options_parse(int argc, char **argv, struct broker_options *ret_options);
