/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/resource.h>

#include "common/cleanup.h"
#include "common/warm.h"
#include "compiler/service-key.h"

/* The keys of [Service], each with what reads it. */

static void read_filter(struct draft *draft, const char *value)
{
        filter_line(&draft->filter, value, draft->position);
}

static void read_families(struct draft *draft, const char *value)
{
        filter_families_line(&draft->filter, value, draft->position);
}

static void read_context(struct draft *draft, const char *value)
{
        draft->service.context = *value ? compile_context(draft->compile, value, draft->position) : 0;
}

static void read_capabilities(struct draft *draft, const char *value)
{
        if (*value)
                key_wrong(draft, "leave it empty: an application has no capability, and none can be given", "'%s'",
                        value);
}

static void refuse_identity(struct draft *draft, const char *value)
{
        key_wrong(draft, "write a rule into maps/: who a request becomes depends on who asks", "'%s'", value);
}

#define AT(field) offsetof(struct draft, field)

/* In the order of sandboxd.service-file(5). */
static const struct key keys[] = {
        {"FrontDoor", key_read_doors, 0, 0},
        {"FrontEndUser", key_read_front_end_users, 0, 0},
        {"TrustNetworkFrontEnd", key_read_trusted, 0, 0},
        {"Type", key_read_type, 0, 0},
        {"ExecStart", key_read_exec, 0, 0},
        {"ScriptDirectory", key_read_path, AT(service.script_directory), 0},
        {"WorkingDirectory", key_read_path, AT(service.working_directory), 0},
        {"Warm", key_read_warm, 0, INDEX_WARM},
        {"WarmSpare", key_read_count, AT(service.warm_spare), WARM_SLOTS_MAX},
        {"WarmChildrenMax", key_read_count, AT(service.warm_children_max), WARM_SLOTS_MAX},
        {"WarmUpRequest", key_read_warm_up, 0, 0},
        {"WarmWatch", key_read_warm_watch, 0, 0},
        {"WarmIdleSec", key_read_warm_idle, 0, 0},
        {"RootDirectory", key_read_path, AT(service.root_directory), 0},
        {"BindReadOnlyPaths", key_read_binds, 0, 0},
        {"BindPaths", key_read_binds, 0, INDEX_BIND_WRITABLE},
        {"PrivateTmp", key_read_private_tmp, 0, 0},
        {"TemporarySize", key_read_temporary_size, 0, 0},
        {"PrivateNetwork", key_read_flag, 0, INDEX_PRIVATE_NETWORK},
        {"RestrictAddressFamilies", read_families, 0, 0},
        {"SystemCallFilter", read_filter, 0, 0},
        {"CapabilityBoundingSet", read_capabilities, 0, 0},
        {"SELinuxContext", read_context, 0, 0},
        {"Environment", key_read_environment, 0, 0},
        {"PassEnvironment", key_read_pass_environment, 0, 0},
        {"UMask", key_read_umask, 0, 0},
        {"Nice", key_read_nice, 0, 0},
        {"LimitAS", key_read_limit, 0, RLIMIT_AS},
        {"LimitCORE", key_read_limit, 0, RLIMIT_CORE},
        {"LimitCPU", key_read_limit, 0, RLIMIT_CPU},
        {"LimitDATA", key_read_limit, 0, RLIMIT_DATA},
        {"LimitFSIZE", key_read_limit, 0, RLIMIT_FSIZE},
        {"LimitMEMLOCK", key_read_limit, 0, RLIMIT_MEMLOCK},
        {"LimitNOFILE", key_read_limit, 0, RLIMIT_NOFILE},
        {"LimitNPROC", key_read_limit, 0, RLIMIT_NPROC},
        {"LimitSTACK", key_read_limit, 0, RLIMIT_STACK},
        {"MaxConnections", key_read_count, AT(service.max_connections), 65536},
        {"RuntimeMaxSec", key_read_runtime, 0, 0},
        {"MemoryMax", key_read_memory_max, AT(service.cgroup.memory_max), 0},
        {"TasksMax", key_read_tasks_max, AT(service.cgroup.tasks_max), 3},
        {"CPUWeight", key_read_cpu_weight, AT(service.cgroup.cpu_weight), 0},
        {"RequestMemoryMax", key_read_memory_max, AT(service.request_cgroup.memory_max), 0},
        {"RequestTasksMax", key_read_tasks_max, AT(service.request_cgroup.tasks_max), 2},
        {"RequestCPUWeight", key_read_cpu_weight, AT(service.request_cgroup.cpu_weight), 0},
        {"User", refuse_identity, 0, 0},
        {"Group", refuse_identity, 0, 0},
};

static void unknown_key(const struct draft *draft, const char *name)
{
        const char *names[ELEMENTS(keys)], *nearest;
        char hint[128];

        for (size_t i = 0; i < ELEMENTS(keys); i++)
                names[i] = keys[i].name;
        nearest = nearest_word(name, names, ELEMENTS(names));
        if (nearest)
                snprintf(hint, sizeof(hint), "the nearest known key is %s=", nearest);
        diagnose(draft->position, nearest ? hint : "see sandboxd.service-file(5)", "unknown key '%s'", name);
}

void draft_assign(void *context, const char *section, const char *name, const char *value, struct position position)
{
        struct draft *draft = context;

        draft->position = position;
        if (strcmp(section, "Service") != 0) {
                diagnose(position, "keys stand in [Service]", "unknown section [%s]", section);
                return;
        }
        draft->has_section = true;
        for (size_t i = 0; i < ELEMENTS(keys); i++)
                if (strcmp(keys[i].name, name) == 0) {
                        draft->key = &keys[i];
                        keys[i].read(draft, value);
                        return;
                }
        unknown_key(draft, name);
}
