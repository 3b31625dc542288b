/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sandboxd-compile --config=DIR --output-fd=N [--controllers=LIST] [--reserved=ID,ID,…]
 *
 * Reads the configuration and writes the index into the memfd N, which it seals. Started by sandboxd, as the
 * account sandboxd-config, and by sandboxctl. Complaints go to stderr as file:line: error: …; with any
 * complaint there is no index and the exit status is 1.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <selinux/selinux.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "compiler/compile.h"
#include "compiler/ini-file.h"
#include "compiler/source.h"
#include "compiler/value.h"
#include "sandboxd/identity.h"

enum { RESERVED_MAX = 16 };

struct options {
        int output;
        uint32_t reserved[RESERVED_MAX];
        size_t n_reserved;
};

static void read_id(uint32_t *id, const char *key, const char *value, struct position position)
{
        uint64_t number;

        if (value_number(value, UINT32_MAX - 1, &number) < 0 || number == 0)
                diagnose(position, NULL, "%s=: '%s' is not an id from 1 to %u", key, value, UINT32_MAX - 1);
        else
                *id = (uint32_t)number;
}

static enum index_selinux automatic(const struct compile *compile)
{
        return compile->selinux_enabled ? INDEX_SELINUX_APPLY : INDEX_SELINUX_ABSENT;
}

static void read_selinux(struct compile *compile, const char *value, struct position position)
{
        if (strcmp(value, "off") == 0)
                compile->header.selinux = INDEX_SELINUX_OFF;
        else if (strcmp(value, "require") == 0 && compile->selinux_enabled)
                compile->header.selinux = INDEX_SELINUX_REQUIRE;
        else if (strcmp(value, "require") == 0)
                diagnose(position, "boot with SELinux, or write SELinux=auto",
                        "SELinux=require, and this kernel runs no SELinux");
        else if (strcmp(value, "auto") == 0)
                compile->header.selinux = automatic(compile);
        else
                diagnose(position, NULL, "SELinux=: '%s' is none of auto, require, off", value);
}

static void assign_main(
        void *context, const char *section, const char *key, const char *value, struct position position)
{
        static const char *const keys[] = {"MaxConnections", "MinUID", "MinGID", "SELinux"};
        struct compile *compile = context;
        uint64_t number;

        if (strcmp(section, "Sandboxd") != 0)
                diagnose(position, "keys stand in [Sandboxd]", "unknown section [%s]", section);
        else if (strcmp(key, "MinUID") == 0)
                read_id(&compile->header.min_uid, key, value, position);
        else if (strcmp(key, "MinGID") == 0)
                read_id(&compile->header.min_gid, key, value, position);
        else if (strcmp(key, "SELinux") == 0)
                read_selinux(compile, value, position);
        else if (strcmp(key, "MaxConnections") != 0)
                diagnose(position, nearest_word(key, keys, ELEMENTS(keys)), "unknown key '%s'", key);
        else if (value_number(value, 65536, &number) < 0 || number == 0)
                diagnose(position, NULL, "MaxConnections=: '%s' is not a number from 1 to 65536", value);
        else
                compile->header.max_connections = (uint32_t)number;
}

void compile_main_file(struct compile *compile)
{
        char path[PATH_MAX];

        compile->selinux_enabled = is_selinux_enabled() > 0;
        compile->header = (struct index_header){
                .min_uid = 1000,
                .min_gid = 1000,
                .max_connections = 256,
                .selinux = automatic(compile),
        };
        snprintf(path, sizeof(path), "%s/sandboxd.conf", compile->directory);
        if (access(path, F_OK) == 0 || errno != ENOENT)
                ini_file_read(path, assign_main, compile);
}

/* The same block of refusals that the broker applies to each request; here it can still name the line. */
static void check_identities(const struct index *index, const struct options *options)
{
        for (size_t i = 0; i < index->header->rules.count; i++) {
                const struct index_rule *rule = &index_rules(index)[i];
                const char *reason = rule->action == INDEX_BECOME
                                             ? identity_refusal(index, rule, options->reserved, options->n_reserved)
                                             : NULL;

                if (reason)
                        diagnose((struct position){index_text(index, rule->source), rule->line},
                                "choose another identity, or take the account out of that group",
                                "%u:%u cannot be an identity: %s", rule->uid, rule->gid, reason);
        }
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
        return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0 ? -errno : 0;
}

static int parse_reserved(struct options *options, char *list)
{
        for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
                uint64_t id;

                if (options->n_reserved == RESERVED_MAX || value_number(word, UINT32_MAX, &id) < 0)
                        return -EINVAL;
                options->reserved[options->n_reserved++] = (uint32_t)id;
        }
        return 0;
}

static int parse_options(int argc, char **argv, struct compile *compile, struct options *options)
{
        static const struct option long_options[] = {
                {"config", required_argument, NULL, 'c'},
                {"output-fd", required_argument, NULL, 'o'},
                {"controllers", required_argument, NULL, 'g'},
                {"reserved", required_argument, NULL, 'r'},
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
                else if (option != 'r' || parse_reserved(options, optarg) < 0)
                        return -EINVAL;
        }
        return optind == argc && compile->directory && options->output >= 0 ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
        static struct compile compile = {.controllers = ""};
        struct options options = {.output = -1};
        struct index index;
        int r;

        if (parse_options(argc, argv, &compile, &options) < 0) {
                fprintf(stderr, "usage: %s --config=DIR --output-fd=N [--controllers=LIST] [--reserved=ID,…]\n",
                        argv[0]);
                return EXIT_FAILURE;
        }
        if (!source_check_directory(compile.directory))
                return EXIT_FAILURE;
        builder_init(&compile.builder);
        compile_main_file(&compile);
        compile_services(&compile);
        compile_maps(&compile);
        compile_check_contexts(&compile);
        index = builder_finish(&compile.builder, compile.header);
        check_identities(&index, &options);
        if (diagnose_errors() > 0)
                return EXIT_FAILURE;
        r = write_index(&index, options.output);
        if (r < 0) {
                fprintf(stderr, "sandboxd-compile: writing the index: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
