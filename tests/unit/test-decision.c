/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/decision.c common/map.c common/map-key.c common/map-search.c common/map-record.c */
/* links: common/map-mismatch.c common/network.c common/identity.c common/question.c common/wire.c common/index.c */
/* links: compiler/map-writer.c compiler/map-nodes.c compiler/map-usage.c */
/* libs: -lcdb -lglib-2.0 */

/* What is decided, and what is asked before. The index is a header with one service behind it, and its strings. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/decision.h"
#include "tests/unit/map-sample.h"

enum { OWN_UID = 150 };

static struct {
        struct index_header header;
        struct index_service service;
        char strings[256];
} file;

static struct index index_of(bool contexts, const char *context)
{
        memset(&file, 0, sizeof(file));
        file.header.selinux = contexts ? INDEX_SELINUX_APPLY : INDEX_SELINUX_ABSENT;
        file.header.min_uid = file.header.min_gid = 500;
        file.header.dynamic_first = 2000000;
        file.header.dynamic_last = 2000009;
        file.header.category_first = 10;
        file.header.category_last = 20;
        if (context) {
                file.service.context = offsetof(__typeof__(file), strings);
                strcpy(file.strings, context);
        }
        return (struct index){.header = &file.header, .size = sizeof(file), .fd = -1};
}

static const uint32_t reserved[] = {OWN_UID, 1500};
static struct index opened;
static struct map map;

static struct decision begin(const struct map_rule *rules, size_t n_rules, const char *user)
{
        if (map.fd > 0)
                map_close(&map);
        map = sample_map(rules, n_rules);
        return (struct decision){
                .index = &opened,
                .service = &file.service,
                .map = &map,
                .query = {.service = "wiki", .user = user, .address = "192.0.2.1", .host = "www.example.org"},
                .reserved = reserved,
                .n_reserved = ELEMENTS(reserved),
        };
}

static void assert_refused(struct decision *decision, enum wire_outcome outcome, const char *words)
{
        struct question question;

        assert_int_equal(decision_next(decision, &question), DECISION_REFUSED);
        assert_int_equal(decision->outcome, outcome);
        assert_non_null(strstr(decision->reason, words));
}

static struct answer found(uint32_t uid, uint32_t gid)
{
        struct answer answer;

        answer_init(&answer, ANSWER_FOUND, 1);
        answer.uid = uid;
        answer.gid = gid;
        answer.has_shell = 1;
        answer.groups[answer.n_groups++] = gid;
        answer.groups[answer.n_groups++] = 4000;
        return answer;
}

static void assert_asks(struct decision *decision, enum question_kind kind, const char *name)
{
        struct question question;

        assert_int_equal(decision_next(decision, &question), DECISION_ASKS);
        assert_int_equal(question.kind, kind);
        assert_string_equal(question.name, name);
        question.number = 1;
        assert_int_equal(question_check(&question, sizeof(question)), 0);
}

static void assert_made(struct decision *decision, uint32_t uid, uint32_t gid)
{
        struct question question;

        assert_int_equal(decision_next(decision, &question), DECISION_MADE);
        assert_int_equal(decision->identity.uid, uid);
        assert_int_equal(decision->identity.gid, gid);
}

static void test_the_rule_s_own_identity(void **state)
{
        const struct map_rule rule = {.action = MAP_BECOME, .uid = 3000, .gid = 3001, .n_groups = 1, .groups = {3002}};
        const struct map_rule denies = {.action = MAP_DENY}, other = {.service = "cgi", .action = MAP_DENY};
        struct decision decision = begin(&rule, 1, "");

        (void)state;
        assert_made(&decision, 3000, 3001);
        assert_int_equal(decision.identity.n_groups, 1);
        assert_int_equal(decision.identity.groups[0], 3002);
        decision = begin(&denies, 1, "alice");
        assert_refused(&decision, WIRE_NO_RULE, "deny");
        assert_true(decision.has_rule);
        decision = begin(&other, 1, "alice");
        assert_refused(&decision, WIRE_NO_RULE, "no identity rule");
        assert_false(decision.has_rule);
}

static void test_refused_whatever_the_map_says(void **state)
{
        static const uint32_t ids[] = {0, 499, 65534, UINT32_MAX, 1500, 2000005};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(ids); i++) {
                const struct map_rule rule = {
                        .action = MAP_BECOME, .uid = ids[i], .gid = 3000, .flags = MAP_ALLOW_SYSTEM};
                struct decision decision = begin(&rule, 1, "");

                assert_refused(&decision, WIRE_NO_RULE, "");
        }
        for (int allowed = 0; allowed < 2; allowed++) {
                const struct map_rule rule = {
                        .action = MAP_BECOME, .uid = 600, .gid = 600, .flags = allowed ? MAP_ALLOW_SYSTEM : 0};
                struct decision decision = begin(&rule, 1, "");

                if (allowed)
                        assert_made(&decision, 600, 600);
                else
                        assert_refused(&decision, WIRE_NO_RULE, "system");
        }
}

static void test_the_account_of_the_user(void **state)
{
        const struct map_rule rule = {.action = MAP_BECOME_USER};
        struct decision decision = begin(&rule, 1, "alice");
        struct answer answer = found(3000, 3001);

        (void)state;
        assert_asks(&decision, QUESTION_ACCOUNT, "alice");
        assert_int_equal(decision.identity.uid, 0);
        decision_tell(&decision, QUESTION_ACCOUNT, &answer);
        assert_made(&decision, 3000, 3001);
        assert_int_equal(decision.identity.n_groups, 1); /* its own is not repeated */
        assert_int_equal(decision.identity.groups[0], 4000);

        answer.status = ANSWER_UNKNOWN;
        decision = begin(&rule, 1, "alice");
        decision_tell(&decision, QUESTION_ACCOUNT, &answer);
        assert_refused(&decision, WIRE_NO_RULE, "no account");

        answer = found(0, 0); /* whatever a name service says */
        decision = begin(&rule, 1, "alice");
        decision_tell(&decision, QUESTION_ACCOUNT, &answer);
        assert_refused(&decision, WIRE_NO_RULE, "uid");

        decision = begin(&rule, 1, "");
        assert_refused(&decision, WIRE_NO_RULE, "nobody is logged in");
        decision = begin(&rule, 1, "../alice");
        assert_refused(&decision, WIRE_NO_RULE, "name");
}

