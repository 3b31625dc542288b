/* SPDX-License-Identifier: Apache-2.0 */
/* links: compiler/context.c compiler/builder.c compiler/diagnostics.c common/index.c */
/* libs: -lselinux */

/* What is wrong with a context whatever the policy says, and which rules have none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/cleanup.h"
#include "compiler/compile.h"

static const struct position here = {.file = "test.map", .line = 1};

/* Returns the number of complaints that `context` causes. */
static unsigned complaints(struct compile *compile, const char *context, index_string *ret_string)
{
        const unsigned before = diagnose_errors();
        FILE *real = stderr;

        stderr = fopen("/dev/null", "we");
        *ret_string = compile_context(compile, context, here);
        fclose(stderr);
        stderr = real;
        return diagnose_errors() - before;
}

static void test_form(void **state)
{
        static const struct {
                const char *context;
                bool good;
        } cases[] = {
                {"system_u:system_r:user_webapp_t", true},
                {"system_u:system_r:user_webapp_t:s0", true},
                {"system_u:system_r:user_webapp_t:s0:c1,c2", true},
                {"system_u:system_r:user_webapp_t:s0-s0", true},
                {"system_u:system_r:user_webapp_t:s0:c1-s0:c1", true},
                {"system_u:system_r:user_webapp_t:s0-s0:c1", false},
                {"system_u:system_r:user_webapp_t:s0:c1-s0", false},
                {"system_u:system_r:user_webapp_t:s0:c1-s0:c1,c2", false},
                {"system_u:system_r:user_webapp_t:s0-s0:c0.c1023", false},
                {"user_webapp_t", false},
                {"system_r:user_webapp_t", false},
                {"", false},
        };
        struct compile compile = {.directory = "/etc/sandboxd"};
        unsigned good = 0;

        (void)state;
        builder_init(&compile.builder);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                index_string string;
                bool accepted = complaints(&compile, cases[i].context, &string) == 0;

                if (accepted != cases[i].good || accepted != (string != 0))
                        fail_msg("%s", cases[i].context);
                good += accepted;
        }
        assert_int_equal(compile.header.contexts_unused, good);
        free(compile.builder.data);
}

static void test_length(void **state)
{
        char context[INDEX_CONTEXT_MAX + 2];
        struct compile compile = {.directory = "/etc/sandboxd"};
        index_string string;

        (void)state;
        builder_init(&compile.builder);
        memset(context, 'x', sizeof(context));
        memcpy(context, "u:r:", 4);
        context[INDEX_CONTEXT_MAX] = '\0';
        assert_int_equal(complaints(&compile, context, &string), 0);
        context[INDEX_CONTEXT_MAX] = 'x';
        context[INDEX_CONTEXT_MAX + 1] = '\0';
        assert_int_equal(complaints(&compile, context, &string), 1);
        free(compile.builder.data);
}

struct rule {
        const char *service;
        bool denies, has_context;
};

static unsigned missing(enum index_selinux selinux, bool first_has_context, bool second_has_context, struct rule rule)
{
        struct compile compile = {.header.selinux = selinux};
        struct index_service services[2] = {0};
        struct index_rule compiled = {.action = rule.denies ? INDEX_DENY : INDEX_BECOME};
        const unsigned before = diagnose_errors();
        FILE *real = stderr;

        builder_init(&compile.builder);
        services[0].name = builder_string(&compile.builder, "first");
        services[1].name = builder_string(&compile.builder, "second");
        services[0].context = first_has_context ? services[0].name : 0;
        services[1].context = second_has_context ? services[1].name : 0;
        compiled.service = rule.service ? builder_string(&compile.builder, rule.service) : 0;
        compiled.context = rule.has_context ? services[0].name : 0;
        compiled.source = services[0].name;
        list_append(&compile.builder.services, &services[0], sizeof(services[0]));
        list_append(&compile.builder.services, &services[1], sizeof(services[1]));
        list_append(&compile.builder.rules, &compiled, sizeof(compiled));
        stderr = fopen("/dev/null", "we");
        compile_check_contexts(&compile);
        fclose(stderr);
        stderr = real;
        list_clear(&compile.builder.services);
        list_clear(&compile.builder.rules);
        free(compile.builder.data);
        return diagnose_errors() - before;
}

/* Where contexts are applied nobody runs without: a rule has one, or each service that the rule is for. */
static void test_missing(void **state)
{
        (void)state;
        assert_int_equal(missing(INDEX_SELINUX_APPLY, false, false, (struct rule){NULL, false, false}), 1);
        assert_int_equal(missing(INDEX_SELINUX_REQUIRE, false, false, (struct rule){NULL, false, false}), 1);
        assert_int_equal(missing(INDEX_SELINUX_OFF, false, false, (struct rule){NULL, false, false}), 0);
        assert_int_equal(missing(INDEX_SELINUX_APPLY, false, false, (struct rule){NULL, false, true}), 0);
        assert_int_equal(missing(INDEX_SELINUX_APPLY, false, false, (struct rule){NULL, true, false}), 0);
        assert_int_equal(missing(INDEX_SELINUX_APPLY, true, false, (struct rule){NULL, false, false}), 1);
        assert_int_equal(missing(INDEX_SELINUX_APPLY, true, true, (struct rule){NULL, false, false}), 0);
        assert_int_equal(missing(INDEX_SELINUX_APPLY, true, false, (struct rule){"first", false, false}), 0);
        assert_int_equal(missing(INDEX_SELINUX_APPLY, true, false, (struct rule){"second", false, false}), 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_form),
                cmocka_unit_test(test_length),
                cmocka_unit_test(test_missing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
