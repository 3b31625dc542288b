/* SPDX-License-Identifier: Apache-2.0 */
/* links: compiler/service.c compiler/ini-file.c compiler/filter.c compiler/front-door.c compiler/name-service.c */
/* links: compiler/service-keys.c compiler/service-values.c compiler/service-lists.c compiler/service-warm.c */
/* links: compiler/filter-deny.c compiler/filter-last.c compiler/filter-lines.c compiler/filter-program.c */
/* links: compiler/filter-warm.c */
/* links: compiler/syscalls.c common/landlock.c compiler/line.c compiler/value.c compiler/builder.c compiler/memory.c */
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

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "compiler/compile.h"
#include "compiler/source.h"

static char text[1024];
static char complaints[4096];
static char program[1024]; /* the words of ExecStart= as compiled, with a blank after each */

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

static void join(const struct builder *builder, struct index_span words)
{
        const index_string *strings = (const void *)(builder->data + words.offset);

        program[0] = '\0';
        for (size_t i = 0; i < words.count; i++) {
                strcat(program, builder_text(builder, strings[i]));
                strcat(program, " ");
        }
}

/* Compiles `lines` with what every service needs. Returns whether there was no complaint; what was said is in
 * `complaints`. */
static bool compile(const char *controllers, const char *lines, struct index_service *ret_service)
{
        struct compile compile = {.directory = "/etc/sandboxd", .controllers = controllers};
        const unsigned before = diagnose_errors();
        FILE *real = stderr;
        bool clean;

        snprintf(text, sizeof(text), "[Service]\nFrontDoor=127.0.0.1:9000\nExecStart=/bin/a\nRootDirectory=/srv\n%s\n",
                lines);
        builder_init(&compile.builder);
        memset(complaints, 0, sizeof(complaints));
        stderr = fmemopen(complaints, sizeof(complaints) - 1, "w");
        compile_services(&compile);
        fclose(stderr);
        stderr = real;
        clean = diagnose_errors() == before;
        assert_int_equal(compile.builder.services.count, clean);
        if (clean) {
                memcpy(ret_service, compile.builder.services.items, sizeof(*ret_service));
                join(&compile.builder, ret_service->argv);
        }
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
                {"pids", "TasksMax=3", true}, /* zygote, keeper of the namespace, application */
                {"pids", "TasksMax=2", false},
                {"pids", "RequestTasksMax=2", true},
                {"pids", "RequestTasksMax=1", false},
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

#define WSGI "Type=wsgi\nWarm=yes\n"

static void test_warm_defaults(void **state)
{
        struct index_service service;

        (void)state;
        assert_true(compile("", "", &service));
        assert_int_equal(service.type, INDEX_TYPE_CGI);
        assert_int_equal(service.flags & (INDEX_WARM | INDEX_RUNNER | INDEX_TMP_SHARED), 0);
        assert_int_equal(service.warm_spare, 2);
        assert_int_equal(service.warm_children_max, 0);
        assert_int_equal(service.warm_idle, 600000000);
        assert_int_equal(service.warm_up.count, 0);
        assert_int_equal(service.filter_warm.count, 0);
}

static void test_warm_values(void **state)
{
        struct index_service service;

        (void)state;
        assert_true(compile("",
                "Type=fastcgi\nWarm=yes\nWarmSpare=7\nWarmChildrenMax=9\nWarmUpRequest=/ "
                "/a.php?x=%20\nWarmUpRequest=/b\n"
                "WarmWatch=/srv/wiki \"/etc/php ini\"\nWarmIdleSec=1min\nPrivateTmp=identity",
                &service));
        assert_int_equal(service.type, INDEX_TYPE_FASTCGI);
        assert_int_equal(service.flags & (INDEX_WARM | INDEX_RUNNER), INDEX_WARM | INDEX_RUNNER);
        assert_int_equal(service.flags & (INDEX_PRIVATE_TMP | INDEX_TMP_SHARED), INDEX_PRIVATE_TMP | INDEX_TMP_SHARED);
        assert_int_equal(service.warm_spare, 7);
        assert_int_equal(service.warm_children_max, 9);
        assert_int_equal(service.warm_up.count, 3);
        assert_int_equal(service.warm_watch.count, 2);
        assert_int_equal(service.warm_idle, 60000000);
        assert_true(service.filter_warm.count > 0);
        assert_string_equal(program, "/bin/a ");
        /* What stands further down counts, and an empty value resets. */
        assert_true(compile("", "Type=fastcgi\nWarm=yes\nWarmUpRequest=/a\nWarmUpRequest=\nWarm=no", &service));
        assert_int_equal(service.warm_up.count, 0);
        assert_int_equal(service.flags & (INDEX_WARM | INDEX_RUNNER), 0);
        assert_true(compile("", "PrivateTmp=identity\nPrivateTmp=yes", &service));
        assert_int_equal(service.flags & (INDEX_PRIVATE_TMP | INDEX_TMP_SHARED), INDEX_PRIVATE_TMP);
        assert_true(compile("", "PrivateTmp=identity\nPrivateTmp=no", &service));
        assert_int_equal(service.flags & (INDEX_PRIVATE_TMP | INDEX_TMP_SHARED), 0);
}

/* The runner stands between the interpreter with its options and the file, also where the service is not warm. */
static void test_runner(void **state)
{
        static const struct {
                const char *lines, *program;
        } cases[] = {
                {"Type=wsgi\nExecStart=/usr/bin/python3 /srv/a.py",
                        "/usr/bin/python3 /dev/sandboxd/sandboxd-runner.py wsgi /srv/a.py application "},
                {WSGI "ExecStart=/usr/bin/python3 -I -Xutf8 /srv/a.py app",
                        "/usr/bin/python3 -I -Xutf8 /dev/sandboxd/sandboxd-runner.py wsgi /srv/a.py app "},
                {"Type=python\nExecStart=/usr/bin/python3 /srv/a.py",
                        "/usr/bin/python3 /dev/sandboxd/sandboxd-runner.py python /srv/a.py "},
                {"Type=python\nExecStart=/usr/bin/python3 /srv/a.py -v \"b c\"",
                        "/usr/bin/python3 /dev/sandboxd/sandboxd-runner.py python /srv/a.py -v b c "},
                {"Type=python\nWarm=yes\nExecStart=/usr/bin/python3\nScriptDirectory=/srv/cgi",
                        "/usr/bin/python3 /dev/sandboxd/sandboxd-runner.py python "},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct index_service service;

                assert_true(compile("", cases[i].lines, &service));
                assert_string_equal(program, cases[i].program);
                assert_true(service.flags & INDEX_RUNNER);
        }
}

static bool is_as_expected(const char *lines, const char *complaint)
{
        struct index_service service;
        bool clean = compile("", lines, &service);

        if (clean == !complaint && (clean || strstr(complaints, complaint)))
                return true;
        fprintf(stderr, "%s: %s\n", lines, complaints);
        return false;
}

static void test_warm_complaints(void **state)
{
        static const struct {
                const char *lines;
                const char *complaint; /* a part of what is said; NULL: nothing is */
        } cases[] = {
                {"Type=cgi", NULL},
                {"Type=", "wiki.service:5: error: Type=: '' is none of cgi, fastcgi, wsgi, python"},
                {"Type=fcgi", "hint: cgi"},
                {"Type=fastcgi", NULL},
                {"Type=fastcgi\nExecStart=\nScriptDirectory=/srv", "need ExecStart="},
                {"Type=fastcgi\nExecStart=\nScriptDirectory=/srv\nWarm=yes", "need ExecStart="},
                {"Warm=yes", "wiki.service:5: error: Warm=: a CGI program ends with its request"},
                {"Warm=perhaps", "is neither yes nor no"},
                {"Type=fastcgi\nWarm=yes\nPrivateTmp=yes", "wiki.service:6: error: Warm=: with PrivateTmp=yes"},
                {"Type=fastcgi\nWarm=yes\nPrivateTmp=yes", "hint: PrivateTmp=identity gives"},
                {"Type=fastcgi\nWarm=yes\nPrivateTmp=no", NULL},
                {"PrivateTmp=identity", "the service is not warm"},
                {"PrivateTmp=perhaps", "PrivateTmp=: 'perhaps' is none of yes, no, identity"},
                {"Type=fastcgi\nWarm=yes\nSystemCallFilter=@system-service", "leave IPC objects behind"},
                {"Type=fastcgi\nWarm=yes\nSystemCallFilter=@system-service\n"
                 "SystemCallFilter=~shmget semget msgget mq_open",
                        NULL},
                {"Type=fastcgi\nWarm=yes\nSystemCallFilter=~@resources", NULL},
                {"Type=fastcgi\nSystemCallFilter=@system-service", NULL},
                {"Type=fastcgi\nWarm=yes\nEnvironment=LD_PRELOAD=/lib/x.so", "Environment= sets LD_PRELOAD"},
                {"Type=fastcgi\nEnvironment=LD_PRELOAD=/lib/x.so", NULL},
                {"Environment=SANDBOXD_WARM=1", "is not for a service to set"},
                {"WarmSpare=0", "WarmSpare=: '0' is not a number from 1 to 256"},
                {"WarmSpare=257", "WarmSpare=: '257' is not a number from 1 to 256"},
                {"WarmSpare=256", NULL},
                {"WarmChildrenMax=0", "WarmChildrenMax=: '0' is not a number from 1 to 256"},
                {"WarmChildrenMax=257", "WarmChildrenMax=: '257' is not a number from 1 to 256"},
                {"WarmChildrenMax=256", NULL},
                {"Type=fastcgi\nWarm=yes\nWarmChildrenMax=1",
                        "WarmSpare=2 children ahead are more than WarmChildrenMax=1"},
                {"Type=fastcgi\nWarm=yes\nWarmChildrenMax=1", "hint: WarmSpare= is a part of WarmChildrenMax="},
                {"Type=fastcgi\nWarm=yes\nWarmChildrenMax=1\nWarmSpare=1", NULL},
                {"WarmUpRequest=index.php", "'index.php' is not a path with a query"},
                {"WarmUpRequest=http://localhost/", "is not a path with a query"},
                {"WarmUpRequest=\"/a b\"", "hint: write /path?query, and other characters as %XX"},
                {"WarmUpRequest=/a\\nb", "is not a path with a query"},
                {"WarmUpRequest=/\303\274", "is not a path with a query"},
                {"WarmUpRequest=/\177", "is not a path with a query"},
                {"WarmUpRequest=/~a?b=c&d=%20", NULL},
                {"WarmUpRequest=/1 /2 /3 /4\nWarmUpRequest=/5 /6 /7 /8", NULL},
                {"WarmUpRequest=/1 /2 /3 /4 /5 /6 /7 /8 /9", "WarmUpRequest=: more than 8 requests"},
                {"WarmWatch=srv", "'srv' is not an absolute path"},
                {"WarmWatch=/srv/..", "is not an absolute path"},
                {"WarmWatch=/srv\\n/etc", "is not an absolute path"},
                {"WarmIdleSec=999ms", "is not a time span from 1s to 1d"},
                {"WarmIdleSec=1s", NULL},
                {"WarmIdleSec=1d", NULL},
                {"WarmIdleSec=25h", "is not a time span from 1s to 1d"},
                {"WarmIdle=1", "hint: the nearest known key is Warm"},
                {"Type=wsgi\nExecStart=/usr/bin/python3", "wiki.service:6: error: ExecStart=: Type=wsgi needs a file"},
                {"Type=wsgi\nExecStart=/usr/bin/python3\nScriptDirectory=/srv", "Type=wsgi needs a file to run"},
                {"Type=wsgi\nExecStart=/usr/bin/python3 a.py", "'a.py' is not an absolute path"},
                {"Type=wsgi\nExecStart=/usr/bin/python3 /a.py b.c", "'b.c' is not a name in Python"},
                {"Type=wsgi\nExecStart=/usr/bin/python3 /a.py b c", NULL},
                {"Type=python\nExecStart=/usr/bin/python3", "Type=python needs a file to run"},
                {"Type=python\nExecStart=/usr/bin/python3 -m wiki", "'wiki' is not an absolute path"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int status;

                fflush(NULL);
                if (fork() == 0) /* a process of its own, for complaints are counted, and not all are written */
                        _exit(is_as_expected(cases[i].lines, cases[i].complaint) ? 0 : 1);
                assert_true(wait(&status) > 0);
                if (status != 0)
                        fail_msg("%s", cases[i].lines);
        }
}

/* A warning is no error: it would do for fewer requests at once. */
static void test_warm_descriptors(void **state)
{
        struct index_service service;

        (void)state;
        assert_true(compile("", "Type=fastcgi\nWarm=yes\nLimitNOFILE=64", &service));
        assert_non_null(strstr(complaints, "LimitNOFILE= leaves no room"));
        assert_true(compile("", "Type=fastcgi\nWarm=yes", &service));
        assert_string_equal(complaints, "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_controllers),
                cmocka_unit_test(test_infinity),
                cmocka_unit_test(test_cpu_limit),
                cmocka_unit_test(test_warm_defaults),
                cmocka_unit_test(test_warm_values),
                cmocka_unit_test(test_runner),
                cmocka_unit_test(test_warm_complaints),
                cmocka_unit_test(test_warm_descriptors),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
