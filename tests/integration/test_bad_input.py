# SPDX-License-Identifier: Apache-2.0
"""What a broken or hostile front end or application sends; its neighbours must not notice.

Every test runs within stack.neighbour(): a normal request that is in progress meanwhile and must finish
right.
"""

import os
import random
import socket
import struct

import fcgi
import pytest
import stack as lib
from stack import fresh_user, processes_of, wait_for
from test_path import APP, check_own_page, growth_bound

SERVICES = {
    "cgi": {**APP, "RuntimeMaxSec": "120", "MaxConnections": "100"},
    "bounded": {**APP, "RuntimeMaxSec": "3", "LimitNPROC": "24"},
}


@pytest.fixture(scope="module")
def stack(app):
    one = lib.Stack(SERVICES, programs=[app])
    with one.neighbour():  # what the bridge opens once, it has opened before descriptors are counted
        pass
    yield one
    one.stop()


@pytest.fixture(autouse=True)
def neighbour(stack):
    """Around each test: the neighbour's request, and the bridge's descriptors, which must all come back."""
    before = lib.descriptors_of(stack.bridge.pid)
    with stack.neighbour():
        yield
    wait_for(
        lambda: len(lib.descriptors_of(stack.bridge.pid)) <= len(before),
        "the bridge to close the descriptors of a bad request",
    )


def exchange_bytes(stack, data):
    """Sends bytes and the end of the stream; returns the records that come back before the server closes."""
    return fcgi.records(fcgi.raw(stack.door("cgi"), data))


def no_success(records):
    output = b"".join(record.content for record in records if record.type == fcgi.STDOUT)
    assert b'"uid"' not in output, "the application ran"
    return output


# The record layer (section 3.3)


@pytest.mark.parametrize("version", [0, 2, 255])
def test_a_record_of_another_version_closes_the_connection(stack, version):
    data = fcgi.whole_request(stack.params())
    no_success(exchange_bytes(stack, bytes([version]) + data[1:]))


def test_a_record_of_another_version_in_the_middle_of_a_request_ends_it(stack):
    user, uid = fresh_user()
    with stack.begin("cgi", "echo", user=user, method="POST", CONTENT_LENGTH="8") as connection:
        connection.read_until(b"\r\n\r\n")
        connection.send(fcgi.encode_record(fcgi.STDIN, 1, b"12345678", version=9))
        assert connection.closed()
        wait_for(lambda: not processes_of(uid), "the application to end")


@pytest.mark.parametrize("role", [0, fcgi.AUTHORIZER, fcgi.FILTER, 4, 65535])
def test_another_role_is_refused_as_unknown(stack, role):
    with stack.connect("cgi") as connection:
        connection.send(fcgi.begin(role=role))
        response = connection.read_response()
        assert response.protocol_status == fcgi.UNKNOWN_ROLE  # section 5.5
        assert response.stdout == b""


@pytest.mark.parametrize("type", [0, 12, 99, 255])
def test_an_unknown_management_record_is_answered_with_unknown_type(stack, type):
    with stack.connect("cgi") as connection:
        connection.send(fcgi.encode_record(type, 0, b"content", padding=1))
        record = connection.read_record()
        assert (record.type, record.id) == (fcgi.UNKNOWN_TYPE, 0)  # section 4.2
        assert record.content == bytes([type]) + b"\0" * 7
        connection.send(fcgi.whole_request(stack.params("report", user="alice")))
        assert connection.read_response().status == 200


@pytest.mark.parametrize("type", [fcgi.END_REQUEST, fcgi.STDOUT, fcgi.STDERR, fcgi.UNKNOWN_TYPE, 77])
def test_a_record_that_a_front_end_never_sends_does_no_harm(stack, type):
    data = fcgi.encode_record(type, 1, b"12345678")
    exchange_bytes(stack, data)
    exchange_bytes(stack, fcgi.begin() + data + fcgi.whole_request(stack.params())[16:])


def test_a_request_cut_anywhere_starts_no_application_that_stays(stack):
    user, uid = fresh_user()
    data = fcgi.whole_request(stack.params("never", user=user), b"body")
    for cut in [*range(0, 40), *range(40, len(data), 7)]:
        no_success(exchange_bytes(stack, data[:cut]))
    wait_for(lambda: not processes_of(uid), "all applications to end")


