/* SPDX-License-Identifier: Apache-2.0 */
/* links: compiler/builder.c compiler/memory.c common/network.c common/front.c common/door.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/index-sample.h"

enum { ALL_SEALS = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK };

/* The valid index, and a copy to spoil: one page more than it needs, and not to the multiple of anything. */
static struct builder builder;
static struct index valid;
static char *copy;

static int set_up(void **state)
{
        (void)state;
        valid = sample_build(&builder);
        copy = malloc(valid.size + 4096);
        assert_non_null(copy);
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        sample_free(&builder);
        free(copy);
        return 0;
}

static void restore(void)
{
        memcpy(copy, valid.header, valid.size);
        memset(copy + valid.size, 0, 4096);
}

/* Opens `size` bytes of the copy; walks what is accepted. Returns what index_open() does. */
static int open_copy(size_t size)
{
        struct index index = {.fd = -77};
        int fd = sample_memfd(copy, size, ALL_SEALS), r = index_open(fd, &index);

        if (r < 0) {
                assert_int_equal(index.fd, -77);
                close_fd(fd);
                return r;
        }
        assert_int_equal(index.fd, fd);
        assert_true(sample_walk(&index) < SIZE_MAX);
        index_close(&index);
        assert_null(index.header);
        assert_int_equal(fcntl(fd, F_GETFD), -1);
        return 0;
}

static void test_valid(void **state)
{
        struct index index;
        const struct index_service *services;

        (void)state;
        restore();
        assert_int_equal(open_copy(valid.size), 0);
        assert_int_equal(index_open(sample_memfd(copy, valid.size, ALL_SEALS | F_SEAL_SEAL), &index), 0);
        services = index_services(&index);
        assert_int_equal(index.header->services.count, 2);
        assert_string_equal(index_text(&index, services[0].name), "wiki");
        assert_string_equal(index_text(&index, services[1].name), "cgi");
        assert_null(index_text(&index, 0));
        assert_string_equal(index_item(&index, services[1].doors, 1), "tcp:127.0.0.1:9000");
        assert_int_equal(((const uint32_t *)index_array(&index, services[0].front_end_users))[2], 35);
        index_close(&index);
}

static void test_no_services(void **state)
{
        struct builder empty;
        struct index index;

        (void)state;
        builder_init(&empty);
        index = builder_finish(&empty, (struct index_header){.min_uid = 1000});
        memcpy(copy, index.header, index.size);
        assert_int_equal(open_copy(index.size), 0);
        sample_free(&empty);
}

static void test_seals(void **state)
{
        static const int seals[] = {0, F_SEAL_WRITE, F_SEAL_GROW, F_SEAL_SHRINK, F_SEAL_SEAL, F_SEAL_FUTURE_WRITE,
                F_SEAL_WRITE | F_SEAL_GROW, F_SEAL_WRITE | F_SEAL_SHRINK, F_SEAL_GROW | F_SEAL_SHRINK,
                F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK};
        struct index index = {.fd = -77};
        int fd;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(seals); i++) {
                fd = sample_memfd(valid.header, valid.size, seals[i]);
                assert_int_equal(index_open(fd, &index), -EBADMSG);
                assert_int_equal(index.fd, -77);
                assert_int_equal(close(fd), 0);
        }
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_int_equal(index_open(fd, &index), -EINVAL);
        close_fd(fd);
        assert_int_equal(index_open(-1, &index), -EBADF);
}

static void test_sizes(void **state)
{
        int fd;
        struct index index;

        (void)state;
        restore();
        for (size_t size = 0; size < valid.size; size++)
                assert_int_equal(open_copy(size), -EBADMSG);
        assert_int_equal(open_copy(valid.size + 1), -EBADMSG);
        assert_int_equal(open_copy(valid.size + 4096), -EBADMSG);
        /* A header that agrees does not help what was cut off. The services are the last that lies in the sample. */
        for (uint32_t size = 0; size < valid.header->services.offset + 2 * sizeof(struct index_service); size++) {
                ((struct index_header *)(void *)copy)->size = size;
                assert_int_equal(open_copy(size), -EBADMSG);
        }
        /* Too large; the memfd has a hole instead of pages. */
        fd = memfd_create("large", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(ftruncate(fd, (off_t)INDEX_SIZE_MAX + 1), 0);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, ALL_SEALS), 0);
        assert_int_equal(index_open(fd, &index), -EBADMSG);
        close_fd(fd);
}

enum base { HEADER, SERVICE, BIND, TRUSTED, DOORS, WARM };

