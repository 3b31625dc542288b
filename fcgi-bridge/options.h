/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The command line.
 */

struct options {
        const char *launch_socket; /* where the broker listens */
        unsigned max_connections;  /* open at once; more wait in the kernel's backlog */
        unsigned max_requests;     /* running at once; more are answered FCGI_OVERLOADED */
        size_t max_params_bytes;   /* of one request's PARAMS stream */
        size_t max_params;         /* parameters in one request */
        uint64_t params_timeout;   /* µs, from BEGIN_REQUEST to the end of PARAMS; for a record outside of a request */
        uint64_t request_timeout;  /* µs, from the launch to the end of the response */
        uint64_t send_timeout;     /* µs without the web server taking a byte that waits for it */
        uint64_t abort_timeout;    /* µs for the application after the web server has gone; 0: none */
        uint64_t idle_timeout;     /* µs between requests on a connection */
        uint64_t drain_timeout;    /* µs from SIGTERM to the end of running requests */
        uint64_t idle_exit;        /* µs without a connection, then the process ends; 0: never */
        bool debug;
};

/*
 * Reads the arguments into `ret_options`, which hold the defaults where there are none. Returns 0; 1 when
 * there is nothing to run (--help and --version, which are printed); -EINVAL after a message on stderr.
 * Strings point into `argv`.
 */
int options_parse(int argc, char **argv, struct options *ret_options);