static void test_a_shell(void **state)
{
        const struct map_rule rule = {.action = MAP_BECOME_USER};
        struct answer answer = found(3000, 3001);
        struct decision decision;

        (void)state;
        answer.has_shell = 0;
        for (uint32_t required = 0; required < 2; required++) {
                file.header.require_shell = required;
                decision = begin(&rule, 1, "alice");
                decision_tell(&decision, QUESTION_ACCOUNT, &answer);
                if (required)
                        assert_refused(&decision, WIRE_NO_RULE, "shell");
                else
                        assert_made(&decision, 3000, 3001);
        }
        file.header.require_shell = 0;
}

static void test_groups_are_asked_for_only_where_they_matter(void **state)
{
        const struct map_rule rules[] = {
                {.user_match = MAP_USER_EXACT, .user = "root", .action = MAP_BECOME, .uid = 3000, .gid = 3000},
                {.user_match = MAP_USER_GROUP, .user = "staff", .group = 4000, .action = MAP_DENY},
                {.action = MAP_BECOME, .uid = 3001, .gid = 3001},
        };
        struct answer answer = found(5000, 5000);
        struct decision decision = begin(rules, 3, "root");

        (void)state;
        assert_made(&decision, 3000, 3000);
        decision = begin(rules, 3, "");
        assert_made(&decision, 3001, 3001);
        decision = begin(rules, 3, "alice");
        assert_asks(&decision, QUESTION_ACCOUNT, "alice");
        decision_tell(&decision, QUESTION_ACCOUNT, &answer);
        assert_refused(&decision, WIRE_NO_RULE, "deny");
        answer.n_groups = 1;
        decision = begin(rules, 3, "alice");
        decision_tell(&decision, QUESTION_ACCOUNT, &answer);
        assert_made(&decision, 3001, 3001);
        /* Somebody of the group by another spelling. */
        decision = begin(rules, 3, "alice ");
        assert_refused(&decision, WIRE_NO_RULE, "name");
}