static size_t base_offset(enum base base)
{
        const struct index_service *service = index_services(&valid);

        switch (base) {
        case SERVICE:
                return valid.header->services.offset + sizeof(struct index_service);
        case BIND:
                return service[1].binds.offset + sizeof(struct index_bind);
        case TRUSTED:
                return service[1].trusted.offset + sizeof(struct index_network);
        case DOORS:
                return service[1].doors.offset + sizeof(index_string);
        case WARM:
                return valid.header->services.offset;
        default:
                return 0;
        }
}

#define H(field) HEADER, offsetof(struct index_header, field)
#define S(field) SERVICE, offsetof(struct index_service, field)
#define W(field) WARM, offsetof(struct index_service, field)
#define B(field) BIND, offsetof(struct index_bind, field)
#define T(field) TRUSTED, offsetof(struct index_network, field)

/* One 32-bit word changed. `from_end`: the value is added to the index's size. */
static void test_corrupt(void **state)
{
        static const struct {
                enum base base;
                size_t offset;
                uint32_t value;
                bool from_end;
                int result;
        } cases[] = {
                {H(magic), 0, false, -EBADMSG},
                {H(magic), UINT32_C(0x78696253), false, -EBADMSG},
                {H(version), INDEX_VERSION + 1, false, -EBADMSG},
                {H(size), 0, false, -EBADMSG},
                {H(size), UINT32_MAX, true, -EBADMSG},
                {H(size), 1, true, -EBADMSG},
                {H(selinux), INDEX_SELINUX_REQUIRE + 1, false, -EBADMSG},
                {H(selinux), UINT32_MAX, false, -EBADMSG},
                {H(services.offset), 0, false, -EBADMSG},
                {H(services.offset), sizeof(struct index_header) - 8, false, -EBADMSG},
                {H(services.offset), 0, true, -EBADMSG},
                {H(services.offset), UINT32_MAX - 7, false, -EBADMSG},
                {H(services.count), 3, false, -EBADMSG},
                {H(services.count), UINT32_MAX, false, -EBADMSG},
                {H(services.count), UINT32_C(0x80000000), false, -EBADMSG},
                {H(services.count), 1, false, 0},
                {H(services.count), 0, false, 0},
                /* strings */
                {S(name), 0, false, -EBADMSG},
                {S(name), 0, true, -EBADMSG},
                {S(name), UINT32_MAX, false, -EBADMSG},
                {S(name), UINT32_MAX, true, 0}, /* the last byte: an empty name */
                {S(source), 0, false, -EBADMSG},
                {S(source), 0, true, -EBADMSG},
                {S(script_directory), 0, true, -EBADMSG},
                {S(script_directory), 0, false, 0},
                {S(working_directory), 0, true, -EBADMSG},
                {S(working_directory), 0, false, 0},
                {S(root_directory), 0, true, -EBADMSG},
                {S(root_directory), 0, false, 0},
                {S(context), 0, true, -EBADMSG},
                {S(context), 0, false, 0},
                {DOORS, 0, 0, false, -EBADMSG},
                {DOORS, 0, 0, true, -EBADMSG},
                {DOORS, 0, UINT32_MAX, false, -EBADMSG},
                /* spans */
                {S(doors.offset), 0, false, -EBADMSG},
                {S(doors.offset), 8, false, -EBADMSG},
                {S(doors.offset), 0, true, -EBADMSG},
                {S(doors.count), UINT32_C(0x40000000), false, -EBADMSG},
                {S(doors.count), UINT32_C(0x40000001), false, -EBADMSG},
                {S(doors.count), UINT32_MAX, false, -EBADMSG},
                {S(doors.count), 0, false, 0},
                {S(argv.offset), 0, true, -EBADMSG},
                {S(argv.count), UINT32_MAX, false, -EBADMSG},
                {S(argv.count), 0, false, 0}, /* there is a script directory */
                {S(environment.offset), 4, false, -EBADMSG},
                {S(environment.count), UINT32_MAX, false, -EBADMSG},
                {S(pass_environment.offset), 0, true, -EBADMSG},
                {S(pass_environment.count), UINT32_C(0x20000000), false, -EBADMSG},
                {S(binds.offset), 0, true, -EBADMSG},
                {S(binds.count), UINT32_MAX, false, -EBADMSG},
                {S(binds.count), UINT32_C(0x15555556), false, -EBADMSG}, /* 12 bytes each: 2^32 and a little */
                {B(source), 0, false, -EBADMSG},
                {B(source), 0, true, -EBADMSG},
                {B(target), 0, false, -EBADMSG},
                {B(target), UINT32_MAX, false, -EBADMSG},
                {S(front_end_users.offset), 0, true, -EBADMSG},
                {S(front_end_users.count), UINT32_C(0x40000000), false, -EBADMSG},
                {S(trusted.offset), 0, true, -EBADMSG},
                {S(trusted.count), UINT32_MAX, false, -EBADMSG},
                {T(family), 0, false, -EBADMSG}, /* with a prefix */
                {T(family), AF_INET, false, -EBADMSG},
                {T(family), AF_UNIX, false, -EBADMSG},
                {T(family), UINT32_MAX, false, -EBADMSG},
                {T(prefix), 129, false, -EBADMSG},
                {T(prefix), UINT32_MAX, false, -EBADMSG},
                /* filters */
                {S(filter_allow.count), 0, false, -EBADMSG},
                {S(filter_deny.count), 0, false, -EBADMSG},
                {S(filter_last.count), 0, false, -EBADMSG},
                {S(filter_allow.count), BPF_MAXINSNS + 1, false, -EBADMSG},
                {S(filter_allow.count), 65536, false, -EBADMSG},
                {S(filter_deny.count), UINT32_C(0x20000000), false, -EBADMSG},
                {S(filter_last.offset), 0, true, -EBADMSG},
                {S(filter_last.offset), 0, false, -EBADMSG},
                /* how warm: a service that is not */
                {S(type), INDEX_TYPE_PYTHON, false, 0},
                {S(type), INDEX_TYPES, false, -EBADMSG},
                {S(type), UINT32_MAX, false, -EBADMSG},
                {S(warm_spare), 0, false, 0},
                {S(warm_spare), WARM_SLOTS_MAX, false, 0},
                {S(warm_spare), WARM_SLOTS_MAX + 1, false, -EBADMSG},
                {S(warm_children_max), WARM_SLOTS_MAX, false, 0},
                {S(warm_children_max), WARM_SLOTS_MAX + 1, false, -EBADMSG},
                {S(warm_up.count), 1, false, -EBADMSG},
                {S(filter_warm.count), 1, false, -EBADMSG},
                {S(flags), INDEX_PRIVATE_TMP | INDEX_TMP_SHARED, false, -EBADMSG},
                {S(flags), INDEX_RUNNER, false, 0},
                {S(flags), INDEX_WARM | INDEX_RUNNER, false, -EBADMSG}, /* without a filter */
                /* and one that is */
                {W(type), INDEX_TYPE_CGI, false, -EBADMSG},
                {W(type), INDEX_TYPE_WSGI, false, 0},
                {W(warm_spare), 0, false, -EBADMSG},
                {W(warm_spare), WARM_SLOTS_MAX, false, 0},
                {W(warm_spare), WARM_SLOTS_MAX + 1, false, -EBADMSG},
                {W(warm_idle), 0, false, -EBADMSG},
                {W(argv.count), 0, false, -EBADMSG},
                {W(warm_up.count), 0, false, 0},
                {W(warm_up.count), INDEX_WARM_UP_MAX + 1, false, -EBADMSG},
                {W(warm_up.offset), 0, true, -EBADMSG},
                {W(warm_watch.count), 0, false, 0},
                {W(warm_watch.count), INDEX_WARM_WATCH_MAX + 1, false, -EBADMSG},
                {W(warm_watch.offset), 4, false, -EBADMSG},
                {W(filter_warm.count), 0, false, -EBADMSG},
                {W(filter_warm.count), BPF_MAXINSNS + 1, false, -EBADMSG},
                {W(filter_warm.offset), 0, true, -EBADMSG},
                {W(flags), INDEX_PRIVATE_NETWORK, false, -EBADMSG}, /* with a filter, and not warm */
                {W(flags), INDEX_WARM, false, -EBADMSG},
                {W(flags), INDEX_WARM | INDEX_RUNNER, false, 0},
                {W(flags), INDEX_WARM | INDEX_RUNNER | INDEX_PRIVATE_IPC, false, -EBADMSG},
                {W(flags), INDEX_WARM | INDEX_RUNNER | INDEX_PRIVATE_TMP, false, -EBADMSG},
                {W(flags), INDEX_WARM | INDEX_RUNNER | INDEX_TMP_SHARED, false, -EBADMSG},
                {W(flags), INDEX_WARM | INDEX_RUNNER | INDEX_TMP_SHARED | INDEX_PRIVATE_TMP, false, 0},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint32_t value = cases[i].value + (cases[i].from_end ? (uint32_t)valid.size : 0);

                restore();
                memcpy(copy + base_offset(cases[i].base) + cases[i].offset, &value, sizeof(value));
                if (open_copy(valid.size) != cases[i].result)
                        fail_msg("case %zu", i);
        }
}

