/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sandboxd-compile --config=DIR --output-fd=N --map-fd=N [--controllers=LIST] [--reserved=ID,ID,…] [--yield]
 *
 * Reads the configuration, writes the index and the identity map into two memfds, and seals them. Started by sandboxd,
 * as the account sandboxd-config, and by sandboxctl. Complaints go to stderr (compiler/diagnostics.h); with any error
 * nothing is sealed and the exit status is 1. With --yield it keeps out of the way of requests (compiler/pace.h).
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/compile.h"
#include "compiler/name-service.h"
#include "compiler/pace.h"
#include "compiler/source.h"
#include "compiler/value.h"

/* Descriptors of the memfds; -1: not given. */
struct options {
        int output;
        int map;
};

static int seal(int fd)
{
        return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0 ? -errno : 0;
}

static int write_index(const struct index *index, int fd)
{
        const char *bytes = (const char *)index->header;
        size_t done = 0;

        while (done < index->size) {
                ssize_t n = write(fd, bytes + done, index->size - done);

                if (n < 0)
                        return -errno;
                done += (size_t)n;
        }
        return seal(fd);
}

static int write_map(struct map_writer *writer, int fd)
{
        int r = map_writer_finish(writer);

        return r < 0 ? r : seal(fd);
}

static int parse_reserved(struct compile *compile, char *list)
{
        for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
                uint64_t id;

                if (compile->n_reserved == COMPILE_RESERVED_MAX || value_number(word, UINT32_MAX, &id) < 0)
                        return -EINVAL;
                compile->reserved[compile->n_reserved++] = (uint32_t)id;
        }
        return 0;
}

static int parse_options(int argc, char **argv, struct compile *compile, struct options *options)
{
        static const struct option long_options[] = {
                {"config", required_argument, NULL, 'c'},
                {"output-fd", required_argument, NULL, 'o'},
                {"map-fd", required_argument, NULL, 'm'},
                {"controllers", required_argument, NULL, 'g'},
                {"reserved", required_argument, NULL, 'r'},
                {"yield", no_argument, NULL, 'y'},
                {0},
        };
        uint64_t fd;
        int option;

        while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
                if (option == 'c')
                        compile->directory = optarg;
                else if (option == 'g')
                        compile->controllers = optarg;
                else if (option == 'o' && value_number(optarg, INT_MAX, &fd) == 0)
                        options->output = (int)fd;
                else if (option == 'm' && value_number(optarg, INT_MAX, &fd) == 0)
                        options->map = (int)fd;
                else if (option == 'y')
                        pace_begin();
                else if (option != 'r' || parse_reserved(compile, optarg) < 0)
                        return -EINVAL;
        }
        return optind == argc && compile->directory && options->output >= 0 && options->map >= 0 ? 0 : -EINVAL;
}

static void compile_all(struct compile *compile)
{
        compile_main_file(compile);
        compile_services(compile);
        compile_maps(compile);
        compile_check_categories(compile);
        compile_forget_contexts(compile);
        name_service_forget();
        diagnose_end();
}

int main(int argc, char **argv)
{
        static struct compile compile = {.controllers = ""};
        struct options options = {.output = -1, .map = -1};
        struct index index;
        int r;

        diagnose_begin();
        if (parse_options(argc, argv, &compile, &options) < 0) {
                fprintf(stderr,
                        "usage: %s --config=DIR --output-fd=N --map-fd=N [--controllers=LIST] [--reserved=ID,…] "
                        "[--yield]\n",
                        argv[0]);
                return EXIT_FAILURE;
        }
        if (!source_check_directory(compile.directory))
                return EXIT_FAILURE;
        builder_init(&compile.builder);
        compile.map = map_writer_new(options.map);
        compile_all(&compile);
        if (diagnose_errors() > 0)
                return EXIT_FAILURE;
        index = builder_finish(&compile.builder, compile.header);
        r = write_index(&index, options.output);
        if (r == 0)
                r = write_map(compile.map, options.map);
        if (r < 0) {
                fprintf(stderr, "sandboxd-compile: writing the configuration: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
