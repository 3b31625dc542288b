/* SPDX-License-Identifier: Apache-2.0 */
/* links: common/warm.c common/wire.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/warm.h"

static struct warm_request valid_request(uint32_t kind)
{
        struct warm_request request = {.magic = WARM_MAGIC, .kind = kind, .number = 7};

        strcpy(request.request_id, "0123456789abcdef0123456789abcdef");
        strcpy(request.user, "alice");
        strcpy(request.script, "/srv/cgi/a.cgi");
        return request;
}

/* Those of the launch request without the front connection. */
static void test_fds(void **state)
{
        (void)state;
        assert_int_equal(warm_request_fds(WIRE_STREAMS), 4);
        assert_int_equal(warm_request_fds(WIRE_CONNECTION), 3);
}

static int check(const struct warm_request *request)
{
        return warm_check_request(request, warm_request_size(request), warm_request_fds(request->kind));
}

static void test_request(void **state)
{
        (void)state;
        for (uint32_t kind = WIRE_STREAMS; kind <= WIRE_CONNECTION; kind++) {
                struct warm_request request = valid_request(kind);
                const size_t size = warm_request_size(&request), n = warm_request_fds(kind);

                assert_int_equal(size, offsetof(struct warm_request, script) + sizeof("/srv/cgi/a.cgi"));
                assert_int_equal(check(&request), 0);
                assert_int_equal(warm_check_request(&request, size - 1, n), -EBADMSG);
                assert_int_equal(warm_check_request(&request, sizeof(request) + 1, n), -EBADMSG);
                assert_int_equal(warm_check_request(&request, 0, n), -EBADMSG);
                assert_int_equal(warm_check_request(&request, SIZE_MAX, n), -EBADMSG);
                assert_int_equal(warm_check_request(&request, size, n - 1), -EBADMSG);
                assert_int_equal(warm_check_request(&request, size, n + 1), -EBADMSG);
                assert_int_equal(warm_check_request(&request, size, 0), -EBADMSG);
                memset(request.script, 0, sizeof(request.script));
                assert_int_equal(check(&request), 0);
                memset(request.script, 's', sizeof(request.script) - 1);
                assert_int_equal(
                        warm_request_size(&request), offsetof(struct warm_request, script) + sizeof(request.script));
                assert_int_equal(check(&request), 0);
                /* What the compiler adds behind the script is no part of it, and cannot end it. */
                request.script[sizeof(request.script) - 1] = 's';
                assert_int_equal(warm_check_request(&request, sizeof(request), n), -EBADMSG);
                request.script[sizeof(request.script) - 1] = '\0';
                request.magic++;
                assert_int_equal(check(&request), -EBADMSG);
        }
}

static void test_request_fields(void **state)
{
        struct warm_request request = valid_request(WIRE_CONNECTION);

        (void)state;
        request.environment_size = WIRE_CONNECTION_ENVIRONMENT_MAX;
        assert_int_equal(check(&request), 0);
        request.environment_size++;
        assert_int_equal(check(&request), -EBADMSG);
        request = valid_request(WIRE_CONNECTION + 1);
        for (size_t n = 0; n < 8; n++)
                assert_int_equal(warm_check_request(&request, warm_request_size(&request), n), -EBADMSG);
}

/* Each string, without its NUL. */
static void test_request_strings(void **state)
{
        static const struct {
                size_t offset, size;
        } fields[] = {
                {offsetof(struct warm_request, request_id), WIRE_REQUEST_ID_SIZE},
                {offsetof(struct warm_request, user), WIRE_USER_SIZE},
                {offsetof(struct warm_request, address), WIRE_ADDRESS_SIZE},
                {offsetof(struct warm_request, host), WIRE_HOST_SIZE},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(fields); i++) {
                struct warm_request request = valid_request(WIRE_STREAMS);

                memset((char *)&request + fields[i].offset, 'x', fields[i].size - 1);
                ((char *)&request)[fields[i].offset + fields[i].size - 1] = '\0';
                assert_int_equal(check(&request), 0);
                ((char *)&request)[fields[i].offset + fields[i].size - 1] = 'x';
                assert_int_equal(check(&request), -EBADMSG);
        }
}

