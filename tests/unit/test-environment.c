/* SPDX-License-Identifier: Apache-2.0 */
/* links: child/environment.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "child/environment.h"
#include "common/cleanup.h"
#include "common/wire.h"

#define ID "0123456789abcdef0123456789abcdef"

enum { WORDS_MAX = 4 };

/* A service's Environment= and PassEnvironment=. */
struct service {
        const char *environment[WORDS_MAX];
        const char *pass[WORDS_MAX];
};

static struct environment environment;
static size_t n_words(const char *const *words)
{
        size_t n = 0;

        while (n < WORDS_MAX && words[n])
                n++;
        return n;
}

/* Builds from a block in allocated memory of its exact size, so that ASan sees a byte too many. */
static int build_facts(
        const struct service *service, const char *block, size_t size, const struct environment_facts *facts)
{
        const struct environment_policy policy = {
                .pass = service->pass,
                .n_pass = n_words(service->pass),
                .set = service->environment,
                .n_set = n_words(service->environment),
        };
        static char *kept;
        int r;

        free(kept);
        kept = malloc(size ? size : 1);
        assert_non_null(kept);
        memcpy(kept, block, size);
        memset(&environment, 0xee, sizeof(environment));
        r = environment_build(&environment, &policy, kept, size, facts);
        if (r == 0) {
                assert_true(environment.n_variables <= ENVIRONMENT_MAX);
                assert_null(environment.variables[environment.n_variables]);
                for (size_t i = 0; i < environment.n_variables; i++)
                        assert_non_null(environment.variables[i]);
        }
        return r;
}

static const struct service plain;
static const struct environment_facts known = {"alice", "192.0.2.1", "example.org", "/srv/a.cgi", ID};
static const struct environment_facts unknown = {"", "", "", "", ID};

enum { KNOWN = 7, UNKNOWN = 3 }; /* variables that we set, with PATH */

static int build(const struct service *service, const char *block, size_t size)
{
        return build_facts(service, block, size, &known);
}

/* How often `name` occurs; the value of the last through ret_value. */
static unsigned count(const char *name, const char **ret_value)
{
        unsigned n = 0;

        for (size_t i = 0; i < environment.n_variables; i++)
                if (strncmp(environment.variables[i], name, strlen(name)) == 0 &&
                        environment.variables[i][strlen(name)] == '=') {
                        n++;
                        if (ret_value)
                                *ret_value = environment.variables[i] + strlen(name) + 1;
                }
        return n;
}

static void assert_value(const char *name, const char *expected)
{
        const char *value = NULL;

        assert_int_equal(count(name, &value), 1);
        assert_string_equal(value, expected);
}

static void assert_absent(const char *name)
{
        assert_int_equal(count(name, NULL), 0);
}

#define BUILD(service, block) build(service, block, sizeof(block)) /* the literal's NUL is the last one's */

static void test_empty(void **state)
{
        (void)state;
        assert_int_equal(build(&plain, "", 0), 0);
        assert_int_equal(environment.n_variables, KNOWN);
        assert_value("REMOTE_USER", "alice");
        assert_value("REMOTE_ADDR", "192.0.2.1");
        assert_value("SERVER_NAME", "example.org");
        assert_value("SCRIPT_FILENAME", "/srv/a.cgi");
        assert_value("GATEWAY_INTERFACE", "CGI/1.1");
        assert_value("SANDBOXD_REQUEST_ID", ID);
        assert_value("PATH", "/usr/local/bin:/usr/bin:/bin");
        assert_int_equal(build_facts(&plain, "", 0, &unknown), 0);
        assert_int_equal(environment.n_variables, UNKNOWN);
        assert_absent("REMOTE_USER");
        assert_absent("REMOTE_ADDR");
}

