/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/identity.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/identity.h"

static const uint32_t reserved[] = {5001, 60010};

static const struct index_header strict = {
        .min_uid = 2000,
        .min_gid = 1500,
        .require_shell = 1,
        .dynamic_first = 70000,
        .dynamic_last = 79999,
};

/* Part of the reason that is to be given, or NULL: none. */
static void check_refusal(const struct index_header *header, const struct identity *identity, unsigned flags,
        const char *expected, size_t i)
{
        const char *reason = identity_refusal(header, identity, flags, reserved, ELEMENTS(reserved));

        if (!reason != !expected || (expected && !strstr(reason, expected)))
                fail_msg("case %zu: %s, expected %s", i, reason, expected);
}

struct refusal_case {
        uint32_t id;
        unsigned flags;
        const char *fault; /* NULL: none */
};

/* Of an id as uid with min_uid 2000, and as gid and as group with the same minimum. */
static const struct refusal_case refusal_cases[] = {
        {2000, 0, NULL},
        {59999, 0, NULL},
        {65536, 0, NULL},
        {69999, 0, NULL},
        {80000, 0, NULL},
        {UINT32_MAX - 1, 0, NULL},
        {0, 0, "0, 65534 or -1"},
        {65534, 0, "0, 65534 or -1"},
        {UINT32_MAX, 0, "0, 65534 or -1"},
        {1999, 0, "below Min"},
        {1000, 0, "below Min"},
        {60000, 0, "allow-system"},
        {65533, 0, "allow-system"},
        {65535, 0, "allow-system"},
        {5001, 0, "sandboxd's own"},
        {70000, 0, "DynamicUID="},
        {79999, 0, "DynamicUID="},
        /* allow-system lifts one reason alone */
        {2000, IDENTITY_ALLOW_SYSTEM, NULL},
        {60000, IDENTITY_ALLOW_SYSTEM, NULL},
        {65535, IDENTITY_ALLOW_SYSTEM, NULL},
        {0, IDENTITY_ALLOW_SYSTEM, "0, 65534 or -1"},
        {65534, IDENTITY_ALLOW_SYSTEM, "0, 65534 or -1"},
        {UINT32_MAX, IDENTITY_ALLOW_SYSTEM, "0, 65534 or -1"},
        {1999, IDENTITY_ALLOW_SYSTEM, "below Min"},
        {5001, IDENTITY_ALLOW_SYSTEM, "sandboxd's own"},
        {60010, IDENTITY_ALLOW_SYSTEM, "sandboxd's own"},
        {70000, IDENTITY_ALLOW_SYSTEM, "DynamicUID="},
        /* the first of several */
        {1, 0, "below Min"},
        {60010, 0, "allow-system"},
};

/* Each id is judged, whichever of the three it is, and the reason says which. */
static void test_refusal_of_an_id(void **state)
{
        struct index_header header = strict;

        (void)state;
        header.min_gid = header.min_uid;
        for (size_t i = 0; i < ELEMENTS(refusal_cases); i++) {
                const struct refusal_case *one = &refusal_cases[i];

                check_refusal(&header, &(struct identity){.uid = one->id, .gid = 3000}, one->flags, one->fault, i);
                check_refusal(&header, &(struct identity){.uid = 3000, .gid = one->id}, one->flags, one->fault, i);
                check_refusal(&header, &(struct identity){3000, 3000, 3, {3000, 3001, one->id}, ""}, one->flags,
                        one->fault, i);
                check_refusal(&header, &(struct identity){3000, 3000, 3, {one->id, 3001, 3000}, ""}, one->flags,
                        one->fault, i);
        }
}

/* What stands behind the last group is none. */
static void test_refusal_reads_no_further(void **state)
{
        (void)state;
        check_refusal(&strict, &(struct identity){3000, 3000, 2, {3000, 3001, 0}, ""}, 0, NULL, 0);
        check_refusal(&strict, &(struct identity){3000, 3000, 0, {0}, ""}, 0, NULL, 1);
}