static void test_slot(void **state)
{
        struct warm_slot slot = {.magic = WARM_MAGIC, .slot = WARM_SLOTS_MAX - 1};

        (void)state;
        assert_int_equal(warm_check_slot(&slot, sizeof(slot), WARM_SLOT_FDS), 0);
        assert_int_equal(warm_check_slot(&slot, sizeof(slot), 0), 0);
        assert_int_equal(warm_check_slot(&slot, sizeof(slot) - 1, WARM_SLOT_FDS), -EBADMSG);
        assert_int_equal(warm_check_slot(&slot, sizeof(slot) + 1, WARM_SLOT_FDS), -EBADMSG);
        assert_int_equal(warm_check_slot(&slot, sizeof(slot), WARM_SLOT_FDS - 1), -EBADMSG);
        assert_int_equal(warm_check_slot(&slot, sizeof(slot), WARM_SLOT_FDS + 1), -EBADMSG);
        slot.slot++;
        assert_int_equal(warm_check_slot(&slot, sizeof(slot), WARM_SLOT_FDS), -EBADMSG);
        slot = (struct warm_slot){.magic = WIRE_MAGIC};
        assert_int_equal(warm_check_slot(&slot, sizeof(slot), WARM_SLOT_FDS), -EBADMSG);
}

static int check_event(const struct warm_event *event)
{
        return warm_check_event(event, sizeof(*event), 0);
}

/* An application zygote may be taken over: what it says is checked like a client's. */
static void test_event(void **state)
{
        struct warm_event event = {.magic = WARM_MAGIC, .detail = "three threads"};

        (void)state;
        for (event.kind = WARM_READY; event.kind < WARM_EVENTS; event.kind++)
                assert_int_equal(check_event(&event), 0);
        assert_int_equal(check_event(&event), -EBADMSG);
        event.kind = 0;
        assert_int_equal(check_event(&event), -EBADMSG);
        event.kind = WARM_TAKEN;
        event.number = UINT64_MAX;
        event.slot = WARM_SLOTS_MAX - 1;
        assert_int_equal(check_event(&event), 0);
        assert_int_equal(warm_check_event(&event, sizeof(event), 1), -EBADMSG);
        assert_int_equal(warm_check_event(&event, sizeof(event) - 1, 0), -EBADMSG);
        assert_int_equal(warm_check_event(&event, sizeof(event) + 1, 0), -EBADMSG);
        event.slot++;
        assert_int_equal(check_event(&event), -EBADMSG);
        event.slot = 0;
        event.magic++;
        assert_int_equal(check_event(&event), -EBADMSG);
}

static void test_event_detail(void **state)
{
        struct warm_event event = {.magic = WARM_MAGIC, .kind = WARM_UNFIT};

        (void)state;
        memset(event.detail, 'd', sizeof(event.detail) - 1);
        assert_int_equal(check_event(&event), 0);
        event.detail[sizeof(event.detail) - 1] = 'd';
        assert_int_equal(check_event(&event), -EBADMSG);
        memset(event.detail, 0, sizeof(event.detail));
        event.detail[0] = '\n';
        assert_int_equal(check_event(&event), -EBADMSG);
        event.detail[0] = '\0';
        event.detail[9] = 'x';
        assert_int_equal(check_event(&event), -EBADMSG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fds),
                cmocka_unit_test(test_request),
                cmocka_unit_test(test_request_fields),
                cmocka_unit_test(test_request_strings),
                cmocka_unit_test(test_slot),
                cmocka_unit_test(test_event),
                cmocka_unit_test(test_event_detail),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
