/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "sandboxctl/sandboxctl.h"

#include "paths.h"

void options_usage(FILE *stream)
{
        fputs("usage: sandboxctl check       [--config=DIR]\n"
              "       sandboxctl explain     [--config=DIR] REQUEST\n"
              "       sandboxctl run         [--config=DIR] REQUEST -- COMMAND…\n"
              "       sandboxctl map check   [--config=DIR]\n"
              "       sandboxctl map explain [--config=DIR] [--all] REQUEST\n"
              "       sandboxctl map explain [--config=DIR] [--all] --request=ID [--log=FILE]\n"
              "       sandboxctl map list    [--config=DIR] [--service=NAME]\n"
              "       sandboxctl map import  --from=mod_selinux --identity=IDENTITY [--service=NAME] [--host=HOST] "
              "FILE\n"
              "       sandboxctl map who     [--state-dir=DIR] [UID|NAME]\n"
              "\n"
              "  REQUEST: --service=NAME [--user=USER] [--address=ADDRESS] [--host=HOST] [--variable=NAME=VALUE …]\n"
              "\n"
              "  check        reads the whole configuration and says what is wrong, as file:line: error: …\n"
              "  explain      says which rule decides about such a request, who would run it, and how confined\n"
              "  run          runs COMMAND as such a request would be run, from this terminal; as root only\n"
              "  map explain  says of each rule why it decides or does not, for such a request or for one in the log\n"
              "  map list     prints all rules\n"
              "  map import   turns another system's map into one of sandboxd's\n"
              "  map who      says who has which uid and categories of those that are allotted\n"
              "\n"
              "  --config=DIR       sandboxd.conf, services.d/ and maps/ (default " CONFIG_DIR ")\n"
              "  --libexec-dir=DIR  sandboxd's helper programs (default " LIBEXEC_DIR ")\n"
              "  --state-dir=DIR    what is allotted (default " STATE_DIR ")\n"
              "  --help, --version\n",
                stream);
}

/* NAME=VALUE: which variable a rule can ask for is the compiler's matter. */
static int add_variable(struct options *options, char *text)
{
        char *equals = strchr(text, '=');

        if (!equals || equals == text || options->n_variables == ELEMENTS(options->variables)) {
                fprintf(stderr, "sandboxctl: --variable=%s: write NAME=VALUE, at most %zu times\n", text,
                        ELEMENTS(options->variables));
                return -EINVAL;
        }
        *equals = '\0';
        options->variables[options->n_variables++] = (struct map_condition){text, equals + 1};
        return 0;
}

static int take_option(struct options *options, int option)
{
        const char **const texts[] = {
                ['c'] = &options->config,
                ['l'] = &options->libexec,
                ['d'] = &options->state,
                ['s'] = &options->service,
                ['u'] = &options->user,
                ['a'] = &options->address,
                ['o'] = &options->host,
                ['r'] = &options->request,
                ['g'] = &options->log,
                ['f'] = &options->from,
                ['i'] = &options->identity,
        };

        switch (option) {
        case 'e':
                return add_variable(options, optarg);
        case 'A':
                options->all = true;
                return 0;
        case 'h':
                options_usage(stdout);
                exit(EXIT_SUCCESS);
        case 'v':
                puts("sandboxctl " VERSION);
                exit(EXIT_SUCCESS);
        default:
                if (option == '?')
                        return -EINVAL;
                *texts[option] = optarg;
                return 0;
        }
}

int options_parse(int argc, char **argv, struct options *options)
{
        static const struct option long_options[] = {
                {"config", required_argument, NULL, 'c'},
                {"libexec-dir", required_argument, NULL, 'l'},
                {"state-dir", required_argument, NULL, 'd'},
                {"service", required_argument, NULL, 's'},
                {"user", required_argument, NULL, 'u'},
                {"address", required_argument, NULL, 'a'},
                {"host", required_argument, NULL, 'o'},
                {"variable", required_argument, NULL, 'e'},
                {"request", required_argument, NULL, 'r'},
                {"log", required_argument, NULL, 'g'},
                {"all", no_argument, NULL, 'A'},
                {"from", required_argument, NULL, 'f'},
                {"identity", required_argument, NULL, 'i'},
                {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'v'},
                {0},
        };
        int option, r = 0;

        optind = 1;
        while (r == 0 && (option = getopt_long(argc, argv, "+", long_options, NULL)) >= 0)
                r = take_option(options, option);
        return r < 0 ? r : optind;
}

void options_query(const struct options *options, struct map_query *ret_query)
{
        *ret_query = (struct map_query){
                .service = options->service,
                .user = options->user,
                .address = options->address,
                .host = options->host,
                .variables = options->variables,
                .n_variables = options->n_variables,
        };
}
