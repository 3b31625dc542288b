/* SPDX-License-Identifier: Apache-2.0 */
/* links: compiler/settings.c compiler/ini-file.c compiler/line.c compiler/value.c compiler/diagnostics.c */
/* libs: -linih */

/* sandboxd.conf: what each key takes, and what goes together. The file is in memory, in place of compiler/source.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "compiler/compile.h"
#include "compiler/source.h"

static char text[1024];
static char complaints[4096];
static bool selinux;

FILE *source_open(const char *path)
{
        (void)path;
        return fmemopen(text, strlen(text), "r");
}

int is_selinux_enabled(void)
{
        return selinux;
}

/* Below a folder that is none, access(2) does not say that there is no file. Reads the lines of [Sandboxd]; returns
 * whether there was no complaint. What was said is in `complaints`. */
static bool read_settings(const char *lines, struct index_header *ret_header)
{
        struct compile compile = {.directory = "/dev/null", .reserved = {990, 3000000}, .n_reserved = 2};
        const unsigned before = diagnose_errors();
        FILE *real = stderr;

        snprintf(text, sizeof(text), "[Sandboxd]\n%s\n", lines);
        memset(complaints, 0, sizeof(complaints));
        stderr = fmemopen(complaints, sizeof(complaints) - 1, "w");
        compile_main_file(&compile);
        fclose(stderr);
        stderr = real;
        *ret_header = compile.header;
        return diagnose_errors() == before;
}

static void test_defaults(void **state)
{
        struct index_header header;

        (void)state;
        assert_true(read_settings("", &header));
        assert_int_equal(header.min_uid, 1000);
        assert_int_equal(header.min_gid, 1000);
        assert_int_equal(header.max_connections, 256);
        assert_int_equal(header.require_shell, 0);
        assert_int_equal(header.dynamic_first, 0);
        assert_int_equal(header.dynamic_last, 0);
        assert_int_equal(header.category_first, 0);
        assert_int_equal(header.category_last, 1023);
        assert_int_equal(header.name_timeout, 5000000);
        assert_int_equal(header.name_ttl, 60000000);
        assert_int_equal(header.warm_memory_max, 512 << 20);
        assert_int_equal(header.selinux, INDEX_SELINUX_ABSENT);
        selinux = true;
        assert_true(read_settings("", &header));
        assert_int_equal(header.selinux, INDEX_SELINUX_APPLY);
        selinux = false;
}

static void test_values(void **state)
{
        struct index_header header;

        (void)state;
        assert_true(read_settings("DynamicUID=2000000-2099999\nMCSCategories=c10.c20\nRequireShell=yes\n"
                                  "NameServiceTimeoutSec=100ms\nNameServiceCacheSec=0\nMinUID=2000\nMinGID=3000\n"
                                  "MaxConnections=7\nWarmMemoryMax=64M\nSELinux=off",
                &header));
        assert_int_equal(header.dynamic_first, 2000000);
        assert_int_equal(header.dynamic_last, 2099999);
        assert_int_equal(header.category_first, 10);
        assert_int_equal(header.category_last, 20);
        assert_int_equal(header.require_shell, 1);
        assert_int_equal(header.name_timeout, 100000);
        assert_int_equal(header.name_ttl, 0);
        assert_int_equal(header.min_uid, 2000);
        assert_int_equal(header.min_gid, 3000);
        assert_int_equal(header.max_connections, 7);
        assert_int_equal(header.warm_memory_max, 64 << 20);
        assert_int_equal(header.selinux, INDEX_SELINUX_OFF);
}

static bool is_as_expected(const char *lines, const char *complaint)
{
        struct index_header header;
        bool clean = read_settings(lines, &header);

        if (clean == !complaint && (clean || strstr(complaints, complaint)))
                return true;
        fprintf(stderr, "%s: %s\n", lines, complaints);
        return false;
}