static void test_misaligned(void **state)
{
        static const size_t spans[] = {
                offsetof(struct index_service, doors),
                offsetof(struct index_service, argv),
                offsetof(struct index_service, environment),
                offsetof(struct index_service, pass_environment),
                offsetof(struct index_service, binds),
                offsetof(struct index_service, front_end_users),
                offsetof(struct index_service, trusted),
                offsetof(struct index_service, filter_allow),
                offsetof(struct index_service, filter_deny),
                offsetof(struct index_service, filter_last),
                offsetof(struct index_service, warm_up),
                offsetof(struct index_service, warm_watch),
                offsetof(struct index_service, filter_warm),
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(spans); i++)
                for (uint32_t shift = 1; shift < 8; shift++) {
                        struct index_span *span;

                        restore();
                        span = (void *)(copy + base_offset(WARM) + spans[i]);
                        span->offset -= shift;
                        span->count = 1;
                        assert_int_equal(open_copy(valid.size), -EBADMSG);
                }
        for (uint32_t shift = 1; shift < 8; shift++) {
                restore();
                ((struct index_header *)(void *)copy)->services.offset -= shift;
                assert_int_equal(open_copy(valid.size), -EBADMSG);
        }
}

static void test_nothing_to_execute(void **state)
{
        struct index_service *service;

        (void)state;
        restore();
        service = (void *)(copy + base_offset(SERVICE));
        service->argv.count = 0;
        service->script_directory = 0;
        assert_int_equal(open_copy(valid.size), -EBADMSG);
}

