/* SPDX-License-Identifier: Apache-2.0 */
/* links: compiler/service.c compiler/ini-file.c compiler/filter.c compiler/front-door.c compiler/name-service.c */
/* links: compiler/service-keys.c compiler/line.c compiler/value.c compiler/builder.c compiler/memory.c */
/* links: compiler/diagnostics.c compiler/context.c compiler/context-text.c common/identity.c common/network.c */
/* links: common/door.c */
/* libs: -lseccomp -linih -lselinux */

/* Values of a service's file that depend on more than their text. The file is in memory, in place of compiler/source.c.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/resource.h>

#include "common/cleanup.h"
#include "compiler/compile.h"
#include "compiler/source.h"

static char text[1024];

FILE *source_open(const char *path)
{
        (void)path;
        return fmemopen(text, strlen(text), "r");
}

void source_each(
        const char *directory, const char *suffix, void (*visit)(void *context, const char *path), void *context)
{
        (void)directory;
        (void)suffix;
        visit(context, "/etc/sandboxd/services.d/wiki.service");
}

/* Compiles `lines` with what every service needs. Returns whether there was no complaint. */
static bool compile(const char *controllers, const char *lines, struct index_service *ret_service)
{
        struct compile compile = {.directory = "/etc/sandboxd", .controllers = controllers};
        const unsigned before = diagnose_errors();
        FILE *real = stderr;
        bool clean;

        snprintf(text, sizeof(text), "[Service]\nFrontDoor=127.0.0.1:9000\nExecStart=/bin/a\nRootDirectory=/srv\n%s\n",
                lines);
        builder_init(&compile.builder);
        stderr = fopen("/dev/null", "we");
        compile_services(&compile);
        fclose(stderr);
        stderr = real;
        clean = diagnose_errors() == before;
        assert_int_equal(compile.builder.services.count, clean);
        if (clean)
                memcpy(ret_service, compile.builder.services.items, sizeof(*ret_service));
        list_clear(&compile.builder.services);
        free(compile.builder.data);
        return clean;
}

/* A controller is one that the list names, whatever stands before it: the kernel begins with "cpuset cpu". */
static void test_controllers(void **state)
{
        static const struct {
                const char *controllers, *line;
                bool accepted;
        } cases[] = {
                {"cpuset cpu io memory pids", "CPUWeight=100", true},
                {"cpu", "CPUWeight=100", true},
                {"io cpu", "CPUWeight=100", true},
                {"cpuset io memory pids", "CPUWeight=100", false},
                {"", "CPUWeight=100", false},
                {"cpuset cpu io memory pids", "MemoryMax=64M", true},
                {"cpuset cpu io pids", "MemoryMax=64M", false},
                {"memory pids", "TasksMax=10", true},
                {"memory", "TasksMax=10", false},
                {"cpu", "CPUWeight=0", false},
                {"cpu", "CPUWeight=10000", true},
                {"cpu", "CPUWeight=10001", false},
                {"cpu memory pids", "RequestMemoryMax=64M\nRequestTasksMax=10\nRequestCPUWeight=50", true},
                {"cpu pids", "RequestMemoryMax=64M", false},
                {"cpu memory", "RequestTasksMax=10", false},
                {"memory pids", "RequestCPUWeight=50", false},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct index_service service;

                if (compile(cases[i].controllers, cases[i].line, &service) != cases[i].accepted)
                        fail_msg("'%s', %s", cases[i].controllers, cases[i].line);
        }
}

/* The last assignment counts. */
static void test_infinity(void **state)
{
        struct index_service service;

        (void)state;
        assert_true(compile("pids memory", "TasksMax=10", &service));
        assert_true(service.cgroup.tasks_max == 10);
        assert_true(compile("pids memory", "TasksMax=10\nTasksMax=infinity", &service));
        assert_true(service.cgroup.tasks_max == UINT64_MAX);
        assert_true(compile("pids memory", "MemoryMax=1M\nMemoryMax=infinity", &service));
        assert_true(service.cgroup.memory_max == UINT64_MAX);
        assert_true(compile("pids memory", "LimitAS=1M\nLimitAS=infinity", &service));
        assert_true(service.limits[RLIMIT_AS] == UINT64_MAX);
}

static void test_cpu_limit(void **state)
{
        static const struct {
                const char *line;
                uint64_t seconds;
        } cases[] = {
                {"LimitCPU=10", 10},
                {"LimitCPU=1ms", 1},
                {"LimitCPU=1500ms", 2},
                {"LimitCPU=1min", 60},
                {"LimitCPU=0", 0},
                {"LimitCPU=infinity", UINT64_MAX},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct index_service service;

                assert_true(compile("", cases[i].line, &service));
                if (service.limits[RLIMIT_CPU] != cases[i].seconds)
                        fail_msg("%s", cases[i].line);
                assert_true(service.limits_set & UINT64_C(1) << RLIMIT_CPU);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_controllers),
                cmocka_unit_test(test_infinity),
                cmocka_unit_test(test_cpu_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