static void test_allowed(void **state)
{
        static const struct {
                const char *name;
                bool allowed;
        } cases[] = {
                {"AUTH_TYPE", true}, {"CONTENT_LENGTH", true}, {"CONTENT_TYPE", true}, {"PATH_INFO", true},
                {"PATH_TRANSLATED", true}, {"QUERY_STRING", true}, {"REMOTE_HOST", true}, {"REMOTE_IDENT", true},
                {"REQUEST_METHOD", true}, {"SCRIPT_NAME", true}, {"SERVER_PORT", true}, {"SERVER_PROTOCOL", true},
                {"SERVER_SOFTWARE", true}, {"SCRIPT_FILENAME", true}, {"DOCUMENT_ROOT", true}, {"DOCUMENT_URI", true},
                {"REQUEST_URI", true}, {"REQUEST_SCHEME", true}, {"HTTPS", true}, {"REMOTE_PORT", true},
                {"SERVER_ADDR", true}, {"REDIRECT_STATUS", true}, {"HTTP_HOST", true}, {"HTTP_PROXY_CONNECTION", true},
                {"HTTP_PROXX", true}, {"HTTP_X_PROXY", true}, {"HTTP_", true}, {"X_ONE", true},
                /* never */
                {"HTTP_PROXY", false}, {"HTTP_proxy", false}, {"HTTP_Proxy", false}, {"http_proxy", false},
                {"Http_Proxy", false}, {"HTTP", false}, {"http_host", false}, {"X_TWO", false}, {"X_ON", false},
                {"X_ONE_MORE", false}, {"x_one", false}, {"LD_PRELOAD", false}, {"PHP_VALUE", false},
                {"PHP_ADMIN_VALUE", false}, {"PATH", false}, {"HOME", false}, {"IFS", false}, {"BASH_ENV", false},
                {"REMOTE_PASSWD", false}, {"AUTH_PASSWORD", false}, {"Auth_Type", false}, {"AUTH_TYP", false},
                {"AUTH_TYPES", false}, {"SANDBOXD_X", false}, {"SANDBOXD_", false}, {"REDIRECT_REMOTE_USER", false},
                {"SERVER_NAME", false}, /* ours, and the broker knows none here */
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char block[128];
                int length = snprintf(block, sizeof(block), "%s=value", cases[i].name);
                const char *value = "";
                unsigned n;

                assert_int_equal(
                        build_facts(&(struct service){.pass = {"X_ONE"}}, block, (size_t)length + 1, &unknown), 0);
                n = count(cases[i].name, &value);
                if (strcmp(cases[i].name, "PATH") == 0)
                        assert_string_not_equal(value, "value");
                else if (n != cases[i].allowed || (n > 0 && strcmp(value, "value") != 0))
                        fail_msg("%s", cases[i].name);
        }
}

/* Every spelling of HTTP_PROXY's case. */
static void test_proxy(void **state)
{
        static const struct service passing = {.pass = {"HTTP_PROXY", "http_proxy", "Http_Proxy"}};

        (void)state;
        for (unsigned mask = 0; mask < 1U << 10; mask++) {
                char block[] = "HTTP_PROXY=http://evil";

                for (unsigned i = 0; i < 10; i++)
                        if (mask & 1U << i && block[i] != '_')
                                block[i] = (char)(block[i] + ('a' - 'A'));
                assert_int_equal(BUILD(&passing, block), 0);
                assert_int_equal(environment.n_variables, KNOWN);
        }
}

/* What the broker says cannot be said by a request, even if the service would pass it. */
static void test_facts_are_ours(void **state)
{
        static const struct service passing = {
                .pass = {"REMOTE_USER", "REMOTE_ADDR", "SANDBOXD_REQUEST_ID", "SERVER_NAME"}};
        static const char block[] = "REMOTE_USER=root\0REMOTE_ADDR=10.0.0.1\0GATEWAY_INTERFACE=X\0SANDBOXD_REQUEST_ID="
                                    "ff\0SANDBOXD_=y\0SERVER_NAME=h";

        (void)state;
        assert_int_equal(BUILD(&passing, block), 0);
        assert_int_equal(environment.n_variables, KNOWN);
        assert_value("REMOTE_USER", "alice");
        assert_value("REMOTE_ADDR", "192.0.2.1");
        assert_value("GATEWAY_INTERFACE", "CGI/1.1");
        assert_value("SANDBOXD_REQUEST_ID", ID);
        assert_int_equal(build_facts(&passing, block, sizeof(block), &unknown), 0);
        assert_int_equal(environment.n_variables, UNKNOWN);
        assert_absent("REMOTE_USER");
        assert_absent("REMOTE_ADDR");
}

/* Nor by Environment= of the service: an application must be able to trust REMOTE_USER's absence as well. */
static void test_facts_over_service(void **state)
{
        static const struct service other = {.environment = {"SERVER_NAME=h", "SCRIPT_FILENAME=/x"}};
        static const struct service service = {.environment = {"REMOTE_USER=root", "REMOTE_ADDR=10.0.0.1",
                                                       "GATEWAY_INTERFACE=X", "SANDBOXD_REQUEST_ID=ff"}};

        (void)state;
        assert_int_equal(build(&service, "", 0), 0);
        assert_value("REMOTE_USER", "alice");
        assert_value("REMOTE_ADDR", "192.0.2.1");
        assert_value("GATEWAY_INTERFACE", "CGI/1.1");
        assert_value("SANDBOXD_REQUEST_ID", ID);
        assert_int_equal(build(&other, "", 0), 0);
        assert_value("SERVER_NAME", "example.org");
        assert_value("SCRIPT_FILENAME", "/srv/a.cgi");
        assert_int_equal(build_facts(&other, "", 0, &unknown), 0);
        assert_absent("SERVER_NAME");
        assert_int_equal(build_facts(&service, "", 0, &unknown), 0);
        assert_value("GATEWAY_INTERFACE", "CGI/1.1");
        assert_absent("REMOTE_USER");
        assert_absent("REMOTE_ADDR");
}