static void test_cases(void **state)
{
        static const struct {
                const char *lines;
                const char *complaint; /* a part of what is said; NULL: nothing is */
        } cases[] = {
                {"DynamicUID=1000-59999", NULL},
                {"DynamicUID=65536-65536", NULL},
                {"DynamicUID=2147483647-2147483647", NULL},
                {"DynamicUID=3000001-3000002", NULL},
                {"DynamicUID=2000000-2147483648", "sandboxd.conf:2: error: DynamicUID=: '2000000-2147483648' is not"},
                {"DynamicUID=2000000", "is not a range LOW-HIGH"},
                {"DynamicUID=", "hint: DynamicUID=2000000-2099999"},
                {"DynamicUID=-", "is not a range LOW-HIGH"},
                {"DynamicUID=2000000-", "is not a range LOW-HIGH"},
                {"DynamicUID=0-2000000", "is not a range LOW-HIGH"},
                {"DynamicUID=2000001-2000000", "is not a range LOW-HIGH"},
                {"DynamicUID=2000000-2000001-2000002", "is not a range LOW-HIGH"},
                {"DynamicUID=00000002000000-2000001", "is not a range LOW-HIGH"},
                {"DynamicUID=1000-60000", "has system ids"},
                {"DynamicUID=65535-70000", "has system ids"},
                {"DynamicUID=50000-70000", "has system ids"},
                {"MinUID=500\nMinGID=500\nDynamicUID=500-600", "has system ids"},
                {"DynamicUID=500-600", "500 is below MinUID= or MinGID="},
                {"DynamicUID=2000000-2099999\nMinUID=2000001", "sandboxd.conf:2: error: DynamicUID=: 2000000 is below"},
                {"DynamicUID=2000000-2099999\nMinGID=2000001", "sandboxd.conf:2: error: DynamicUID=: 2000000 is below"},
                {"DynamicUID=2000000-3000000", "3000000, in the range, is one of sandboxd's own accounts"},
                {"MCSCategories=c0.c1023", NULL},
                {"MCSCategories=c5.c6", NULL},
                {"MCSCategories=c0.c1024", "is not a range cLOW.cHIGH"},
                {"MCSCategories=c5.c5", "is not a range cLOW.cHIGH"},
                {"MCSCategories=c6.c5", "is not a range cLOW.cHIGH"},
                {"MCSCategories=0.1023", "is not a range cLOW.cHIGH"},
                {"MCSCategories=c0.1023", "is not a range cLOW.cHIGH"},
                {"MCSCategories=c0,c1023", "is not a range cLOW.cHIGH"},
                {"MCSCategories=c.c", "is not a range cLOW.cHIGH"},
                {"MCSCategories=c0.cc5", "is not a range cLOW.cHIGH"},
                {"MCSCategories=", "is not a range cLOW.cHIGH"},
                {"RequireShell=no", NULL},
                {"RequireShell=perhaps", "'perhaps' is neither yes nor no"},
                {"NameServiceTimeoutSec=60s", NULL},
                {"NameServiceTimeoutSec=99ms", "is not a time span from 100ms to 60s"},
                {"NameServiceTimeoutSec=61", "is not a time span from 100ms to 60s"},
                {"NameServiceTimeoutSec=soon", "is not a time span from 100ms to 60s"},
                {"NameServiceCacheSec=1d", NULL},
                {"NameServiceCacheSec=25h", "is not a time span from 0 to 1d"},
                {"MaxConnections=0", "'0' is not a number from 1 to 65536"},
                {"MaxConnections=65537", "'65537' is not a number from 1 to 65536"},
                {"MinUID=0", "MinUID=: '0' is not a number from 1 to 4294967294"},
                {"MinGID=4294967295", "MinGID=: '4294967295' is not a number from 1 to 4294967294"},
                {"WarmMemoryMax=infinity", NULL},
                {"WarmMemoryMax=0", "hint: where nothing is to be warm, write Warm=no into the services"},
                {"WarmMemoryMax=half", "WarmMemoryMax=: 'half' is not a size such as 512M"},
                {"WarmMemoryMax=", "is not a size"},
                {"SELinux=auto", NULL},
                {"SELinux=require", "this kernel runs no SELinux"},
                {"SELinux=perhaps", "is none of auto, require, off"},
                {"DynamicUIDs=1-2", "unknown key 'DynamicUIDs'\n    hint: DynamicUID"},
                {"[Other]\nMinUID=5", "unknown section [Other]"},
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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_cases),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