def test_a_record_that_promises_more_than_comes_is_dropped(stack):
    for type in (fcgi.BEGIN_REQUEST, fcgi.PARAMS, fcgi.STDIN, fcgi.GET_VALUES):
        lie = fcgi.encode_record(type, 1, b"few", length=65535)
        no_success(exchange_bytes(stack, lie))
        no_success(exchange_bytes(stack, fcgi.begin() + lie))


@pytest.mark.parametrize("length", [0, 1, 7, 9, 65535])
def test_a_begin_record_of_a_wrong_length_starts_nothing(stack, length):
    body = struct.pack("!HB5x", fcgi.RESPONDER, 0).ljust(length, b"\0")[:length]
    rest = fcgi.whole_request(stack.params())[16:]
    if length > 8:  # a longer body is not what section 5.1 shows; accepting it is no harm, crashing is
        exchange_bytes(stack, fcgi.encode_record(fcgi.BEGIN_REQUEST, 1, body) + rest)
    else:
        no_success(exchange_bytes(stack, fcgi.encode_record(fcgi.BEGIN_REQUEST, 1, body) + rest))


def test_padding_of_every_length_is_skipped(stack):
    params = fcgi.encode_pairs(stack.params("echo", method="POST", stdin=b"abc", user="alice"))
    for padding in (0, 1, 7, 8, 128, 255):
        with stack.connect("cgi") as connection:
            body = struct.pack("!HB5x", fcgi.RESPONDER, 0)
            connection.send(
                fcgi.encode_record(fcgi.BEGIN_REQUEST, 1, body, padding)
                + fcgi.encode_record(fcgi.PARAMS, 1, params, padding)
                + fcgi.encode_record(fcgi.PARAMS, 1, b"", padding)
                + fcgi.encode_record(fcgi.STDIN, 1, b"abc", padding)
                + fcgi.encode_record(fcgi.STDIN, 1, b"", padding)
            )
            assert connection.read_response().body == b"abc"


def test_a_request_that_comes_one_byte_at_a_time_is_served(stack):
    data = fcgi.whole_request(stack.params("echo", method="POST", stdin=b"abc", user="alice"), b"abc")
    with stack.connect("cgi") as connection:
        for i in range(len(data)):
            connection.send(data[i : i + 1])
        assert connection.read_response().body == b"abc"


def test_request_ids_of_two_bytes_come_back(stack):
    for id in (1, 255, 256, 65535):
        with stack.connect("cgi") as connection:
            connection.send(fcgi.whole_request(stack.params("echo", user="alice"), id=id))
            assert connection.read_response(id=id).status == 200


def test_request_id_zero_is_no_request(stack):
    no_success(exchange_bytes(stack, fcgi.whole_request(stack.params(), id=0)))


def test_records_of_a_request_that_was_never_begun_start_nothing(stack):
    no_success(exchange_bytes(stack, fcgi.whole_request(stack.params())[16:]))


def test_noise_ends_the_connection_and_nothing_else(stack):
    source = random.Random(20)
    for _ in range(60):
        noise = source.randbytes(source.randrange(1, 4000))
        fcgi.raw(stack.door("cgi"), noise)
        fcgi.raw(stack.door("cgi"), fcgi.begin() + b"\1" + noise)
    for protocol in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"):
        fcgi.raw(stack.door("cgi"), protocol * 20)


# Parameters (section 3.4, section 5.2)


def test_a_pair_may_straddle_records_at_every_byte(stack):
    params = {
        "QUERY_STRING": "report",
        "SCRIPT_FILENAME": "/apps/app",
        "REQUEST_METHOD": "GET",
        "REMOTE_USER": "alice",
        "HTTP_X_LONG": "v" * 200,
    }
    data = fcgi.encode_pairs(params) + fcgi.encode_pair("HTTP_X_FORCED", "short", long=True)
    with stack.connect("cgi") as connection:
        for cut in range(1, len(data)):
            connection.send(
                fcgi.begin(flags=fcgi.KEEP_CONN)
                + fcgi.encode_record(fcgi.PARAMS, 1, data[:cut])
                + fcgi.encode_record(fcgi.PARAMS, 1, data[cut:])
                + fcgi.encode_record(fcgi.PARAMS, 1)
                + fcgi.encode_record(fcgi.STDIN, 1)
            )
            response = connection.read_response()
            assert response.status == 200, f"cut at {cut}"
            for expected in (b"HTTP_X_LONG=" + b"v" * 200, b"HTTP_X_FORCED=short", b"REMOTE_USER=alice"):
                assert b'"' + expected + b'"' in response.body, f"cut at {cut}"