static void test_service_over_request(void **state)
{
        static const struct service service = {
                .environment = {"HTTP_HOST=fixed", "PATH=/opt/bin", "LD_PRELOAD=x.so", "QUERY_STRING="},
                .pass = {"LD_PRELOAD", "PATH"},
        };

        (void)state;
        assert_int_equal(
                BUILD(&service, "LD_PRELOAD=evil\0HTTP_HOST=sent\0PATH=/tmp\0QUERY_STRING=a\0HTTP_HOST_X=kept"), 0);
        assert_value("HTTP_HOST", "fixed");
        assert_value("PATH", "/opt/bin");
        assert_value("LD_PRELOAD", "x.so");
        assert_value("QUERY_STRING", "");
        assert_value("HTTP_HOST_X", "kept");
        assert_int_equal(environment.n_variables, KNOWN + 4);
}

static void test_service_alone(void **state)
{
        static const struct service service = {.environment = {"A=1", "A=2", "B=x=y", "HTTP_PROXY=http://proxy"}};

        (void)state;
        assert_int_equal(build(&service, "", 0), 0);
        assert_value("A", "2");
        assert_value("B", "x=y");
        assert_value("HTTP_PROXY", "http://proxy"); /* the administrator's own */
}

static void test_values(void **state)
{
        (void)state;
        assert_int_equal(BUILD(&plain, "QUERY_STRING=a=b&c=d\0HTTP_X=\0HTTP_Y==\0PATH_INFO=/\n\x01\xff"), 0);
        assert_value("QUERY_STRING", "a=b&c=d");
        assert_value("HTTP_X", "");
        assert_value("HTTP_Y", "=");
        assert_value("PATH_INFO", "/\n\x01\xff");
}

/* getenv(3) finds the first, some interpreters keep the last: of each name there must be one. */
static void test_duplicates(void **state)
{
        (void)state;
        if (BUILD(&plain, "HTTP_X=1\0HTTP_X=2\0QUERY_STRING=a\0HTTP_X=3\0QUERY_STRING=b") == 0) {
                assert_int_equal(count("HTTP_X", NULL), 1);
                assert_int_equal(count("QUERY_STRING", NULL), 1);
        }
}

/* However often the request says it, the service's value is the one. */
static void test_duplicates_against_service(void **state)
{
        static const struct service service = {.environment = {"HTTP_X=fixed"}};

        (void)state;
        if (BUILD(&service, "HTTP_X=1\0HTTP_X=2\0HTTP_X=3") == 0)
                assert_value("HTTP_X", "fixed");
}

/* The script that was checked is the one that the application is told, however often the request names others. */
static void test_script(void **state)
{
        static const char once[] = "SCRIPT_FILENAME=/etc/passwd";
        static const char twice[] = "SCRIPT_FILENAME=/etc/passwd\0SCRIPT_FILENAME=/etc/shadow";

        (void)state;
        assert_int_equal(BUILD(&plain, once), 0);
        assert_value("SCRIPT_FILENAME", "/srv/a.cgi");
        if (BUILD(&plain, twice) == 0)
                assert_value("SCRIPT_FILENAME", "/srv/a.cgi");
        assert_int_equal(build_facts(&plain, once, sizeof(once), &unknown), 0);
        assert_value("SCRIPT_FILENAME", "/etc/passwd");
}

