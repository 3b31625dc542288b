/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "sandboxctl/sandboxctl.h"

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

int control_load(const struct options *options, struct configuration *ret_configuration)
{
        struct configuration configuration;
        char controllers[256];
        const char *missing = NULL;
        struct load load;
        int r = accounts_find(&configuration.accounts, &missing);

        if (r < 0) {
                fprintf(stderr, "sandboxctl: there is no account %s, or it is root's: run systemd-sysusers\n", missing);
                return r;
        }
        find_controllers(controllers, sizeof(controllers));
        r = load_start(options->libexec, options->config, controllers, &configuration.accounts, false, &load);
        if (r == 0)
                r = load_finish(&load, &configuration.index, &configuration.map);
        if (r < 0 && r != -EINVAL)
                fprintf(stderr, "sandboxctl: %s/sandboxd-compile: %s%s\n", options->libexec, strerror(-r),
                        r == -EACCES ? "; under SELinux see SELINUX in sandboxctl(1)" : "");
        if (r == 0)
                *ret_configuration = configuration;
        return r;
}

void control_unload(struct configuration *configuration)
{
        map_close(&configuration->map);
        index_close(&configuration->index);
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
        struct configuration configuration;

        if (control_load(options, &configuration) != 0) {
                fprintf(stderr, "sandboxctl: the configuration in %s is refused\n", options->config);
                return EXIT_FAILURE;
        }
        printf("%s: %u services, %u identity rules, no errors\n", options->config,
                configuration.index.header->services.count, map_count(&configuration.map));
        if (configuration.index.header->contexts_unused > 0)
                printf("note: %u contexts would not be applied: this kernel runs no SELinux, or "
                       "SELinux=off\n",
                        configuration.index.header->contexts_unused);
        control_unload(&configuration);
        return EXIT_SUCCESS;
}
