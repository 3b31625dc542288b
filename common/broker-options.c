/* SPDX-License-Identifier: Apache-2.0 */
#include "common/broker-options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

#include "common/log.h"

#include "paths.h"

enum { IDLE_EXIT_MAX = 1000000 }; /* seconds */

static void usage(FILE *stream)
{
        fputs("usage: sandboxd [--config=DIR] [--libexec-dir=DIR] [--state-dir=DIR] [--idle-exit=SECONDS]\n"
              "                [--debug]\n"
              "\n"
              "The broker of sandboxed FastCGI requests. Started by sandboxd.socket.\n"
              "\n"
              "  --config=DIR       sandboxd.conf, services.d/ and maps/ (default " CONFIG_DIR ")\n"
              "  --libexec-dir=DIR  its helper programs (default " LIBEXEC_DIR ")\n"
              "  --state-dir=DIR    what is kept: allotted identities (default " STATE_DIR ")\n"
              "  --idle-exit=SECONDS  exit after so long without a request (default 0: never)\n"
              "  --debug            log more\n"
              "  --help, --version\n",
                stream);
}

static int parse_seconds(const char *text, uint64_t *ret_usec)
{
        unsigned seconds;
        char rest;

        if (sscanf(text, "%7u%c", &seconds, &rest) != 1 || seconds > IDLE_EXIT_MAX) {
                fprintf(stderr, "sandboxd: --idle-exit=: '%s' is not a number of seconds from 0 to %d\n", text,
                        IDLE_EXIT_MAX);
                return -EINVAL;
        }
        *ret_usec = seconds * UINT64_C(1000000);
        return 0;
}

int broker_options_parse(int argc, char **argv, struct broker_options *ret_options)
{
        static const struct option options[] = {
                {"config", required_argument, NULL, 'c'},
                {"libexec-dir", required_argument, NULL, 'l'},
                {"state-dir", required_argument, NULL, 's'},
                {"idle-exit", required_argument, NULL, 'i'},
                {"debug", no_argument, NULL, 'd'},
                {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'v'},
                {0},
        };
        int option;

        ret_options->config_directory = CONFIG_DIR;
        ret_options->libexec_directory = LIBEXEC_DIR;
        ret_options->state_directory = STATE_DIR;
        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                switch (option) {
                case 'c':
                        ret_options->config_directory = optarg;
                        break;
                case 'l':
                        ret_options->libexec_directory = optarg;
                        break;
                case 's':
                        ret_options->state_directory = optarg;
                        break;
                case 'i':
                        if (parse_seconds(optarg, &ret_options->idle_exit) < 0)
                                return -EINVAL;
                        break;
                case 'd':
                        log_set_level(LOG_DEBUG);
                        break;
                case 'h':
                        usage(stdout);
                        return 1;
                case 'v':
                        puts("sandboxd " VERSION);
                        return 1;
                default:
                        usage(stderr);
                        return -EINVAL;
                }
        }
        if (optind < argc) {
                usage(stderr);
                return -EINVAL;
        }
        return 0;
}