static void test_an_allotted_uid(void **state)
{
        const struct map_rule rule = {.action = MAP_BECOME_DYNAMIC};
        struct decision decision = begin(&rule, 1, "alice");
        struct answer answer = found(2000003, 0);
        struct question question;

        (void)state;
        assert_int_equal(decision_next(&decision, &question), DECISION_ASKS);
        assert_int_equal(question.kind, QUESTION_UID);
        assert_int_equal(question.first, 2000000);
        assert_int_equal(question.last, 2000009);
        decision_tell(&decision, QUESTION_UID, &answer);
        assert_made(&decision, 2000003, 2000003);
        assert_int_equal(decision.identity.n_groups, 0);

        answer.uid = 2000010; /* from a range that was, or from a keeper that lies */
        decision = begin(&rule, 1, "alice");
        decision_tell(&decision, QUESTION_UID, &answer);
        assert_refused(&decision, WIRE_NO_RULE, "DynamicUID=");
        answer.uid = 0;
        decision = begin(&rule, 1, "alice");
        decision_tell(&decision, QUESTION_UID, &answer);
        assert_refused(&decision, WIRE_FAILED, "allotted");
}

static void test_answers_that_say_no(void **state)
{
        const struct map_rule rule = {.action = MAP_BECOME_DYNAMIC};
        struct decision decision;
        struct answer answer;

        (void)state;
        answer_init(&answer, ANSWER_UNAVAILABLE, 1);
        decision = begin(&rule, 1, "alice");
        decision_tell(&decision, QUESTION_UID, &answer);
        assert_refused(&decision, WIRE_BUSY, "no answer");
        answer_init(&answer, ANSWER_EXHAUSTED, 1);
        strcpy(answer.detail, "all 10 uids are allotted");
        decision = begin(&rule, 1, "alice");
        decision_tell(&decision, QUESTION_UID, &answer);
        assert_refused(&decision, WIRE_FAILED, "all 10 uids");
}

static void test_contexts(void **state)
{
        /* 12,12: a level that the pairs of many others dominate. */
        static const uint32_t no_pairs[][2] = {
                {9, 20}, {10, 21}, {0, 0}, {10, 0}, {12, 12}, {13, 12}, {UINT32_MAX, 12}};
        struct map_rule rule = {.action = MAP_BECOME, .uid = 3000, .gid = 3000, .context = "b_t:s0:%mcs"};
        struct answer answer = found(0, 0);
        struct question question;
        struct decision decision;

        (void)state;
        decision = begin(&rule, 1, "");
        assert_made(&decision, 3000, 3000); /* not applied */
        assert_string_equal(decision.identity.context, "");

        opened = index_of(true, "u:r:a_t:s0");
        decision = begin(&rule, 1, "");
        assert_int_equal(decision_next(&decision, &question), DECISION_ASKS);
        assert_int_equal(question.kind, QUESTION_CATEGORIES);
        assert_int_equal(question.uid, 3000);
        assert_int_equal(question.first, 10);
        assert_int_equal(question.last, 20);
        answer.first = 11;
        answer.second = 12;
        decision_tell(&decision, QUESTION_CATEGORIES, &answer);
        assert_made(&decision, 3000, 3000);
        assert_string_equal(decision.identity.context, "u:r:b_t:s0:c11,c12");

        for (size_t i = 0; i < ELEMENTS(no_pairs); i++) {
                answer.first = no_pairs[i][0];
                answer.second = no_pairs[i][1];
                decision = begin(&rule, 1, "");
                decision_tell(&decision, QUESTION_CATEGORIES, &answer);
                assert_refused(&decision, WIRE_FAILED, "allotted");
        }

        rule.context = NULL;
        decision = begin(&rule, 1, "");
        assert_made(&decision, 3000, 3000);
        assert_string_equal(decision.identity.context, "u:r:a_t:s0");

        opened = index_of(true, NULL); /* never without one */
        decision = begin(&rule, 1, "");
        assert_refused(&decision, WIRE_FAILED, "context");
        opened = index_of(false, NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_rule_s_own_identity),
                cmocka_unit_test(test_refused_whatever_the_map_says),
                cmocka_unit_test(test_the_account_of_the_user),
                cmocka_unit_test(test_a_shell),
                cmocka_unit_test(test_groups_are_asked_for_only_where_they_matter),
                cmocka_unit_test(test_an_allotted_uid),
                cmocka_unit_test(test_answers_that_say_no),
                cmocka_unit_test(test_contexts),
        };

        opened = index_of(false, NULL);
        return cmocka_run_group_tests_name("decision", tests, NULL, NULL);
}
