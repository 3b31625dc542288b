/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/network.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/network.h"

static void test_parse_network(void **state)
{
        static const struct {
                const char *text;
                int result;
                uint32_t family, prefix;
        } cases[] = {
                {"192.0.2.1", 0, AF_INET, 32},
                {"192.0.2.0/24", 0, AF_INET, 24},
                {"192.0.2.0/024", 0, AF_INET, 24},
                {"0.0.0.0/0", 0, AF_INET, 0},
                {"255.255.255.255/32", 0, AF_INET, 32},
                {"::", 0, AF_INET6, 128},
                {"::/0", 0, AF_INET6, 0},
                {"2001:db8::/32", 0, AF_INET6, 32},
                {"::ffff:192.0.2.1", 0, AF_INET, 32},
                {"::ffff:192.0.2.0/120", 0, AF_INET, 24},
                {"::ffff:0:0/96", 0, AF_INET, 0},
                {"::fffe:0:0/95", 0, AF_INET6, 95},
                {"192.0.2.1/24", -ERANGE, 0, 0},
                {"128.0.0.0/0", -ERANGE, 0, 0},
                {"192.0.2.3/31", -ERANGE, 0, 0},
                {"2001:db8::1/64", -ERANGE, 0, 0},
                {"2001:db8::/28", -ERANGE, 0, 0},
                {"::ffff:192.0.2.1/120", -ERANGE, 0, 0},
                {"::ffff:0:0/95", -ERANGE, 0, 0},
                {"", -EINVAL, 0, 0},
                {"/", -EINVAL, 0, 0},
                {"/8", -EINVAL, 0, 0},
                {"192.0.2.0/", -EINVAL, 0, 0},
                {"192.0.2.0/33", -EINVAL, 0, 0},
                {"192.0.2.0/-1", -EINVAL, 0, 0},
                {"192.0.2.0/+1", -EINVAL, 0, 0},
                {"192.0.2.0/ 1", -EINVAL, 0, 0},
                {"192.0.2.0/1 ", -EINVAL, 0, 0},
                {"192.0.2.0/24/24", -EINVAL, 0, 0},
                {"192.0.2.0/0x8", -EINVAL, 0, 0},
                {"192.0.2.0/255.255.255.0", -EINVAL, 0, 0},
                {"192.0.2.0/4294967296", -EINVAL, 0, 0},
                {"192.0.2.0/99999999999999999999999", -EINVAL, 0, 0},
                {"::/129", -EINVAL, 0, 0},
                {"192.0.2", -EINVAL, 0, 0},
                {"192.0.2.256", -EINVAL, 0, 0},
                {"localhost", -EINVAL, 0, 0},
                {":::", -EINVAL, 0, 0},
                {"any", -EINVAL, 0, 0},
        };
        static const struct index_network untouched = {.family = 77, .prefix = 78, .address = {79}};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct index_network network = untouched;

                if (network_parse(cases[i].text, &network) != cases[i].result)
                        fail_msg("%s", cases[i].text);
                if (cases[i].result < 0) {
                        assert_memory_equal(&network, &untouched, sizeof(network));
                } else {
                        assert_int_equal(network.family, cases[i].family);
                        assert_int_equal(network.prefix, cases[i].prefix);
                }
        }
}

/* An address is no network, and what is none leaves the result alone. */
static void test_parse_address(void **state)
{
        static const struct {
                const char *text;
                int result;
                uint32_t family, prefix;
        } cases[] = {
                {"10.1.2.3", 0, AF_INET, 32},
                {"2001:DB8::1", 0, AF_INET6, 128},
                {"::ffff:10.1.2.3", 0, AF_INET, 32},
                {"10.0.0.0/8", -EINVAL, 0, 0},
                {"10.1.2.3/32", -EINVAL, 0, 0},
                {"::1/128", -EINVAL, 0, 0},
                {"", -EINVAL, 0, 0},
                {"unix:", -EINVAL, 0, 0},
                {"10.1.2", -EINVAL, 0, 0},
                {"10.1.2.3.4", -EINVAL, 0, 0},
                {"010.1.2.3", -EINVAL, 0, 0},
                {" 10.1.2.3", -EINVAL, 0, 0},
                {"10.1.2.3 ", -EINVAL, 0, 0},
                {"10.1.2.3:80", -EINVAL, 0, 0},
                {"[::1]", -EINVAL, 0, 0},
                {"fe80::1%eth0", -EINVAL, 0, 0},
                {"0000:0000:0000:0000:0000:ffff:255.255.255.2555", -EINVAL, 0, 0},
        };
        static const struct index_network untouched = {.family = 77, .prefix = 78, .address = {79}};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct index_network address = untouched;

                if (network_parse_address(cases[i].text, &address) != cases[i].result)
                        fail_msg("%s", cases[i].text);
                if (cases[i].result < 0) {
                        assert_memory_equal(&address, &untouched, sizeof(address));
                } else {
                        assert_int_equal(address.family, cases[i].family);
                        assert_int_equal(address.prefix, cases[i].prefix);
                }
        }
}