def test_parameters_of_one_byte_a_record_arrive(stack):
    data = fcgi.encode_pairs(stack.params("report", user="alice", HTTP_X="1" * 300))
    with stack.connect("cgi") as connection:
        connection.send(fcgi.begin() + fcgi.encode_stream(fcgi.PARAMS, 1, data, chunk=1))
        connection.send(fcgi.encode_record(fcgi.STDIN, 1))
        assert b'"HTTP_X=' + b"1" * 300 + b'"' in connection.read_response().body


@pytest.mark.parametrize(
    "tail",
    [
        struct.pack("!II", 0xFFFFFFFF, 0xFFFFFFFF),
        struct.pack("!II", 0xFFFFFFFF, 0x80000000) + b"x",
        struct.pack("!II", 0x80000001, 0xFFFFFFFF) + b"x",
        b"\x7f",
        b"\x05\x05ab",
        b"\x80\0\0",
        b"\x01\xff",
    ],
    ids=lambda tail: tail.hex(),
)
def test_lengths_that_lie_beyond_the_stream_are_refused(stack, tail):
    data = fcgi.encode_pairs(stack.params("report", user="alice")) + tail
    with stack.connect("cgi") as connection:
        connection.send(fcgi.begin() + fcgi.encode_stream(fcgi.PARAMS, 1, data))
        connection.send(fcgi.encode_record(fcgi.STDIN, 1))
        response = connection.read_response()
        assert response.closed or response.status in (400, 413, 431, 500, 502)
        assert b'"uid"' not in response.stdout


def refused_or_whole(stack, params, wanted):
    """Either every parameter arrived or the request was refused: never a part of it."""
    with stack.connect("cgi") as connection:
        connection.exchange(fcgi.whole_request(params))
        response = connection.read_response()
    if response.closed or response.status != 200:
        assert b'"uid"' not in response.stdout
        assert response.closed or response.status in (400, 413, 431, 500)
        return False
    assert response.body.count(b'"HTTP_X_') == wanted
    return True


def test_a_hundred_parameters_all_arrive(stack):
    many = {f"HTTP_X_{n}": "v" * 20 for n in range(100)}
    assert refused_or_whole(stack, {**stack.params("report", user="alice"), **many}, 100)


@pytest.mark.parametrize("count", [1000, 5000, 50000])
def test_thousands_of_parameters_arrive_all_or_are_refused(stack, count):
    many = {f"HTTP_X_{n}": "v" for n in range(count)}
    refused_or_whole(stack, {**stack.params("report", user="alice"), **many}, count)


@pytest.mark.parametrize("size", [60000, 250000, 300000, 4 << 20])
def test_a_huge_parameter_arrives_whole_or_is_refused(stack, size):
    before = lib.rss_of(stack.bridge.pid)
    refused_or_whole(stack, {**stack.params("report", user="alice"), "HTTP_X_HUGE": "v" * size}, 1)
    assert lib.rss_of(stack.bridge.pid) - before < growth_bound()


def test_an_environment_beyond_the_launch_protocol_s_limit_is_refused(stack):
    huge = {f"HTTP_X_{n}": "v" * 30000 for n in range(40)}
    assert not refused_or_whole(stack, {**stack.params("report", user="alice"), **huge}, 40)


def test_a_selector_that_is_too_long_or_unclean_is_refused(stack):
    bad = ["alice\n", "al\x00ice", "alice" + "x" * 300, "\x7f", "a" * 256]
    for user in bad:
        response = fcgi.request(stack.door("cgi"), stack.params("report", user=user))
        assert response.status in (400, 403, 500), repr(user)
    for name in ("REMOTE_ADDR", "SERVER_NAME"):
        response = fcgi.request(stack.door("cgi"), stack.params("report", user="alice", **{name: "h" * 4000}))
        assert response.status in (400, 403, 500), name


# Multiplexing, which the bridge does not do (FCGI_MPXS_CONNS is 0)


def test_a_second_request_on_a_busy_connection_gets_cant_mpx_conn(stack):
    with stack.begin("cgi", "echo", user="alice", method="POST", CONTENT_LENGTH="5") as connection:
        connection.read_until(b"\r\n\r\n")
        connection.send(fcgi.whole_request(stack.params("report", user="bob"), id=2))
        record = connection.read_record()
        assert (record.type, record.id) == (fcgi.END_REQUEST, 2)
        assert record.content[4] == fcgi.CANT_MPX_CONN  # section 5.5
        connection.send(fcgi.encode_stream(fcgi.STDIN, 1, b"first"))
        response = connection.read_response()
        assert response.stdout == b"first" and response.app_status == 0