static void test_refusal_of_all_groups(void **state)
{
        struct identity identity = {.uid = 3000, .gid = 3000, .n_groups = INDEX_GROUPS_MAX};

        (void)state;
        for (uint32_t i = 0; i < INDEX_GROUPS_MAX; i++)
                identity.groups[i] = 3000 + i;
        check_refusal(&strict, &identity, 0, NULL, 0);
        identity.groups[INDEX_GROUPS_MAX - 1] = 0;
        check_refusal(&strict, &identity, 0, "one of its groups is 0", 1);
}

/* uid and gid have minimums of their own; the groups have the gid's. */
static void test_refusal_minimums(void **state)
{
        static const struct {
                uint32_t uid, gid, group;
                const char *fault;
        } cases[] = {
                {2000, 1500, 1500, NULL},
                {1999, 1500, 1500, "its uid is below MinUID="},
                {2000, 1499, 1500, "its gid is below MinGID="},
                {2000, 1500, 1499, "one of its groups is below MinGID="},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                check_refusal(&strict, &(struct identity){cases[i].uid, cases[i].gid, 1, {cases[i].group}, ""}, 0,
                        cases[i].fault, i);
}

/* Whatever the minimum says: not root, nobody, and "no change"; and system accounts only when the rule says so. */
static void test_refusal_without_minimum(void **state)
{
        static const struct index_header header = {0};
        static const struct refusal_case cases[] = {
                {0, IDENTITY_ALLOW_SYSTEM, "0, 65534 or -1"},
                {65534, IDENTITY_ALLOW_SYSTEM, "0, 65534 or -1"},
                {UINT32_MAX, IDENTITY_ALLOW_SYSTEM, "0, 65534 or -1"},
                {1, IDENTITY_ALLOW_SYSTEM, NULL},
                {999, IDENTITY_ALLOW_SYSTEM, NULL},
                {1, 0, "allow-system"},
                {999, 0, "allow-system"},
                {1000, 0, NULL},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                check_refusal(&header, &(struct identity){.uid = cases[i].id, .gid = 1000}, cases[i].flags,
                        cases[i].fault, i);
                check_refusal(&header, &(struct identity){.uid = 1000, .gid = cases[i].id}, cases[i].flags,
                        cases[i].fault, i);
                check_refusal(&header, &(struct identity){1000, 1000, 1, {cases[i].id}, ""}, cases[i].flags,
                        cases[i].fault, i);
        }
}

static void test_refusal_shell(void **state)
{
        static const struct identity identity = {.uid = 3000, .gid = 3000};
        struct index_header header = strict;

        (void)state;
        check_refusal(&header, &identity, 0, NULL, 0);
        check_refusal(&header, &identity, IDENTITY_NO_SHELL, "RequireShell=", 1);
        check_refusal(&header, &identity, IDENTITY_NO_SHELL | IDENTITY_ALLOW_SYSTEM, "RequireShell=", 2);
        header.require_shell = 0;
        check_refusal(&header, &identity, IDENTITY_NO_SHELL, NULL, 3);
}

static void test_refusal_dynamic(void **state)
{
        static const struct index_header none = {.min_uid = 1000, .min_gid = 1000};
        static const struct {
                const struct index_header *header;
                uint32_t uid, gid, group;
                const char *fault;
        } cases[] = {
                {&strict, 70000, 70000, 3000, NULL},
                {&strict, 79999, 79999, 3000, NULL},
                {&strict, 69999, 70000, 3000, "allotted a uid outside"},
                {&strict, 80000, 79999, 3000, "allotted a uid outside"},
                {&strict, 70000, 69999, 3000, "allotted a gid outside"},
                {&strict, 70000, 80000, 3000, "allotted a gid outside"},
                {&strict, 70000, 70000, 70000, "one of its groups is in the range"},
                {&none, 70000, 70000, 3000, "allotted a uid outside"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                check_refusal(cases[i].header, &(struct identity){cases[i].uid, cases[i].gid, 1, {cases[i].group}, ""},
                        IDENTITY_DYNAMIC, cases[i].fault, i);
        /* Without a range none is forbidden. */
        check_refusal(&none, &(struct identity){.uid = 70000, .gid = 70000}, 0, NULL, 99);
}

/* All that can be wrong at once, taken away one after the other: uid, gid, groups, shell. */
static void test_refusal_precedence(void **state)
{
        struct identity identity = {0, 0, 2, {0, 1499}, ""};

        (void)state;
        check_refusal(&strict, &identity, IDENTITY_NO_SHELL, "its uid is 0", 0);
        identity.uid = 70000;
        check_refusal(&strict, &identity, IDENTITY_NO_SHELL, "its uid is in the range", 1);
        identity.uid = 3000;
        check_refusal(&strict, &identity, IDENTITY_NO_SHELL, "its gid is 0", 2);
        identity.gid = 5001;
        check_refusal(&strict, &identity, IDENTITY_NO_SHELL, "its gid is one of sandboxd's own", 3);
        identity.gid = 3000;
        check_refusal(&strict, &identity, IDENTITY_NO_SHELL, "one of its groups is 0", 4);
        identity.groups[0] = 3000;
        check_refusal(&strict, &identity, IDENTITY_NO_SHELL, "one of its groups is below MinGID=", 5);
        identity.groups[1] = 3000;
        check_refusal(&strict, &identity, IDENTITY_NO_SHELL, "its shell", 6);
        check_refusal(&strict, &identity, 0, NULL, 7);
}

static void test_names(void **state)
{
        static const struct {
                const char *name, *fault;
        } cases[] = {
                {"alice", NULL},
                {"a", NULL},
                {"Alice.Smith@EXAMPLE.ORG", NULL},
                {"EXAMPLE\\alice", NULL},
                {"EXAMPLE+domain users", NULL},
                {"machine$", NULL},
                {"%user", NULL},
                {".hidden", NULL},
                {"...", NULL},
                {"1a", NULL},
                {"a1", NULL},
                {"0x10", NULL},
                {"alice-", NULL},
                {"\xc3\xa9lodie", NULL},            /* U+00E9 */
                {"\xc2\xa0", NULL},                 /* U+00A0, the first that is no control character */
                {"\xdf\xbf", NULL},                 /* U+07FF */
                {"\xe0\xa0\x80", NULL},             /* U+0800 */
                {"\xe6\x97\xa5\xe6\x9c\xac", NULL}, /* U+65E5 U+672C */
                {"\xed\x9f\xbf", NULL},             /* U+D7FF */
                {"\xee\x80\x80", NULL},             /* U+E000 */
                {"\xf0\x90\x80\x80", NULL},         /* U+10000 */
                {"\xf4\x8f\xbf\xbf", NULL},         /* U+10FFFF */
                {"", "empty"},
                {"a/b", "'/'"},
                {"/", "'/'"},
                {"a:b", "':'"},
                {":", "':'"},
                {".", "'.'"},
                {"..", "'.'"},
                {"-alice", "begins with '-'"},
                {"-", "begins with '-'"},
                {"-1", "begins with '-'"},
                {" alice", "blank"},
                {"alice ", "blank"},
                {" ", "blank"},
                {"0", "digits"},
                {"1000", "digits"},
                {"00001000", "digits"},
                {"4294967296", "digits"},
                {"a\nb", "control"},
                {"a\tb", "control"},
                {"\x01", "control"},
                {"a\x1f", "control"},
                {"a\x7f", "control"},
                {"a\xc2\x80", "control"},          /* U+0080 */
                {"a\xc2\x9f", "control"},          /* U+009F */
                {"a\x80", "UTF-8"},                /* continues nothing */
                {"a\xbf", "UTF-8"},                /* likewise */
                {"\xc3", "UTF-8"},                 /* cut short */
                {"\xe6\x97", "UTF-8"},             /* likewise */
                {"\xf0\x90\x80", "UTF-8"},         /* likewise */
                {"\xc3(", "UTF-8"},                /* not continued */
                {"\xe6\x97(", "UTF-8"},            /* likewise */
                {"\xc0\xaf", "UTF-8"},             /* "/" in two bytes */
                {"\xc1\xbf", "UTF-8"},             /* U+007F in two */
                {"\xe0\x80\xaf", "UTF-8"},         /* "/" in three */
                {"\xe0\x9f\xbf", "UTF-8"},         /* U+07FF in three */
                {"\xf0\x80\x80\xaf", "UTF-8"},     /* "/" in four */
                {"\xf0\x8f\xbf\xbf", "UTF-8"},     /* U+FFFF in four */
                {"\xed\xa0\x80", "UTF-8"},         /* a surrogate */
                {"\xed\xbf\xbf", "UTF-8"},         /* likewise */
                {"\xf4\x90\x80\x80", "UTF-8"},     /* U+110000 */
                {"\xf5\x80\x80\x80", "UTF-8"},     /* above */
                {"\xf8\x88\x80\x80\x80", "UTF-8"}, /* five bytes */
                {"\xff", "UTF-8"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const char *reason = identity_name_refusal(cases[i].name);

                if (!reason != !cases[i].fault || (reason && !strstr(reason, cases[i].fault)))
                        fail_msg("case %zu, '%s': %s, expected %s", i, cases[i].name, reason, cases[i].fault);
        }
}

static void test_name_length(void **state)
{
        char name[258] = "";

        (void)state;
        memset(name, 'a', 255);
        assert_null(identity_name_refusal(name));
        name[255] = 'a';
        assert_string_equal(identity_name_refusal(name), "it is longer than 255 bytes");
        /* 254 bytes, and one character of two */
        memcpy(name + 254, "\xc3\xa9", 3);
        assert_string_equal(identity_name_refusal(name), "it is longer than 255 bytes");
}

static void test_needs_categories(void **state)
{
        (void)state;
        assert_false(identity_context_needs_categories(NULL));
        assert_false(identity_context_needs_categories(""));
        assert_false(identity_context_needs_categories("u:r:t:s0:c1,c2"));
        assert_false(identity_context_needs_categories("t:s0:%mc"));
        assert_true(identity_context_needs_categories("u:r:t:s0:%mcs"));
        assert_true(identity_context_needs_categories("*:s0:c1,%mcs"));
}

#define BASE "u_u:u_r:u_t:s0:c5"

static void test_contexts(void **state)
{
        static const struct {
                const char *context, *base;
                const char *result; /* NULL: -EINVAL */
        } cases[] = {
                {NULL, NULL, ""},
                {NULL, BASE, BASE},
                {NULL, "u_u:u_r:u_t", "u_u:u_r:u_t"},
                {NULL, "u_u:u_r:u_t:s0:%mcs", "u_u:u_r:u_t:s0:c3,c1023"},
                /* whole */
                {"a_u:a_r:a_t", NULL, "a_u:a_r:a_t"},
                {"a_u:a_r:a_t", BASE, "a_u:a_r:a_t"}, /* a whole one is not completed */
                {"a_u:a_r:a_t:s1", BASE, "a_u:a_r:a_t:s1"},
                {"a_u:a_r:a_t:s0:c1,c2", NULL, "a_u:a_r:a_t:s0:c1,c2"},
                {"a_u:a_r:a_t:s0-s0:c0.c1023", NULL, "a_u:a_r:a_t:s0-s0:c0.c1023"},
                {"a-u.x:a_r:A_t9:s0", NULL, "a-u.x:a_r:A_t9:s0"},
                {"a_u:a_r:a_t:s0", "no context", "a_u:a_r:a_t:s0"}, /* nothing is kept: it is not read */
                {"a_u:a_r:*:s1", BASE, "a_u:a_r:u_t:s1"},
                {"a_u:a_r:a_t:*", BASE, "a_u:a_r:a_t:s0:c5"},
                {"a_u:a_r:*:*", BASE, "a_u:a_r:u_t:s0:c5"},
                {"a_u:a_r:*", BASE, "a_u:a_r:u_t"},
                /* type */
                {"a_t", BASE, "u_u:u_r:a_t:s0:c5"},
                {"a_t", "u_u:u_r:u_t", "u_u:u_r:a_t"},
                {"s0", BASE, "u_u:u_r:s0:s0:c5"},
                {"*", BASE, BASE},
                {"*", "u_u:u_r:u_t", "u_u:u_r:u_t"},
                /* type:range */
                {"a_t:s0", BASE, "u_u:u_r:a_t:s0"},
                {"a_t:s15", BASE, "u_u:u_r:a_t:s15"},
                {"a_t:s0:c1", BASE, "u_u:u_r:a_t:s0:c1"},
                {"a_t:s0:c1,c2", "u_u:u_r:u_t", "u_u:u_r:a_t:s0:c1,c2"},
                {"a_t:s0-s0:c1", BASE, "u_u:u_r:a_t:s0-s0:c1"},
                {"*:s0:c1", BASE, "u_u:u_r:u_t:s0:c1"},
                {"a_t:*", BASE, "u_u:u_r:a_t:s0:c5"},
                {"*:*", BASE, BASE},
                /* a role that only looks a little like a level */
                {"a_u:s0_r:a_t", BASE, "a_u:s0_r:a_t"},
                {"a_u:s:a_t", BASE, "a_u:s:a_t"},
                {"a_u:system_r:a_t", BASE, "a_u:system_r:a_t"},
                /* %mcs */
                {"a_u:a_r:a_t:s0:%mcs", NULL, "a_u:a_r:a_t:s0:c3,c1023"},
                {"a_t:s0:%mcs", BASE, "u_u:u_r:a_t:s0:c3,c1023"},
                {"*:s0:%mcs", BASE, "u_u:u_r:u_t:s0:c3,c1023"},
                {"*:s0:c0,%mcs", BASE, "u_u:u_r:u_t:s0:c0,c3,c1023"},
                {"*:s0:%mcs,c1", BASE, "u_u:u_r:u_t:s0:c3,c1023,c1"},
                {"*:s0:%mcs-s0:%mcs", BASE, "u_u:u_r:u_t:s0:c3,c1023-s0:c3,c1023"},
                {"a_t:*", "u_u:u_r:u_t:s0:%mcs", "u_u:u_r:a_t:s0:c3,c1023"},
                {"a_t", "u_u:u_r:u_t:s0:%mcs", "u_u:u_r:a_t:s0:c3,c1023"},
                {"a_t:s1", "u_u:u_r:u_t:s0:%mcs", "u_u:u_r:a_t:s1"},
                /* to be kept, and there is none */
                {"a_t", NULL, NULL},
                {"a_t:s0", NULL, NULL},
                {"*", NULL, NULL},
                {"*:s0", NULL, NULL},
                {"a_t:*", NULL, NULL},
                {"a_u:a_r:*", NULL, NULL},
                {"a_u:a_r:a_t:*", NULL, NULL},
                {"a_t:*", "u_u:u_r:u_t", NULL},
                {"a_u:a_r:a_t:*", "u_u:u_r:u_t", NULL},
                /* a base that is none, or needs one itself */
                {NULL, "", NULL},
                {NULL, "u_t", NULL},
                {NULL, "u_t:s0", NULL},
                {NULL, "u_u:u_r:*", NULL},
                {NULL, "u_u:u_r:u_t:*", NULL},
                {"a_t", "u_t:s0", NULL},
                {"a_t", "u_t", NULL},
                {"a_t", "", NULL},
                {"a_t", "u_u:u_r:*:s0", NULL},
                {"a_t:s0", "u_u:u_r:u_t:*", NULL},
                {"a_t", "u_u:u_r:u_t:", NULL},
                /* no context */
                {"", BASE, NULL},
                {":", BASE, NULL},
                {"a_t:", BASE, NULL},
                {":s0", BASE, NULL},
                {"a_t:c1", BASE, NULL},
                {"a_t:%mcs", BASE, NULL},
                {"a_r:a_t", BASE, NULL},
                {"a_u:a_r", BASE, NULL},
                {"a_u:a_r:", BASE, NULL},
                {"a_u::a_t", BASE, NULL},
                {":a_r:a_t", BASE, NULL},
                {"a_u:a_r:a_t:", BASE, NULL},
                {"a_u:a_r::s0", BASE, NULL},
                {"*:a_r:a_t", BASE, NULL},
                {"a_u:*:a_t", BASE, NULL},
                {"**", BASE, NULL},
                {"a*", BASE, NULL},
                {"a_t:**", BASE, NULL},
                {"a_t:s0:*", BASE, NULL},
                {"a_t s0", BASE, NULL},
                {"a_t\n", BASE, NULL},
                {"a_u:a_r:a_t:s0 ", BASE, NULL},
                {"a_u:a_r:a_t:s0\n", BASE, NULL},
                {"a_%mcs", BASE, NULL},
                {"%mcs", BASE, NULL},
                {"a_u:%mcs:a_t:s0", BASE, NULL},
                {"a_u:a_r:a_t:%mcs", BASE, NULL},
                {"*:s0:%", BASE, NULL},
                {"*:s0:%mc", BASE, NULL},
                {"*:s0:%MCS", BASE, NULL},
                {"*:s0:%mcsx", BASE, NULL},
                {"*:s0:c1%mcs", BASE, NULL},
                {"*:s0:c1.%mcs", BASE, NULL},
                {"*:s0:%mcs.c1023", BASE, NULL},
                {"*:s0:%mcs%mcs", BASE, NULL},
                {"*:s0:%user", BASE, NULL},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char text[INDEX_CONTEXT_MAX + 1] = "untouched";
                int r = identity_context(cases[i].context, cases[i].base, 3, 1023, text);

                if (r != (cases[i].result ? 0 : -EINVAL) ||
                        strcmp(text, cases[i].result ? cases[i].result : "untouched") != 0)
                        fail_msg("case %zu, '%s' on '%s': %d, '%s'", i, cases[i].context, cases[i].base, r, text);
        }
}

/* Text with a type so long that the whole has `length` bytes. */
static const char *long_context(const char *before, size_t length, const char *behind, char text[512])
{
        size_t fill = length - strlen(before) - strlen(behind);

        strcpy(text, before);
        memset(text + strlen(before), 't', fill);
        strcpy(text + strlen(before) + fill, behind);
        assert_int_equal(strlen(text), length);
        return text;
}

static void test_context_length(void **state)
{
        static const struct {
                const char *before;
                size_t length;
                const char *behind, *base;
                int result;
        } cases[] = {
                {"u:r:", 255, ":s0", NULL, 0},
                {"u:r:", 256, ":s0", NULL, -ENAMETOOLONG},
                {"u:r:", 400, ":s0", NULL, -ENAMETOOLONG},
                {"", 256, "", BASE, -ENAMETOOLONG},
                /* completed: "u_u:u_r:" and ":s0:c5" make fourteen more */
                {"", 241, "", BASE, 0},
                {"", 242, "", BASE, -ENAMETOOLONG},
                {"", 255, "", BASE, -ENAMETOOLONG},
                /* "%mcs" becomes "c3,c1023": four more */
                {"u:r:", 251, ":s0:%mcs", NULL, 0},
                {"u:r:", 252, ":s0:%mcs", NULL, -ENAMETOOLONG},
                {"u:r:", 255, ":s0:%mcs,c1", NULL, -ENAMETOOLONG},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char context[512], text[INDEX_CONTEXT_MAX + 1] = "untouched";
                int r;

                long_context(cases[i].before, cases[i].length, cases[i].behind, context);
                r = identity_context(context, cases[i].base, 3, 1023, text);
                if (r != cases[i].result)
                        fail_msg("case %zu: %d", i, r);
                if (r == 0)
                        assert_in_range(strlen(text), INDEX_CONTEXT_MAX, INDEX_CONTEXT_MAX);
                else
                        assert_string_equal(text, "untouched");
        }
}

static void test_context_long_base(void **state)
{
        char base[512], text[INDEX_CONTEXT_MAX + 1] = "untouched";

        (void)state;
        long_context("u:r:", 256, ":s0", base);
        assert_int_equal(identity_context(NULL, base, 0, 1, text), -ENAMETOOLONG);
        assert_int_equal(identity_context("a_t", base, 0, 1, text), -ENAMETOOLONG);
        assert_string_equal(text, "untouched");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_refusal_of_an_id),
                cmocka_unit_test(test_refusal_reads_no_further),
                cmocka_unit_test(test_refusal_of_all_groups),
                cmocka_unit_test(test_refusal_minimums),
                cmocka_unit_test(test_refusal_without_minimum),
                cmocka_unit_test(test_refusal_shell),
                cmocka_unit_test(test_refusal_dynamic),
                cmocka_unit_test(test_refusal_precedence),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_name_length),
                cmocka_unit_test(test_needs_categories),
                cmocka_unit_test(test_contexts),
                cmocka_unit_test(test_context_length),
                cmocka_unit_test(test_context_long_base),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