static void test_contains(void **state)
{
        static const struct {
                const char *network, *address;
                bool contains;
        } cases[] = {
                {"10.0.0.0/8", "10.255.255.255", true},
                {"10.0.0.0/8", "11.0.0.0", false},
                {"10.0.0.0/8", "9.255.255.255", false},
                {"10.0.0.0/9", "10.127.0.1", true},
                {"10.0.0.0/9", "10.128.0.1", false},
                {"10.1.2.3", "10.1.2.3", true},
                {"10.1.2.3", "10.1.2.2", false},
                {"10.1.2.2/31", "10.1.2.3", true},
                {"10.1.2.2/31", "10.1.2.4", false},
                {"0.0.0.0/0", "255.1.2.3", true},
                {"0.0.0.0/0", "::1", false},
                {"::/0", "::1", true},
                {"::/0", "10.1.2.3", false},
                {"2001:db8::/32", "2001:db8:ffff::1", true},
                {"2001:db8::/32", "2001:DB8::1", true},
                {"2001:db8::/32", "2001:db9::1", false},
                {"2001:db8::/33", "2001:db8:7fff::", true},
                {"2001:db8::/33", "2001:db8:8000::", false},
                {"::1", "::1", true},
                {"::1", "::", false},
                /* IPv4-mapped: one address, two spellings */
                {"10.0.0.0/8", "::ffff:10.1.2.3", true},
                {"10.0.0.0/8", "::ffff:a01:203", true},
                {"10.0.0.0/8", "::ffff:11.1.2.3", false},
                {"::ffff:10.0.0.0/104", "10.1.2.3", true},
                {"::ffff:10.0.0.0/104", "11.1.2.3", false},
                {"::ffff:0:0/96", "198.51.100.7", true},
                {"::/0", "::ffff:10.1.2.3", false},
                {"10.0.0.0/8", "::10.1.2.3", false},
        };
        static const struct index_network any = {0};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct index_network network, address;

                assert_int_equal(network_parse(cases[i].network, &network), 0);
                assert_int_equal(network_parse_address(cases[i].address, &address), 0);
                if (network_contains(&network, &address) != cases[i].contains)
                        fail_msg("%s, %s", cases[i].network, cases[i].address);
                assert_true(network_contains(&any, &address));
                /* An unknown address is in no network but `any`. */
                assert_false(network_contains(&network, &any));
        }
        assert_true(network_contains(&any, &any));
}

/* Of every prefix: a bit that differs inside it counts, one behind it does not. */
static void test_contains_every_prefix(void **state)
{
        static const uint8_t base[16] = {0xa5, 0x5a, 0xc3, 0x3c, 0xf0, 0x0f, 0x99, 0x66, 1, 2, 3, 4, 5, 6, 7, 8};

        (void)state;
        for (uint32_t family = AF_INET;; family = AF_INET6) {
                uint32_t width = family == AF_INET ? 32 : 128;

                for (uint32_t prefix = 0; prefix <= width; prefix++)
                        for (uint32_t bit = 0; bit < width; bit++) {
                                struct index_network network = {.family = family, .prefix = prefix};
                                struct index_network address = {.family = family, .prefix = width};

                                memcpy(address.address, base, width / 8);
                                for (uint32_t i = 0; i < prefix; i++)
                                        network.address[i / 8] |= (uint8_t)(base[i / 8] & (0x80 >> i % 8));
                                assert_true(network_contains(&network, &address));
                                address.address[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
                                assert_int_equal(network_contains(&network, &address), bit >= prefix);
                        }
                if (family == AF_INET6)
                        break;
        }
}

/* What is written is read again as the same. */
static void test_text(void **state)
{
        static const struct {
                const char *read, *written;
        } cases[] = {
                {"192.0.2.1", "192.0.2.1"},
                {"192.0.2.1/32", "192.0.2.1"},
                {"192.0.2.0/24", "192.0.2.0/24"},
                {"0.0.0.0/0", "0.0.0.0/0"},
                {"2001:DB8:0::/32", "2001:db8::/32"},
                {"::1/128", "::1"},
                {"::/0", "::/0"},
                {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
                {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"},
        };
        char text[NETWORK_TEXT_SIZE];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct index_network network, again;

                assert_int_equal(network_parse(cases[i].read, &network), 0);
                assert_ptr_equal(network_text(&network, text), text);
                assert_string_equal(text, cases[i].written);
                assert_int_equal(network_parse(text, &again), 0);
                assert_memory_equal(&network, &again, sizeof(network));
        }
        assert_string_equal(network_text(&(struct index_network){0}, text), "any");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse_network),
                cmocka_unit_test(test_parse_address),
                cmocka_unit_test(test_contains),
                cmocka_unit_test(test_contains_every_prefix),
                cmocka_unit_test(test_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