static void test_last_byte(void **state)
{
        (void)state;
        for (int c = 1; c < 256; c++) {
                restore();
                copy[valid.size - 1] = (char)c;
                assert_int_equal(open_copy(valid.size), -EBADMSG);
        }
}

/* Each word in turn becomes something nasty. Refused or accepted: nothing outside is ever read. */
static void test_every_word(void **state)
{
        const uint32_t size = (uint32_t)valid.size;
        const uint32_t nasty[] = {0, 1, 2, 3, 7, 8, 64, 65, 4095, 4096, 4097, 65535, 65536, 0x7fffffff, 0x80000000,
                0x20000000, 0x40000000, 0xfffffff8, UINT32_MAX - 1, UINT32_MAX, size - 9, size - 8, size - 4, size - 2,
                size - 1, size, size + 1, size + 8, size / 4, size / 8, (size - 8) & ~7U, sizeof(struct index_header),
                sizeof(struct index_header) + 8};
        unsigned accepted = 0;

        (void)state;
        for (size_t at = 0; at + 4 <= valid.size; at += 4)
                for (size_t i = 0; i < ELEMENTS(nasty); i++) {
                        restore();
                        memcpy(copy + at, &nasty[i], 4);
                        accepted += open_copy(valid.size) == 0;
                }
        assert_true(accepted > 0);
}

/* The same with two words at once, a span's offset and count among them. */
static void test_every_pair(void **state)
{
        const uint32_t size = (uint32_t)valid.size;
        const uint32_t offsets[] = {0, 8, sizeof(struct index_header), (size - 1) & ~7U, size & ~7U, 0xfffffff8};
        const uint32_t counts[] = {1, 2, 3, 64, size / 8, size / 4, 0x20000000, UINT32_MAX};

        (void)state;
        for (size_t at = 0; at + 8 <= valid.size; at += 4)
                for (size_t i = 0; i < ELEMENTS(offsets); i++)
                        for (size_t k = 0; k < ELEMENTS(counts); k++) {
                                restore();
                                memcpy(copy + at, &offsets[i], 4);
                                memcpy(copy + at + 4, &counts[k], 4);
                                (void)open_copy(valid.size);
                        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_valid),
                cmocka_unit_test(test_no_services),
                cmocka_unit_test(test_seals),
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_corrupt),
                cmocka_unit_test(test_misaligned),
                cmocka_unit_test(test_nothing_to_execute),
                cmocka_unit_test(test_last_byte),
                cmocka_unit_test(test_every_word),
                cmocka_unit_test(test_every_pair),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