static void test_malformed(void **state)
{
        static const struct {
                const char *block;
                size_t size;
        } cases[] = {
                {"HTTP_X=1", 8}, /* no NUL at the end */
                {"A=1\0HTTP_X=1", 12},
                {"H", 1},
                {"HTTP_X", 7}, /* no '=' */
                {"\0", 1},
                {"=value", 7},
                {"=", 2},
                {"HTTP_X=1\0\0", 10},
                {"\0HTTP_X=1", 10},
                {"HTTP_X=1\0NONE", 14},
                {"UNKNOWN", 8}, /* malformed where it would not be copied, too */
                {"HTTP_X=1\0=", 11},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (build(&plain, cases[i].block, cases[i].size) != -EBADMSG)
                        fail_msg("case %zu", i);
}

static size_t many(char *block, size_t n, const char *format)
{
        size_t size = 0;

        for (size_t i = 0; i < n; i++)
                size += (size_t)sprintf(block + size, format, i) + 1;
        return size;
}

static void test_limit(void **state)
{
        static char block[64 * 1024];
        static const struct service one = {.environment = {"ONE=1"}};

        (void)state;
        assert_int_equal(build(&plain, block, many(block, ENVIRONMENT_MAX - KNOWN, "HTTP_X%zu=")), 0);
        assert_int_equal(environment.n_variables, ENVIRONMENT_MAX);
        assert_int_equal(build(&plain, block, many(block, ENVIRONMENT_MAX - KNOWN + 1, "HTTP_X%zu=")), -E2BIG);
        assert_int_equal(build(&one, block, many(block, ENVIRONMENT_MAX - KNOWN, "HTTP_X%zu=")), -E2BIG);
        assert_int_equal(build(&one, block, many(block, ENVIRONMENT_MAX - KNOWN - 1, "HTTP_X%zu=")), 0);
        assert_int_equal(build(&plain, block, many(block, ENVIRONMENT_MAX, "HTTP_X%zu=")), -E2BIG);
        assert_int_equal(build(&plain, block, many(block, ENVIRONMENT_MAX + 1, "HTTP_X%zu=")), -E2BIG);
        /* What is not passed on is not counted. */
        assert_int_equal(build(&plain, block, many(block, 4 * ENVIRONMENT_MAX, "OTHER%zu=")), 0);
        assert_int_equal(environment.n_variables, KNOWN);
}

/* The longest facts that the launch protocol can carry fit. */
static void test_long_facts(void **state)
{
        static char user[WIRE_USER_SIZE], address[WIRE_ADDRESS_SIZE], host[WIRE_HOST_SIZE], script[WIRE_SCRIPT_SIZE];
        static const struct environment_facts longest = {user, address, host, script, ID};

        (void)state;
        memset(user, 'u', sizeof(user) - 1);
        memset(address, 'f', sizeof(address) - 1);
        memset(host, 'h', sizeof(host) - 1);
        memset(script, '/', sizeof(script) - 1);
        assert_int_equal(build_facts(&plain, "", 0, &longest), 0);
        assert_value("REMOTE_USER", user);
        assert_value("REMOTE_ADDR", address);
        assert_value("SERVER_NAME", host);
        assert_value("SCRIPT_FILENAME", script);
        assert_value("SANDBOXD_REQUEST_ID", ID);
}

static void test_facts_too_long(void **state)
{
        static char user[64 * 1024];

        (void)state;
        memset(user, 'u', sizeof(user) - 1);
        assert_int_equal(build_facts(&plain, "", 0, &(struct environment_facts){user, "", "", "", ID}), -E2BIG);
}

/* An application zygote: what a request would bring is not there, and nothing stands in its place. */
static void test_no_request(void **state)
{
        static const struct service service = {.environment = {"LANG=C"}};
        static const struct environment_facts nobody = {"", "", "", "", ""};

        (void)state;
        assert_int_equal(build_facts(&service, "", 0, &nobody), 0);
        assert_int_equal(environment.n_variables, 2);
        assert_value("LANG", "C");
        assert_value("PATH", "/usr/local/bin:/usr/bin:/bin");
}

static void test_set(void **state)
{
        static char first[] = "LD_PRELOAD=/a", second[] = "LD_PRELOAD=/b", other[] = "LD_PRELOADED=/c";

        (void)state;
        assert_int_equal(build(&plain, "", 0), 0);
        assert_int_equal(environment_set(&environment, first), 0);
        assert_int_equal(environment_set(&environment, other), 0);
        assert_int_equal(environment_set(&environment, second), 0);
        assert_value("LD_PRELOAD", "/b");
        assert_value("LD_PRELOADED", "/c");
        assert_int_equal(environment.n_variables, KNOWN + 2);
        while (environment.n_variables < ENVIRONMENT_MAX)
                environment.variables[environment.n_variables++] = other;
        assert_int_equal(environment_set(&environment, second), 0);
        assert_int_equal(environment_set(&environment, (char[]){"X=1"}), -E2BIG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty),
                cmocka_unit_test(test_allowed),
                cmocka_unit_test(test_proxy),
                cmocka_unit_test(test_facts_are_ours),
                cmocka_unit_test(test_facts_over_service),
                cmocka_unit_test(test_service_over_request),
                cmocka_unit_test(test_service_alone),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_duplicates),
                cmocka_unit_test(test_duplicates_against_service),
                cmocka_unit_test(test_script),
                cmocka_unit_test(test_malformed),
                cmocka_unit_test(test_limit),
                cmocka_unit_test(test_long_facts),
                cmocka_unit_test(test_facts_too_long),
                cmocka_unit_test(test_no_request),
                cmocka_unit_test(test_set),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