def test_a_second_begin_on_a_live_id_does_not_start_a_second_application(stack):
    user, uid = fresh_user()
    with stack.begin("cgi", "echo", user=user, method="POST", CONTENT_LENGTH="5") as connection:
        connection.read_until(b"\r\n\r\n")
        connection.send(fcgi.whole_request(stack.params("hold", user=user), id=1))
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.closed()
        wait_for(lambda: not processes_of(uid), "the application to end")


# Bodies


CLAIMS = ["100", "5", "0", "-1", "1e9", "garbage", "", "18446744073709551617", "0x10"]


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_content_length_that_lies_is_refused_or_read_to_the_end_of_stdin(stack, claim):
    body = b"0123456789"
    params = stack.params("count", user="alice", method="POST", CONTENT_LENGTH=claim)
    response = fcgi.request(stack.door("cgi"), params, body)
    assert response.protocol_status == fcgi.REQUEST_COMPLETE
    assert response.status in (200, 400, 413)
    if response.status == 200:
        assert int(response.body) <= len(body)


def test_an_application_that_never_reads_its_body_answers(stack):
    body = os.urandom(5 << 20)
    response = stack.request("cgi", "unread", stdin=body, user="alice")
    assert response.body == b"not read\n" and response.app_status == 0


def test_a_connection_stays_usable_after_a_body_that_nobody_read(stack):
    body = b"x" * (1 << 20)
    with stack.connect("cgi") as connection:
        params = stack.params("unread", stdin=body, method="POST", user="alice")
        connection.exchange(fcgi.whole_request(params, body, flags=fcgi.KEEP_CONN))
        assert connection.read_response().body == b"not read\n"
        connection.send(fcgi.whole_request(stack.params("echo", user="alice"), id=2))
        assert connection.read_response(id=2).status == 200


# Applications


def test_a_megabyte_of_header_without_a_line_end_is_a_502(stack):
    response = stack.request("cgi", "raw", stdin=b"X: " + b"x" * (1 << 20), user="alice")
    check_own_page(response, 502)


def test_a_header_that_never_ends_is_a_502(stack):
    response = stack.request("cgi", "raw", stdin=b"X-Again: 1\r\n" * 100000, user="alice")
    check_own_page(response, 502)


@pytest.mark.parametrize(
    "head",
    [
        b"Status: 99 Low\n\nbody",
        b"Status: abc\n\nbody",
        b"Status: 2000\n\nbody",
        b"X-A: b\rSet-Cookie: c\n\nbody",
        b"X-A: b\0c\n\nbody",
        b" X-Folded: 1\n\nbody",
        b"X A: 1\n\nbody",
        b"HTTP/1.1\n\nbody",
        b"HTTP/1.1 abc\n\nbody",
    ],
    ids=repr,
)
def test_a_malformed_header_is_a_502_or_made_harmless(stack, head):
    response = stack.request("cgi", "raw", stdin=head, user="alice")
    if response.status != 502:
        assert 100 <= response.status <= 599
        assert not any(c in value for _, value in response.headers for c in "\r\n\0")
        assert response.body == b"body"


def test_an_application_that_writes_for_ever_is_stopped_by_its_deadline(stack):
    bound = growth_bound()
    before = lib.rss_of(stack.bridge.pid)
    user, uid = fresh_user()
    with stack.begin("bounded", "spew", user=user) as connection:
        connection.send(fcgi.encode_record(fcgi.STDIN, 1))
        length, part = 0, fcgi.Response()
        while connection.take(part):
            length += len(part.stdout)
            part.stdout = b""
    assert length > 1 << 20
    assert lib.rss_of(stack.bridge.pid) - before < bound
    wait_for(lambda: not processes_of(uid), "the application to end")


def test_an_application_that_floods_stderr_harms_nobody(stack):
    response = stack.request("cgi", "stderr:" + "e" * 100000, user="alice")
    assert response.status in (200, 400, 431, 500)


def test_an_application_that_forks_for_ever_is_bounded_and_killed(stack):
    user, uid = fresh_user()
    with stack.begin("bounded", "forks", user=user) as connection:
        connection.send(fcgi.encode_record(fcgi.STDIN, 1))
        most = wait_for(lambda: len(processes_of(uid)) > 4 and len(processes_of(uid)), "children")
        response = connection.read_response()
        assert most <= 25, "LimitNPROC=24"
        check_own_page(response, 504)
    wait_for(lambda: not processes_of(uid), "all of them to end")
