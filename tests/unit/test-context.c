/* SPDX-License-Identifier: Apache-2.0 */
/* links: compiler/context.c compiler/context-text.c compiler/rule-context.c compiler/builder.c compiler/memory.c */
/* links: compiler/diagnostics.c common/identity.c */
/* libs: -lselinux */

/* What is wrong with a context whatever the policy says, which rules have none, and how often the policy is asked. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/cleanup.h"
#include "compiler/compile.h"
#include "compiler/context-text.h"

static const struct position here = {.file = "test.map", .line = 1, .text = "a b", .offset = 2};

static unsigned asked; /* how often the policy was; it knows everything */

int security_check_context_raw(const char *context)
{
        (void)context;
        asked++;
        return 0;
}

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
                {"system_u:system_r:user_webapp_t:s0:%mcs", false}, /* categories are given to identities, by a map */
                {"system_u:system_r:*:s0", false},
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

static void add_service(struct compile *compile, const char *name, const char *context)
{
        struct index_service service = {.name = builder_string(&compile->builder, name)};

        service.source = builder_string(&compile->builder, "test.service");
        service.context = context ? builder_string(&compile->builder, context) : 0;
        list_append(&compile->builder.services, &service, sizeof(service));
}

static void release(struct compile *compile)
{
        compile_forget_contexts(compile);
        list_clear(&compile->builder.services);
        free(compile->builder.data);
}

static unsigned rule_complaints(struct compile *compile, const char *context, const char *service)
{
        const unsigned before = diagnose_errors();
        FILE *real = stderr;

        stderr = fopen("/dev/null", "we");
        compile_rule_context(compile, context, service, here);
        fclose(stderr);
        stderr = real;
        return diagnose_errors() - before;
}

/* Complaints about a rule for `service` (NULL: any) with `context`, beside two services. */
static unsigned missing(enum index_selinux selinux, bool first_has_context, bool second_has_context,
        const char *service, const char *context)
{
        struct compile compile = {.header.selinux = selinux};
        unsigned count;

        builder_init(&compile.builder);
        add_service(&compile, "first", first_has_context ? "u:r:first_t:s0" : NULL);
        add_service(&compile, "second", second_has_context ? "u:r:second_t:s0" : NULL);
        count = rule_complaints(&compile, context, service);
        release(&compile);
        return count;
}

/* Where contexts are applied nobody runs without: a rule has one, or each service that the rule is for. */
static void test_missing(void **state)
{
        (void)state;
        assert_int_equal(missing(INDEX_SELINUX_APPLY, false, false, NULL, NULL), 1);
        assert_int_equal(missing(INDEX_SELINUX_REQUIRE, false, false, NULL, NULL), 1);
        assert_int_equal(missing(INDEX_SELINUX_OFF, false, false, NULL, NULL), 0);
        assert_int_equal(missing(INDEX_SELINUX_APPLY, false, false, NULL, "u:r:t:s0"), 0);
        assert_int_equal(missing(INDEX_SELINUX_APPLY, false, false, NULL, "t:s0"), 1);
        assert_int_equal(missing(INDEX_SELINUX_OFF, false, false, NULL, "t:s0"), 1);
        assert_int_equal(missing(INDEX_SELINUX_APPLY, true, false, NULL, "t:s0"), 1);
        assert_int_equal(missing(INDEX_SELINUX_APPLY, true, true, NULL, "t:s0"), 0);
        assert_int_equal(missing(INDEX_SELINUX_APPLY, true, false, NULL, NULL), 1);
        assert_int_equal(missing(INDEX_SELINUX_APPLY, true, true, NULL, NULL), 0);
        assert_int_equal(missing(INDEX_SELINUX_APPLY, true, false, "first", NULL), 0);
        assert_int_equal(missing(INDEX_SELINUX_APPLY, true, false, "second", NULL), 1);
        assert_int_equal(missing(INDEX_SELINUX_APPLY, true, false, "first", "t:s0"), 0);
        assert_int_equal(missing(INDEX_SELINUX_APPLY, true, false, "second", "t:s0"), 1);
}

/* Rules share contexts: the policy is asked once for each, and twice for one with %mcs. */
static void test_asked_once(void **state)
{
        struct compile compile = {
                .header = {.selinux = INDEX_SELINUX_APPLY, .category_first = 0, .category_last = 1023}};

        (void)state;
        builder_init(&compile.builder);
        add_service(&compile, "first", "u:r:first_t:s0");
        add_service(&compile, "second", "u:r:second_t:s0");
        asked = 0;
        for (int i = 0; i < 3; i++) {
                assert_int_equal(rule_complaints(&compile, "u:r:t:s0", "first"), 0);
                assert_int_equal(asked, 1);
        }
        for (int i = 0; i < 3; i++) {
                assert_int_equal(rule_complaints(&compile, "*:s0:%mcs", NULL), 0);
                assert_int_equal(asked, 1 + 2 * 2);
        }
        /* What was wrong once is wrong each time. */
        for (int i = 0; i < 3; i++)
                assert_int_equal(rule_complaints(&compile, "%mcs", NULL), 1);
        assert_int_equal(rule_complaints(&compile, NULL, NULL), 0);
        assert_int_equal(asked, 5);
        release(&compile);
}

static void test_categories(void **state)
{
        static const struct {
                const char *context;
                bool has; /* one from c100 to c200 */
        } cases[] = {
                {"u:r:t:s0:c100", true},
                {"u:r:t:s0:c200", true},
                {"u:r:t:s0:c99", false},
                {"u:r:t:s0:c201", false},
                {"u:r:t:s0:c1,c150", true},
                {"u:r:t:s0:c1,c201", false},
                {"u:r:t:s0:c1.c99", false},
                {"u:r:t:s0:c1.c100", true},
                {"u:r:t:s0:c200.c300", true},
                {"u:r:t:s0:c201.c300", false},
                {"u:r:t:s0:c50.c300", true},
                {"t:s0:c1.c5,c150", true},
                {"*:s0:c150", true},
                {"u:r:c150:s0", true}, /* a type of that name: rather one warning too many */
                {"u:r:t:s0", false},
                {"u:r:t", false},
                {"c150", false},
                {"*:s0:%mcs", false},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (context_text_has_category(cases[i].context, 100, 200) != cases[i].has)
                        fail_msg("%s", cases[i].context);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_form),
                cmocka_unit_test(test_length),
                cmocka_unit_test(test_missing),
                cmocka_unit_test(test_asked_once),
                cmocka_unit_test(test_categories),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
