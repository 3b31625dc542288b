/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi-bridge/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "common/cleanup.h"
#include "common/wire.h"

#include "paths.h"

#define SECOND UINT64_C(1000000)

enum {
        OPTION_LAUNCH_SOCKET = 256,
        OPTION_MAX_CONNECTIONS,
        OPTION_MAX_REQUESTS,
        OPTION_MAX_PARAMS_BYTES,
        OPTION_MAX_PARAMS,
        OPTION_PARAMS_TIMEOUT,
        OPTION_REQUEST_TIMEOUT,
        OPTION_SEND_TIMEOUT,
        OPTION_ABORT_TIMEOUT,
        OPTION_IDLE_TIMEOUT,
        OPTION_DRAIN_TIMEOUT,
        OPTION_IDLE_EXIT,
        OPTION_DEBUG,
        OPTION_HELP,
        OPTION_VERSION,
};

static const struct option long_options[] = {
        {"launch-socket", required_argument, NULL, OPTION_LAUNCH_SOCKET},
        {"max-connections", required_argument, NULL, OPTION_MAX_CONNECTIONS},
        {"max-requests", required_argument, NULL, OPTION_MAX_REQUESTS},
        {"max-params-bytes", required_argument, NULL, OPTION_MAX_PARAMS_BYTES},
        {"max-params", required_argument, NULL, OPTION_MAX_PARAMS},
        {"params-timeout", required_argument, NULL, OPTION_PARAMS_TIMEOUT},
        {"request-timeout", required_argument, NULL, OPTION_REQUEST_TIMEOUT},
        {"send-timeout", required_argument, NULL, OPTION_SEND_TIMEOUT},
        {"abort-timeout", required_argument, NULL, OPTION_ABORT_TIMEOUT},
        {"idle-timeout", required_argument, NULL, OPTION_IDLE_TIMEOUT},
        {"drain-timeout", required_argument, NULL, OPTION_DRAIN_TIMEOUT},
        {"idle-exit", required_argument, NULL, OPTION_IDLE_EXIT},
        {"debug", no_argument, NULL, OPTION_DEBUG},
        {"help", no_argument, NULL, OPTION_HELP},
        {"version", no_argument, NULL, OPTION_VERSION},
        {0},
};

static const struct options defaults = {
        .launch_socket = "/run/sandboxd/launch",
        .max_connections = 1024,
        .max_requests = 256,
        .max_params_bytes = 65536,
        .max_params = 512,
        .params_timeout = 10 * SECOND,
        .request_timeout = 120 * SECOND,
        .send_timeout = 60 * SECOND,
        .abort_timeout = 5 * SECOND,
        .idle_timeout = 60 * SECOND,
        .drain_timeout = 30 * SECOND,
        .idle_exit = 0,
};

static void print_help(void)
{
        puts("Usage: fcgi-bridge [OPTION]...\n"
             "FastCGI responder: has each request run in a sandbox by sandboxd.\n"
             "It takes its listening stream sockets from systemd (sd_listen_fds), and runs\n"
             "without root and without capabilities.\n"
             "\n"
             "  --launch-socket=PATH    where sandboxd listens (/run/sandboxd/launch)\n"
             "  --max-connections=N     connections open at once (1024)\n"
             "  --max-requests=N        requests running at once (256)\n"
             "  --max-params-bytes=N    bytes in the parameters of a request (65536)\n"
             "  --max-params=N          parameters of a request (512)\n"
             "  --params-timeout=TIME   until the parameters are complete (10s)\n"
             "  --request-timeout=TIME  until the response is complete (120s)\n"
             "  --send-timeout=TIME     without the web server reading on (60s)\n"
             "  --abort-timeout=TIME    for the application after the web server has gone (5s)\n"
             "  --idle-timeout=TIME     between requests on a connection (60s)\n"
             "  --drain-timeout=TIME    for running requests after SIGTERM (30s)\n"
             "  --idle-exit=TIME        without a connection; then it exits; 0: never (0)\n"
             "  --debug                 log more\n"
             "  --help, --version\n"
             "\n"
             "TIME is a whole number with ms, s or min; s is assumed.");
}

/* A decimal number with nothing before it; `ret_rest` is what follows. */
static int parse_digits(const char *text, uint64_t *ret_number, const char **ret_rest)
{
        unsigned long long number;
        char *end;

        if (*text < '0' || *text > '9')
                return -EINVAL;
        errno = 0;
        number = strtoull(text, &end, 10);
        if (errno != 0)
                return -errno;
        *ret_number = number;
        *ret_rest = end;
        return 0;
}

