/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/door.c compiler/front-door.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "common/cleanup.h"
#include "common/door.h"
#include "compiler/front-door.h"

static socklen_t ip_address(struct sockaddr_storage *address, const char *ip, uint16_t port)
{
        struct sockaddr_in *v4 = (void *)address;
        struct sockaddr_in6 *v6 = (void *)address;

        memset(address, 0, sizeof(*address));
        if (strchr(ip, ':')) {
                v6->sin6_family = AF_INET6;
                v6->sin6_port = htons(port);
                v6->sin6_scope_id = 3;
                assert_int_equal(inet_pton(AF_INET6, ip, &v6->sin6_addr), 1);
                return sizeof(*v6);
        }
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        assert_int_equal(inet_pton(AF_INET, ip, &v4->sin_addr), 1);
        return sizeof(*v4);
}

/* `length` bytes of path. As from the kernel: what lies beyond is not meant. */
static socklen_t unix_address(struct sockaddr_storage *address, const char *path, size_t length)
{
        struct sockaddr_un *un = (void *)address;

        memset(address, 'Z', sizeof(*address));
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, path, length);
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

static void test_ip(void **state)
{
        static const struct {
                const char *ip;
                uint16_t port;
                const char *name, *wildcard, *text;
        } cases[] = {
                {"127.0.0.1", 9000, "tcp:127.0.0.1:9000", "tcp:0.0.0.0:9000", "127.0.0.1"},
                {"0.0.0.0", 1, "tcp:0.0.0.0:1", "tcp:0.0.0.0:1", "0.0.0.0"},
                {"255.255.255.255", 65535, "tcp:255.255.255.255:65535", "tcp:0.0.0.0:65535", "255.255.255.255"},
                {"::1", 9000, "tcp:[::1]:9000", "tcp:[::]:9000", "::1"},
                {"::", 80, "tcp:[::]:80", "tcp:[::]:80", "::"},
                {"2001:DB8:0:0::1", 80, "tcp:[2001:db8::1]:80", "tcp:[::]:80", "2001:db8::1"},
                {"::ffff:127.0.0.1", 9000, "tcp:127.0.0.1:9000", "tcp:0.0.0.0:9000", "127.0.0.1"},
                {"::ffff:7f00:1", 9000, "tcp:127.0.0.1:9000", "tcp:0.0.0.0:9000", "127.0.0.1"},
                {"::127.0.0.1", 9000, "tcp:[::127.0.0.1]:9000", "tcp:[::]:9000", "::127.0.0.1"},
                {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535,
                        "tcp:[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "tcp:[::]:65535",
                        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct sockaddr_storage address;
                socklen_t length = ip_address(&address, cases[i].ip, cases[i].port);
                char name[DOOR_NAME_MAX], text[INET6_ADDRSTRLEN];

                assert_int_equal(door_name(&address, length, name, sizeof(name)), 0);
                assert_string_equal(name, cases[i].name);
                assert_int_equal(door_wildcard_name(&address, name, sizeof(name)), 0);
                assert_string_equal(name, cases[i].wildcard);
                door_ip(&address, text, sizeof(text));
                assert_string_equal(text, cases[i].text);
                assert_int_equal(door_name(&address, length, name, strlen(cases[i].name)), -ENAMETOOLONG);
                assert_int_equal(door_name(&address, length, name, strlen(cases[i].name) + 1), 0);
        }
}

static void test_unix(void **state)
{
        struct sockaddr_storage address;
        char name[DOOR_NAME_MAX], path[108], expected[DOOR_NAME_MAX];
        socklen_t length;

        (void)state;
        /* With the NUL, as getsockname(2) gives it, and without: unix(7), "Pathname sockets". */
        length = unix_address(&address, "/run/x.sock", sizeof("/run/x.sock"));
        assert_int_equal(door_name(&address, length, name, sizeof(name)), 0);
        assert_string_equal(name, "unix:/run/x.sock");
        length = unix_address(&address, "/run/x.sock", strlen("/run/x.sock"));
        assert_int_equal(door_name(&address, length, name, sizeof(name)), 0);
        assert_string_equal(name, "unix:/run/x.sock");
        assert_int_equal(door_name(&address, length, name, sizeof("unix:/run/x.sock") - 1), -ENAMETOOLONG);
        assert_int_equal(door_wildcard_name(&address, name, sizeof(name)), -EAFNOSUPPORT);
        door_ip(&address, name, sizeof(name));
        assert_string_equal(name, "");
        /* All 108 bytes, no NUL, and a length that claims more. */
        memset(path, 'p', sizeof(path));
        path[0] = '/';
        snprintf(expected, sizeof(expected), "unix:%.108s", path);
        length = unix_address(&address, path, sizeof(path));
        assert_int_equal(door_name(&address, length, name, sizeof(name)), 0);
        assert_string_equal(name, expected);
        assert_int_equal(door_name(&address, sizeof(address), name, sizeof(name)), 0);
        assert_string_equal(name, expected);
}

static void test_no_door(void **state)
{
        struct sockaddr_storage address;
        char name[DOOR_NAME_MAX] = "untouched";
        socklen_t length = unix_address(&address, "", 0); /* unnamed */

        (void)state;
        assert_int_equal(door_name(&address, length, name, sizeof(name)), -EAFNOSUPPORT);
        assert_int_equal(door_name(&address, 0, name, sizeof(name)), -EAFNOSUPPORT);
        length = unix_address(&address, "\0abstract", 9);
        assert_int_equal(door_name(&address, length, name, sizeof(name)), -EAFNOSUPPORT);
        length = unix_address(&address, "relative", 9);
        assert_int_equal(door_name(&address, length, name, sizeof(name)), -EAFNOSUPPORT);
        memset(&address, 0, sizeof(address));
        for (int family = 0; family < 50; family++) {
                address.ss_family = (sa_family_t)family;
                if (family == AF_UNIX || family == AF_INET || family == AF_INET6)
                        continue;
                assert_int_equal(door_name(&address, sizeof(address), name, sizeof(name)), -EAFNOSUPPORT);
                assert_int_equal(door_wildcard_name(&address, name, sizeof(name)), -EAFNOSUPPORT);
        }
        assert_string_equal(name, "untouched");
}

static void test_parse(void **state)
{
        static const struct {
                const char *text, *name; /* NULL: -EINVAL */
        } cases[] = {
                {"/run/x.sock", "unix:/run/x.sock"},
                {"/a:9000", "unix:/a:9000"},
                {"127.0.0.1:9000", "tcp:127.0.0.1:9000"},
                {"0.0.0.0:1", "tcp:0.0.0.0:1"},
                {"127.0.0.1:65535", "tcp:127.0.0.1:65535"},
                {"127.0.0.1:09000", "tcp:127.0.0.1:9000"},
                {"[::1]:9000", "tcp:[::1]:9000"},
                {"[::]:9000", "tcp:[::]:9000"},
                {"[2001:DB8:0:0::1]:9000", "tcp:[2001:db8::1]:9000"},
                {"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                        "tcp:[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
                {"", NULL},
                {":", NULL},
                {"9000", NULL},
                {":9000", NULL},
                {"*:9000", NULL},
                {"localhost:9000", NULL},
                {"run/x.sock", NULL},
                {"@abstract", NULL},
                {"127.0.0.1", NULL},
                {"127.0.0.1:", NULL},
                {"127.0.0.1:0", NULL},
                {"127.0.0.1:65536", NULL},
                {"127.0.0.1:-1", NULL},
                {"127.0.0.1:+80", NULL},
                {"127.0.0.1: 80", NULL},
                {"127.0.0.1:80 ", NULL},
                {"127.0.0.1:80x", NULL},
                {"127.0.0.1:0x50", NULL},
                {"127.0.0.1:18446744073709551617", NULL},
                {"127.0.0.1:99999999999999999999999", NULL},
                {"127.0.0:80", NULL},
                {"127.0.0.256:80", NULL},
                {"127.0.0.01:80", NULL},
                {"127.0.0.1.1:80", NULL},
                {"::1:9000", NULL},
                {"[::1]", NULL},
                {"[::1", NULL},
                {"[::1:80", NULL},
                {"[]:80", NULL},
                {"[:80", NULL},
                {"[", NULL},
                {"]:80", NULL},
                {"[::1]x:80", NULL},
                {"[[::1]]:80", NULL},
                {"[127.0.0.1]:80", NULL},
                {"[fe80::1%eth0]:80", NULL},
                {"[0000:0000:0000:0000:0000:ffff:255.255.255.255x]:80", NULL},
                {"127.000000000000000000000000000000000000000000.0.1:80", NULL},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char name[DOOR_NAME_MAX] = "untouched";
                int r = front_door_parse(cases[i].text, name, sizeof(name));

                if (r != (cases[i].name ? 0 : -EINVAL) ||
                        strcmp(name, cases[i].name ? cases[i].name : "untouched") != 0)
                        fail_msg("'%s': %d '%s'", cases[i].text, r, name);
        }
}

static void test_parse_lengths(void **state)
{
        char path[200], name[DOOR_NAME_MAX] = "untouched";

        (void)state;
        memset(path, 'p', sizeof(path));
        path[0] = '/';
        path[107] = '\0'; /* unix(7): sun_path has 108 bytes */
        assert_int_equal(front_door_parse(path, name, sizeof(name)), 0);
        assert_string_equal(name + 5, path);
        strcpy(name, "untouched");
        path[107] = 'p';
        path[108] = '\0';
        assert_int_equal(front_door_parse(path, name, sizeof(name)), -ENAMETOOLONG);
        assert_string_equal(name, "untouched");
}

/* On failure, ret_ parameters stay what they were: common/cleanup.h. */
static void test_untouched(void **state)
{
        struct sockaddr_storage address;
        char name[16] = "untouched";
        socklen_t length = ip_address(&address, "127.0.0.1", 9000);

        (void)state;
        assert_int_equal(door_tcp_name("127.0.0.1", 9000, name, sizeof(name)), -ENAMETOOLONG);
        assert_string_equal(name, "untouched");
        assert_int_equal(door_name(&address, length, name, sizeof(name)), -ENAMETOOLONG);
        assert_string_equal(name, "untouched");
        assert_int_equal(front_door_parse("/run/fcgi/x.sock", name, sizeof(name)), -ENAMETOOLONG);
        assert_string_equal(name, "untouched");
}

/* What FrontDoor= says is what the broker finds on a connection that was accepted there. */
static void test_same_name(void **state)
{
        static const struct {
                const char *text, *ip;
                uint16_t port;
        } cases[] = {
                {"127.0.0.1:9000", "127.0.0.1", 9000},
                {"127.0.0.1:9000", "::ffff:127.0.0.1", 9000},
                {"[::1]:80", "::1", 80},
                {"[2001:0db8::0001]:80", "2001:db8::1", 80},
                {"[::ffff:127.0.0.1]:9000", "::ffff:127.0.0.1", 9000},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct sockaddr_storage address;
                socklen_t length = ip_address(&address, cases[i].ip, cases[i].port);
                char configured[DOOR_NAME_MAX], found[DOOR_NAME_MAX];

                assert_int_equal(front_door_parse(cases[i].text, configured, sizeof(configured)), 0);
                assert_int_equal(door_name(&address, length, found, sizeof(found)), 0);
                assert_string_equal(configured, found);
        }
}

static void test_default(void **state)
{
        char name[DOOR_NAME_MAX] = "untouched", service[NAME_MAX];

        (void)state;
        memset(service, 's', sizeof(service));
        service[sizeof(service) - 1] = '\0';
        assert_int_equal(front_door_default(service, name, sizeof(name)), -ENAMETOOLONG);
        assert_string_equal(name, "untouched");
        service[64] = '\0'; /* the longest name of a service */
        assert_int_equal(front_door_default(service, name, sizeof(name)), 0);
        assert_int_equal(front_door_default("my-blog.2", name, sizeof(name)), 0);
        assert_string_equal(name, "unix:/run/fcgi-bridge/my-blog.2.sock");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ip),
                cmocka_unit_test(test_unix),
                cmocka_unit_test(test_no_door),
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_parse_lengths),
                cmocka_unit_test(test_untouched),
                cmocka_unit_test(test_same_name),
                cmocka_unit_test(test_default),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
