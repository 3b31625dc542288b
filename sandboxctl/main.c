/* SPDX-License-Identifier: Apache-2.0 */

/* sandboxctl: check the configuration, explain a decision, run a command in a service's jail. See
 * sandboxctl(1). */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sandboxctl/sandboxctl.h"

#include "paths.h"

static void usage(FILE *stream)
{
        fputs("usage: sandboxctl check   [--config=DIR]\n"
              "       sandboxctl explain [--config=DIR] --service=NAME [--user=USER] [--address=ADDRESS] "
              "[--host=HOST]\n"
              "       sandboxctl run     [--config=DIR] --service=NAME [--user=USER] [--address=ADDRESS] "
              "[--host=HOST] -- COMMAND…\n"
              "\n"
              "  check    reads the whole configuration and says what is wrong, as file:line: error: …\n"
              "  explain  says which rule decides about such a request, who would run it, and how confined\n"
              "  run      runs COMMAND as such a request would be run, from this terminal; as root only\n"
              "\n"
              "  --config=DIR       sandboxd.conf, services.d/ and maps/ (default " CONFIG_DIR ")\n"
              "  --libexec-dir=DIR  sandboxd's helper programs (default " LIBEXEC_DIR ")\n"
              "  --help, --version\n",
                stream);
}

/* What limits could be enforced with here: the controllers of the hierarchy's root. */
static void find_controllers(char *ret_controllers, size_t size)
{
        static const char *const files[] = {
                "/sys/fs/cgroup/cgroup.controllers",
                "/sys/fs/cgroup/unified/cgroup.controllers",
        };

        ret_controllers[0] = '\0';
        for (size_t i = 0; i < ELEMENTS(files); i++) {
                _cleanup_fclose_ FILE *stream = fopen(files[i], "re");

                if (!stream)
                        continue;
                if (!fgets(ret_controllers, (int)size, stream))
                        ret_controllers[0] = '\0';
                ret_controllers[strcspn(ret_controllers, "\n")] = '\0';
                return;
        }
}

int control_load(const struct options *options, struct accounts *ret_accounts, struct index *ret_index)
{
        char controllers[256];
        const char *missing = NULL;
        struct load load;
        int r = accounts_find(ret_accounts, &missing);

        if (r < 0) {
                fprintf(stderr, "sandboxctl: there is no account %s: run systemd-sysusers\n", missing);
                return r;
        }
        find_controllers(controllers, sizeof(controllers));
        r = load_start(options->libexec, options->config, controllers, ret_accounts, &load);
        if (r == 0)
                r = load_finish(&load, ret_index);
        if (r < 0 && r != -EINVAL)
                fprintf(stderr, "sandboxctl: %s/sandboxd-compile: %s%s\n", options->libexec, strerror(-r),
                        r == -EACCES ? "; under SELinux see SELINUX in sandboxctl(1)" : "");
        return r;
}

const struct index_service *control_find_service(const struct index *index, const char *name)
{
        const struct index_service *services = index_services(index);

        for (size_t i = 0; i < index->header->services.count; i++)
                if (strcmp(index_text(index, services[i].name), name) == 0)
                        return &services[i];
        fprintf(stderr, "sandboxctl: there is no service '%s'; there are:", name);
        for (size_t i = 0; i < index->header->services.count; i++)
                fprintf(stderr, " %s", index_text(index, services[i].name));
        fputc('\n', stderr);
        return NULL;
}

int control_check(const struct options *options)
{
        struct accounts accounts;
        struct index index;

        if (control_load(options, &accounts, &index) != 0) {
                fprintf(stderr, "sandboxctl: the configuration in %s is refused\n", options->config);
                return EXIT_FAILURE;
        }
        printf("%s: %u services, %u identity rules, no errors\n", options->config, index.header->services.count,
                index.header->rules.count);
        if (index.header->contexts_unused > 0)
                printf("note: %u contexts would not be applied: this kernel runs no SELinux, or "
                       "SELinux=off\n",
                        index.header->contexts_unused);
        index_close(&index);
        return EXIT_SUCCESS;
}

static int parse_options(int argc, char **argv, struct options *options)
{
        static const struct option long_options[] = {
                {"config", required_argument, NULL, 'c'},
                {"libexec-dir", required_argument, NULL, 'l'},
                {"service", required_argument, NULL, 's'},
                {"user", required_argument, NULL, 'u'},
                {"address", required_argument, NULL, 'a'},
                {"host", required_argument, NULL, 'o'},
                {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'v'},
                {0},
        };
        int option;

        while ((option = getopt_long(argc, argv, "+", long_options, NULL)) >= 0) {
                switch (option) {
                case 'c':
                        options->config = optarg;
                        break;
                case 'l':
                        options->libexec = optarg;
                        break;
                case 's':
                        options->service = optarg;
                        break;
                case 'u':
                        options->user = optarg;
                        break;
                case 'a':
                        options->address = optarg;
                        break;
                case 'o':
                        options->host = optarg;
                        break;
                case 'h':
                        usage(stdout);
                        exit(EXIT_SUCCESS);
                case 'v':
                        puts("sandboxctl " VERSION);
                        exit(EXIT_SUCCESS);
                default:
                        return -EINVAL;
                }
        }
        return optind;
}

static const struct verb {
        const char *name;
        int (*run)(const struct options *options);
        bool needs_service;
        bool takes_command;
} verbs[] = {
        {"check", control_check, false, false},
        {"explain", control_explain, true, false},
        {"run", control_run, true, true},
};

static const struct verb *find_verb(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(verbs); i++)
                if (strcmp(verbs[i].name, name) == 0)
                        return &verbs[i];
        return NULL;
}

int main(int argc, char **argv)
{
        struct options options = {.config = CONFIG_DIR, .libexec = LIBEXEC_DIR, .user = "", .address = "", .host = ""};
        const struct verb *verb = NULL;
        int next = parse_options(argc, argv, &options);

        if (next > 0 && next < argc)
                verb = find_verb(argv[next]);
        if (verb) {
                int offset = next;

                next = parse_options(argc - offset, argv + (optind = 1, offset), &options);
                next = next < 0 ? next : next + offset;
        }
        if (!verb || next < 0 || (verb->needs_service && !options.service) || (verb->takes_command != (next < argc))) {
                usage(stderr);
                return 2;
        }
        options.command = argv + next;
        return verb->run(&options);
}