static int parse_number(const char *name, const char *text, uint64_t max, uint64_t *ret_number)
{
        const char *rest = "";
        uint64_t number = 0;

        if (parse_digits(text, &number, &rest) < 0 || *rest != '\0' || number < 1 || number > max) {
                fprintf(stderr, "fcgi-bridge: --%s=%s: expected a number from 1 to %ju\n", name, text, (uintmax_t)max);
                return -EINVAL;
        }
        *ret_number = number;
        return 0;
}

static int parse_time(const char *name, const char *text, uint64_t min, uint64_t *ret_time)
{
        static const struct {
                const char *suffix;
                uint64_t unit;
        } units[] = {{"", SECOND}, {"s", SECOND}, {"ms", SECOND / 1000}, {"min", 60 * SECOND}};
        const uint64_t max = UINT64_C(24) * 3600 * SECOND;
        const char *rest = "";
        uint64_t number = 0;

        if (parse_digits(text, &number, &rest) == 0)
                for (size_t i = 0; i < ELEMENTS(units); i++)
                        if (strcmp(rest, units[i].suffix) == 0 && number >= min && number <= max / units[i].unit) {
                                *ret_time = number * units[i].unit;
                                return 0;
                        }
        fprintf(stderr, "fcgi-bridge: --%s=%s: expected a time such as 500ms, 30s or 2min, at most a day\n", name,
                text);
        return -EINVAL;
}

static int parse_socket(const char *text, const char **ret_path)
{
        if (text[0] != '/' || strlen(text) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
                fprintf(stderr, "fcgi-bridge: --launch-socket=%s: expected an absolute path of at most %zu bytes\n",
                        text, sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
                return -EINVAL;
        }
        *ret_path = text;
        return 0;
}

static int parse_option(int option, const char *name, const char *value, struct options *options)
{
        uint64_t number = 0;
        int r;

        switch (option) {
        case OPTION_LAUNCH_SOCKET:
                return parse_socket(value, &options->launch_socket);
        case OPTION_MAX_CONNECTIONS:
                r = parse_number(name, value, 100000, &number);
                options->max_connections = (unsigned)number;
                return r;
        case OPTION_MAX_REQUESTS:
                r = parse_number(name, value, 100000, &number);
                options->max_requests = (unsigned)number;
                return r;
        case OPTION_MAX_PARAMS_BYTES:
                r = parse_number(name, value, WIRE_ENVIRONMENT_MAX, &number);
                options->max_params_bytes = (size_t)number;
                return r;
        case OPTION_MAX_PARAMS:
                r = parse_number(name, value, 10000, &number);
                options->max_params = (size_t)number;
                return r;
        case OPTION_PARAMS_TIMEOUT:
                return parse_time(name, value, 1, &options->params_timeout);
        case OPTION_REQUEST_TIMEOUT:
                return parse_time(name, value, 1, &options->request_timeout);
        case OPTION_SEND_TIMEOUT:
                return parse_time(name, value, 1, &options->send_timeout);
        case OPTION_ABORT_TIMEOUT:
                return parse_time(name, value, 0, &options->abort_timeout);
        case OPTION_IDLE_TIMEOUT:
                return parse_time(name, value, 1, &options->idle_timeout);
        case OPTION_DRAIN_TIMEOUT:
                return parse_time(name, value, 1, &options->drain_timeout);
        case OPTION_IDLE_EXIT:
                return parse_time(name, value, 0, &options->idle_exit);
        case OPTION_DEBUG:
                options->debug = true;
                return 0;
        case OPTION_HELP:
                print_help();
                return 1;
        case OPTION_VERSION:
                puts("fcgi-bridge " VERSION);
                return 1;
        default: /* getopt_long(3) has said what is wrong */
                return -EINVAL;
        }
}

int options_parse(int argc, char **argv, struct options *ret_options)
{
        struct options options = defaults;
        int option, index = 0, r;

        while ((option = getopt_long(argc, argv, "", long_options, &index)) >= 0) {
                r = parse_option(option, long_options[index].name, optarg, &options);
                if (r != 0)
                        return r;
        }
        if (optind < argc) {
                fprintf(stderr, "fcgi-bridge: unexpected argument '%s'\n", argv[optind]);
                return -EINVAL;
        }
        *ret_options = options;
        return 0;
}
