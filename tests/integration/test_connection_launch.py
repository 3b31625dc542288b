# SPDX-License-Identifier: Apache-2.0
"""The bridge as a FastCGI client: launches with a connection, where the test is broker, child and application."""

import os
import re
import signal
import socket
import threading
import time

import fcgi
import launch_peers as peers
import pytest
import stack as lib
from launch_peers import CONNECTION, NO_BODY, STREAMS
from stack import wait_for

HEADER = b"Content-Type: text/plain\r\n\r\n"
LARGE = 5 << 20


@pytest.fixture
def make_broker():
    brokers = []

    def make(*options, **arguments):
        brokers.append(peers.Broker(*options, notify=False, **arguments))
        return brokers[-1]

    yield make
    for broker in brokers:
        broker.close()


@pytest.fixture
def cold(make_broker):
    return make_broker()


@pytest.fixture
def warm(cold):
    """A broker that has said that it wants connections at its door."""
    learn(cold)
    return cold


def learn(broker, wants=CONNECTION):
    with broker.connect() as connection:
        send(broker, connection)
        broker.accept(STREAMS).respond(b"cold", wants=wants)
        check(connection.read_response(), b"cold")


def send(broker, connection, body=b"", flags=0, **arguments):
    params = broker.params("query", method="POST" if body else "GET", stdin=body, **arguments)
    connection.send(fcgi.whole_request(params, body, flags=flags))


def begin(broker, connection, **arguments):
    """A request whose body is yet to come."""
    params = broker.params("query", **{"method": "POST", **arguments})
    connection.send(fcgi.begin() + fcgi.encode_stream(fcgi.PARAMS, 1, fcgi.encode_pairs(params)))


def check(response, body, status=200, app_status=0):
    assert not response.closed, "the connection was closed in the place of an answer"
    assert (response.status, response.body) == (status, body)
    assert (response.app_status, response.protocol_status) == (app_status, fcgi.REQUEST_COMPLETE)


def check_error(response, status):
    assert (response.status, response.app_status) == (status, 1)


def descriptors(broker):
    return lib.descriptors_of(broker.manager.bridge.pid)


def check_rest(broker, before):
    wait_for(lambda: len(descriptors(broker)) <= len(before), f"no more descriptors than {before}: {descriptors(broker)}")


# A request


def test_a_request_without_a_body(warm):
    before = descriptors(warm)
    with warm.connect() as connection:
        send(warm, connection, user="alice", HTTP_COOKIE="a=b")
        launch = warm.accept(CONNECTION)
        assert launch.flags == NO_BODY
        assert (launch.user, launch.address, launch.host) == ("alice", "192.0.2.7", "www.example.org")
        assert launch.script == "/apps/app" and re.fullmatch("[0-9a-f]{32}", launch.id)
        found = launch.parameters()
        assert found["HTTP_COOKIE"] == "a=b" and found["QUERY_STRING"] == "query" and found["REMOTE_USER"] == "alice"
        launch.respond(b"hello", status=7)
        check(connection.read_response(), b"hello", app_status=7)
        assert launch.said() == "done"
        assert launch.child.recv(1) == b"", "nothing but the environment, and the connection is closed"
    check_rest(warm, before)


def test_the_application_s_end_blocks_and_the_copy_of_ours_does_not(warm):
    """A program does not expect EAGAIN; the child must not wait for itself."""
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        flags = [launch.blocking[name] for name in ("child", "peer")]
        assert flags == [True, False]
        mode = os.fstat(launch.fds["stderr"]).st_mode & 0o777
        assert mode == 0o666 and os.get_blocking(launch.fds["stderr"])
        launch.parameters()
        launch.respond(b"x")
        check(connection.read_response(), b"x")


def test_requests_share_one_connection_of_the_web_server(warm):
    before, ids = descriptors(warm), set()
    with warm.connect() as connection:
        for i in range(40):
            body = b"" if i % 2 else os.urandom(i * 1000 + 1)
            send(warm, connection, body, flags=fcgi.KEEP_CONN)
            launch = warm.accept(CONNECTION)
            launch.parameters()
            if body:
                launch.go()
                assert launch.read_body() == body
            launch.respond(str(i).encode())
            check(connection.read_response(), str(i).encode())
            assert launch.said() == "done"
            ids.add(launch.id)
            launch.end()
    assert len(ids) == 40
    check_rest(warm, before)


@pytest.mark.parametrize("kind", [STREAMS, CONNECTION])
def test_ids_of_many_requests_differ(warm, kind):
    if kind == STREAMS:
        relearn(warm)
    ids = set()
    with warm.connect() as connection:
        for _ in range(40):
            send(warm, connection, flags=fcgi.KEEP_CONN)
            launch = warm.accept(kind)
            if kind == CONNECTION:
                launch.parameters()
            launch.respond(b"x")
            check(connection.read_response(), b"x")
            ids.add(launch.id)
    assert len(ids) == 40 and all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


def test_records_cut_at_every_byte(warm):
    text = peers.response(HEADER + b"body", 3, b"message\n", chunk=13) + b"behind the end"
    with warm.connect() as connection:
        for cut in range(1, len(text)):
            send(warm, connection, flags=fcgi.KEEP_CONN)
            launch = warm.accept(CONNECTION)
            launch.parameters()
            launch.send(text[:cut])
            if cut % 8 == 0:  # so that the bridge reads the one apart from the other
                time.sleep(0.002)
            try:
                launch.send(text[cut:])
            except BrokenPipeError:
                assert cut >= len(text) - len(b"behind the end")
            response = connection.read_response()
            check(response, b"body", app_status=3)
            assert response.stderr == b"message\n"
            launch.end()


def test_records_of_one_byte_and_any_padding(warm):
    output = HEADER + os.urandom(3000)
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.parameters()
        for i in range(len(output)):
            launch.send(fcgi.encode_record(fcgi.STDOUT, 1, output[i : i + 1], padding=i % 256))
        launch.send(fcgi.encode_record(fcgi.STDERR, 1, padding=9), peers.end_request())
        check(connection.read_response(), output[len(HEADER) :])


def test_a_flood_of_the_smallest_records(warm):
    """They are longer for the web server than they were here: what one read adds has its bound all the same."""
    records = b"".join(
        fcgi.encode_record(type, 1, b"x") for _ in range(60000) for type in (fcgi.STDOUT, fcgi.STDERR)
    )
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.send(fcgi.encode_record(fcgi.STDOUT, 1, HEADER))
        thread = threading.Thread(target=launch.send, args=(records, peers.end_request()))
        thread.start()
        time.sleep(0.3)  # the web server reads nothing yet
        response = connection.read_response()
        thread.join()
        check(response, b"x" * 60000)
        assert response.stderr == b"x" * 60000
    assert "(further lines suppressed)" in warm.manager.log() or warm.manager.log().count("stderr: xxx") > 10


# The body


def test_a_body_waits_for_the_child_and_arrives_whole(warm):
    with warm.connect() as connection:
        send(warm, connection, b"the body")
        launch = warm.accept(CONNECTION)
        assert launch.flags == 0
        assert launch.parameters()["CONTENT_LENGTH"] == "8"
        assert launch.is_silent()
        launch.go()
        assert launch.read_body() == b"the body"
        launch.respond(b"x")
        check(connection.read_response(), b"x")
        assert launch.said() == "done"


def test_a_body_that_comes_after_the_child_is_ready(warm):
    with warm.connect() as connection:
        begin(warm, connection, CONTENT_LENGTH="6")
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.go()
        assert launch.is_silent()
        for part in (b"ab", b"cd", b"ef"):
            connection.send(fcgi.encode_record(fcgi.STDIN, 1, part))
            assert launch.read_record() == (fcgi.STDIN, 1, part)
        assert launch.read_record() == (fcgi.STDIN, 1, b""), "its length says that it is whole"
        connection.send(fcgi.encode_record(fcgi.STDIN, 1))
        assert launch.is_silent(0.1)
        launch.respond(b"x")
        check(connection.read_response(), b"x")


@pytest.mark.parametrize("length, sent, read", [("8", b"12345", b"12345"), ("3", b"12345", b"123"), (None, b"12345", b"12345")])
def test_a_body_of_another_length_than_was_said(warm, length, sent, read):
    with warm.connect() as connection:
        begin(warm, connection, CONTENT_LENGTH=length)
        launch = warm.accept(CONNECTION)
        assert launch.flags == 0
        launch.parameters()
        connection.send(fcgi.encode_stream(fcgi.STDIN, 1, sent))
        launch.go()
        assert launch.read_body() == read
        launch.respond(b"x")
        check(connection.read_response(), b"x")


def test_an_empty_body_that_was_said_to_be_longer(warm):
    with warm.connect() as connection:
        begin(warm, connection, CONTENT_LENGTH="5")
        launch = warm.accept(CONNECTION)
        launch.parameters()
        connection.send(fcgi.encode_record(fcgi.STDIN, 1))
        assert launch.is_silent(0.1)
        launch.go()
        assert launch.read_body() == b""
        launch.respond(b"x")
        check(connection.read_response(), b"x")


@pytest.mark.parametrize(
    "method, length, ended, flags",
    [
        ("POST", "0", False, NO_BODY),
        ("GET", None, False, NO_BODY),
        ("HEAD", None, False, NO_BODY),
        ("POST", None, True, NO_BODY),
        ("POST", None, False, 0),
        ("GET", "5", False, 0),
    ],
)
def test_what_is_known_to_have_no_body(warm, method, length, ended, flags):
    with warm.connect() as connection:
        if ended:
            params = warm.params("query", method=method, CONTENT_LENGTH=length)
            connection.send(fcgi.whole_request(params))
        else:
            begin(warm, connection, method=method, CONTENT_LENGTH=length)
        launch = warm.accept(CONNECTION)
        assert launch.flags == flags
        launch.parameters()
        if not flags:
            launch.go()
        launch.respond(b"x")
        check(connection.read_response(), b"x")


def test_a_body_that_was_said_not_to_be_there_is_dropped(warm):
    with warm.connect() as connection:
        begin(warm, connection, method="GET")
        launch = warm.accept(CONNECTION)
        launch.parameters()
        connection.send(fcgi.encode_stream(fcgi.STDIN, 1, b"x" * 200000))
        launch.send(fcgi.encode_record(fcgi.STDOUT, 1, HEADER))
        assert launch.is_silent()
        launch.send(fcgi.encode_record(fcgi.STDOUT, 1, b"x"), peers.end_request())
        check(connection.read_response(), b"x")


def test_megabytes_both_ways_with_one_side_slow(warm):
    body, output = os.urandom(LARGE), os.urandom(LARGE)
    read = []

    def child():
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.go()
        time.sleep(0.3)  # the bridge fills what there is
        read.append(launch.read_body())
        launch.respond(output)
        assert launch.said() == "done"

    thread = threading.Thread(target=child)
    thread.start()
    with warm.connect() as connection:
        params = warm.params("query", method="POST", stdin=body)
        connection.exchange(fcgi.whole_request(params, body))
        time.sleep(0.3)
        check(connection.read_response(), output)
    thread.join(lib.BOUND)
    assert read == [body]


def test_an_echo_of_megabytes_through_small_buffers(warm):
    """Neither side waits for the other's end; the socket of the application takes little at a time."""
    body = os.urandom(LARGE)

    def child():
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.child.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        launch.go()
        launch.send(fcgi.encode_record(fcgi.STDOUT, 1, HEADER))
        while True:
            _, _, content = launch.read_record()
            if not content:
                break
            launch.send(fcgi.encode_record(fcgi.STDOUT, 1, content))
        launch.send(peers.end_request())

    thread = threading.Thread(target=child)
    thread.start()
    with warm.connect() as connection:
        params = warm.params("query", method="POST", stdin=body)
        connection.exchange(fcgi.whole_request(params, body))
        check(connection.read_response(), body)
    thread.join(lib.BOUND)


def memory(broker):
    return lib.rss_of(broker.manager.bridge.pid)


@pytest.mark.skipif(lib.sanitized("fcgi-bridge"), reason="memory figures mean nothing with a sanitizer")
def test_nothing_is_queued(warm):
    """An application that does not read, and a web server that does not, hold the other side back."""
    with warm.connect() as connection:
        begin(warm, connection, CONTENT_LENGTH=str(LARGE))
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.go()
        before = memory(warm)
        connection.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.socket.sendall(fcgi.encode_stream(fcgi.STDIN, 1, b"x" * LARGE))
        launch.child.settimeout(0.5)
        with pytest.raises(TimeoutError):
            launch.send(fcgi.encode_stream(fcgi.STDOUT, 1, HEADER + b"x" * LARGE))
        assert memory(warm) - before < 1 << 20
    assert launch.said() == "closed"


def test_an_application_that_leaves_its_body_answers(warm):
    with warm.connect() as connection:
        body = b"x" * LARGE
        params = warm.params("query", method="POST", stdin=body)
        thread = threading.Thread(target=connection.send, args=(fcgi.whole_request(params, body),))
        thread.start()
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.go()
        launch.respond(b"no, thanks", status=1)
        launch.end()
        check(connection.read_response(), b"no, thanks", app_status=1)
        connection.socket.shutdown(socket.SHUT_RDWR)
        thread.join(lib.BOUND)


def test_an_application_that_closes_before_its_body_is_there(warm):
    """Its end of the connection, with data unread: what came before counts."""
    with warm.connect() as connection:
        send(warm, connection, b"x" * 1000)
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.go()
        launch.send(fcgi.encode_record(fcgi.STDOUT, 1, HEADER + b"early"))
        wait_for(lambda: not launch.is_silent(0), "the body")
        launch.close()
        launch.result("exited", 0, CONNECTION)
        check(connection.read_response(), b"early")


# The end


def test_an_end_with_a_child_that_stays(warm):
    """The web server does not wait for it, and nothing of it reaches the next request."""
    before = descriptors(warm)
    with warm.connect() as connection:
        for i in range(3):
            send(warm, connection, flags=fcgi.KEEP_CONN)
            launch = warm.accept(CONNECTION)
            copy = launch.peer.dup()  # a child that keeps the bridge's end, too
            launch.parameters()
            launch.send(peers.response(HEADER + str(i).encode()), fcgi.encode_stream(fcgi.STDOUT, 1, b"late"))
            check(connection.read_response(), str(i).encode())
            assert launch.said() == "done"
            copy.send(b"to itself")
            with pytest.raises(BrokenPipeError):
                os.write(launch.fds["stderr"], b"late")
            copy.close()
    check_rest(warm, before)


@pytest.mark.parametrize(
    "sent, outcome, detail, status",
    [
        (b"", "exited", 1, 502),
        (HEADER[:10], "exited", 0, 502),
        (b"", "signaled", 9, 502),
        (b"", "timeout", 0, 504),
        (b"", "failed", 2, 502),
        (b"", "no-script", 2, 404),
        (b"", "no-rule", 0, 403),
        (b"", "busy", 0, 503),
        (HEADER[:10], "timeout", 0, 504),
    ],
)
def test_a_connection_that_ends_early_is_judged_by_the_result(warm, sent, outcome, detail, status):
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.parameters()
        if sent:
            launch.send(fcgi.encode_record(fcgi.STDOUT, 1, sent))
        launch.close()
        time.sleep(0.05)
        launch.result(outcome, detail)
        check_error(connection.read_response(), status)


@pytest.mark.parametrize("order", ["end first", "result first", "at once"])
def test_a_response_without_its_end_counts_when_the_application_has_exited(warm, order):
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.send(fcgi.encode_record(fcgi.STDOUT, 1, HEADER + b"all of it"))
        if order == "end first":
            launch.close()
            time.sleep(0.05)
        launch.result("exited", 4)
        if order == "result first":  # some process holds the connection: nobody waits for it
            check(connection.read_response(), b"all of it", app_status=4)
        launch.end()
        if order != "result first":
            check(connection.read_response(), b"all of it", app_status=4)


@pytest.mark.parametrize("outcome", ["signaled", "timeout"])
def test_a_response_without_its_end_is_cut_off_when_the_application_was_killed(warm, outcome):
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.send(fcgi.encode_record(fcgi.STDOUT, 1, HEADER + b"a part"))
        launch.close()
        launch.result(outcome, 9)
        assert connection.read_response().closed


def test_a_response_that_ended_before_the_application_was_killed_is_whole(warm):
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.parameters()
        warm.manager.bridge.send_signal(signal.SIGSTOP)  # so that all is there at once
        launch.respond(b"whole")
        launch.result("signaled", 9, CONNECTION)
        warm.manager.bridge.send_signal(signal.SIGCONT)
        check(connection.read_response(), b"whole")


@pytest.mark.parametrize("header_sent", [False, True])
def test_an_application_that_exits_within_a_record(warm, header_sent):
    output = HEADER + b"x" * 100 if header_sent else HEADER[:10]
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.send(fcgi.encode_record(fcgi.STDOUT, 1, output, length=len(output) + 1))
        launch.close()
        launch.result("exited")
        response = connection.read_response()
        assert response.closed if header_sent else response.status == 502
    assert "within a record" in warm.manager.log()


@pytest.mark.parametrize("status, http", [(1, 502), (2, 503), (3, 502), (4, 502), (255, 502)])
@pytest.mark.parametrize("header_sent", [False, True])
def test_another_protocol_status(warm, status, http, header_sent):
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.parameters()
        if header_sent:
            launch.send(fcgi.encode_record(fcgi.STDOUT, 1, HEADER))
        launch.send(peers.end_request(0, status))
        response = connection.read_response()
        assert response.closed if header_sent else response.status == http
        assert launch.said() == "closed"


def test_an_end_without_a_response(warm):
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.send(fcgi.encode_record(fcgi.STDOUT, 1, b"Content-Type: text/plain\r\n"), peers.end_request(5))
        check_error(connection.read_response(), 502)
    assert 'first line: "Content-Type: text/plain"' in warm.manager.log()


@pytest.mark.parametrize("head", [b"no header\r\n\r\n", b"Status: 99\r\n\r\n", b"A: b\r\n\r\n", b"x" * 70000], ids=range(4))
def test_the_header_is_checked_as_with_streams(warm, head):
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.parameters()
        try:
            launch.send(peers.response(head))
        except BrokenPipeError:
            pass
        check_error(connection.read_response(), 502)
        assert launch.said() == "closed"


def test_what_is_for_the_front_end_alone_does_not_reach_it(warm):
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.respond(b"x", header=b"X-Accel-Redirect: /secret\r\n" + HEADER)
        response = connection.read_response()
        check(response, b"x")
        assert response.header("x-accel-redirect") is None


# What no application sends

record = fcgi.encode_record
GARBAGE = {
    "another version": record(fcgi.STDOUT, 1, HEADER, version=2),
    "version 0": b"\0" * 8,
    "text": b"Content-Type: text/plain\r\n\r\nhello",
    "another request": record(fcgi.STDOUT, 2, HEADER),
    "request 0": record(fcgi.STDOUT, 0, HEADER),
    "another request's end": peers.end_request(id=256),
    "an end that is too short": record(fcgi.END_REQUEST, 1, b"\0" * 7),
    "an end that is too long": record(fcgi.END_REQUEST, 1, b"\0" * 9),
    "an end without content": record(fcgi.END_REQUEST, 1),
    "the beginning of a request": fcgi.begin(),
    "parameters": record(fcgi.PARAMS, 1, b"x"),
    "a body": record(fcgi.STDIN, 1, b"x"),
    "data": record(fcgi.DATA, 1, b"x"),
    "a question": record(fcgi.GET_VALUES, 0, b""),
    "an answer": record(fcgi.GET_VALUES_RESULT, 0, b""),
    "an unknown type": record(fcgi.UNKNOWN_TYPE, 0, b"\0" * 8),
    "type 0": record(0, 1),
    "type 255": record(255, 1),
    "leave for a body that there is not": record(peers.GO, 0),
    "leave of the application's": record(peers.GO, 1),
    "content after its end": record(fcgi.STDOUT, 1) + record(fcgi.STDOUT, 1, b"x"),
    "messages after their end": record(fcgi.STDERR, 1) + record(fcgi.STDERR, 1, b"x"),
}


@pytest.mark.parametrize("what", GARBAGE)
@pytest.mark.parametrize("header_sent", [False, True])
def test_what_breaks_the_protocol(warm, what, header_sent):
    before = descriptors(warm)
    with warm.connect() as connection:
        send(warm, connection, flags=fcgi.KEEP_CONN)
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.send(record(fcgi.STDOUT, 1, HEADER) if header_sent else b"", GARBAGE[what])
        response = connection.read_response()
        assert response.closed if header_sent else response.status == 502
        assert launch.said() == "closed"
    assert "breaks the protocol" in warm.manager.log()
    check_rest(warm, before)
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.respond(b"as before")
        check(connection.read_response(), b"as before")


@pytest.mark.parametrize(
    "sent",
    [
        record(fcgi.STDOUT, 1, HEADER),
        peers.end_request(),
        record(peers.GO, 0, b"x"),
        record(peers.GO, 1),
        record(peers.GO, 0) * 2,
    ],
)
def test_output_before_the_child_s_leave_and_leave_that_is_none(warm, sent):
    with warm.connect() as connection:
        send(warm, connection, b"body")
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.send(sent)
        check_error(connection.read_response(), 502)
        assert launch.said() == "closed"


def test_a_child_that_never_says_anything(make_broker):
    broker = make_broker("--request-timeout=1s")
    learn(broker)
    with broker.connect() as connection:
        send(broker, connection, b"body")
        launch = broker.accept(CONNECTION)
        launch.parameters()
        check_error(connection.read_response(), 504)
        assert launch.said() == "closed"


def test_leave_with_padding_is_leave(warm):
    with warm.connect() as connection:
        send(warm, connection, b"body")
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.send(record(peers.GO, 0, padding=8))
        assert launch.read_body() == b"body"
        launch.respond(b"x")
        check(connection.read_response(), b"x")


def test_a_response_without_end_is_not_gathered(warm):
    """A huge one passes through; one that has no header is refused at 64 KiB."""
    block = fcgi.encode_record(fcgi.STDOUT, 1, b"x" * 65535)
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.parameters()

        def child():
            launch.send(fcgi.encode_record(fcgi.STDOUT, 1, HEADER))
            for _ in range(800):
                launch.send(block)
            launch.send(peers.end_request())

        thread = threading.Thread(target=child)
        thread.start()
        response = connection.read_response()
        thread.join(lib.BOUND)
        assert response.app_status == 0 and len(response.body) == 800 * 65535


# Messages


@pytest.mark.parametrize("how", ["pipe", "records", "both"])
def test_messages_reach_web_server_and_log(warm, how):
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.parameters()
        if how != "records":
            os.write(launch.fds["stderr"], b"from the pipe\n")
        launch.respond(b"x", stderr=b"" if how == "pipe" else b"from a record\n")
        response = connection.read_response()
        check(response, b"x")
        for text, there in (("from the pipe", how != "records"), ("from a record", how != "pipe")):
            assert (text.encode() in response.stderr) == there
            assert bool(re.search(f"request={launch.id}: stderr: {text}", warm.manager.log())) == there


@pytest.mark.parametrize("kind", [STREAMS, CONNECTION])
def test_messages_are_read_while_the_application_is_at_work(warm, kind):
    if kind == STREAMS:
        relearn(warm)
    text = b"".join(b"%060d\n" % i for i in range(20000))
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(kind)
        if kind == CONNECTION:
            launch.parameters()

        def work():
            view = memoryview(text)
            while view:  # more than the pipe holds
                view = view[os.write(launch.fds["stderr"], view[:4096]) :]
            launch.respond(b"x")

        thread = threading.Thread(target=work)
        thread.start()
        response = connection.read_response()
        thread.join(lib.BOUND)
        check(response, b"x")
        assert response.stderr == text


def test_a_message_is_logged_before_the_end(warm):
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.parameters()
        os.write(launch.fds["stderr"], b"at work\n")
        wait_for(lambda: "stderr: at work" in warm.manager.log(), "the message")
        launch.respond(b"x")
        check(connection.read_response(), b"x")


# Again, with streams


def relearn(broker):
    """The broker wants streams at its door again."""
    with broker.connect() as connection:
        send(broker, connection)
        launch = broker.accept(CONNECTION)
        launch.parameters()
        launch.close()
        launch.result("exited", 0, STREAMS)
        check_error(connection.read_response(), 502)


@pytest.mark.parametrize("body", [b"", b"a body", b"x" * 300000], ids=["none", "short", "long"])
@pytest.mark.parametrize("ask", [False, True])
def test_again_is_a_launch_with_streams(warm, body, ask):
    before = descriptors(warm)
    with warm.connect() as connection:
        params = warm.params("query", method="POST" if body else "GET", stdin=body, user="alice", HTTP_X="value")
        thread = threading.Thread(target=connection.send, args=(fcgi.whole_request(params, body),))
        thread.start()
        first = warm.accept(CONNECTION)
        if ask:
            assert first.ask("HTTP_X", "HTTP_Y") == ["value", ""]
        first.result("again", wants=CONNECTION)
        second = warm.accept(STREAMS)
        if ask:
            assert second.ask("HTTP_X") == ["value"]
        assert (first.id, first.user, first.script) == (second.id, second.user, second.script)
        assert second.environment()["HTTP_X"] == "value" and second.user == "alice"
        read = b""
        while part := os.read(second.fds["stdin"], 65536):
            read += part
        assert read == body
        second.respond(b"cold", wants=STREAMS)
        check(connection.read_response(), b"cold")
        thread.join(lib.BOUND)
        assert first.parameters()["HTTP_X"] == "value"
        assert first.child.recv(1) == b"", "nothing else was in it"
        first.end()
    check_rest(warm, before)


def test_again_after_the_end_of_the_body_has_come(warm):
    """Which came while the child was waited for, and not with the parameters."""
    with warm.connect() as connection:
        begin(warm, connection, CONTENT_LENGTH="4")
        first = warm.accept(CONNECTION)
        connection.send(fcgi.encode_record(fcgi.STDIN, 1))
        time.sleep(0.1)
        first.result("again")
        second = warm.accept(STREAMS)
        assert os.read(second.fds["stdin"], 10) == b""
        second.respond(b"x")
        check(connection.read_response(), b"x")


def test_again_twice_is_503(warm):
    with warm.connect() as connection:
        send(warm, connection, b"body")
        warm.accept(CONNECTION).result("again")
        second = warm.accept(STREAMS)
        second.close()
        second.result("again")
        check_error(connection.read_response(), 503)
    assert warm.is_idle()


def test_again_for_streams_is_503(cold):
    with cold.connect() as connection:
        send(cold, connection)
        launch = cold.accept(STREAMS)
        launch.close()
        launch.result("again", wants=STREAMS)
        check_error(connection.read_response(), 503)
        assert cold.is_idle()
    with cold.connect() as connection:
        send(cold, connection)
        cold.accept(STREAMS).respond(b"x")
        check(connection.read_response(), b"x")


def test_again_after_the_child_has_spoken_is_503(warm):
    with warm.connect() as connection:
        send(warm, connection, b"body")
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.go()
        assert launch.read_body() == b"body"
        launch.result("again")
        check_error(connection.read_response(), 503)
    assert warm.is_idle()


def test_a_second_question_is_503(warm):
    with warm.connect() as connection:
        send(warm, connection, HTTP_X="value")
        launch = warm.accept(CONNECTION)
        assert launch.ask("HTTP_X") == ["value"]
        assert launch.ask("HTTP_X") is None
        check_error(connection.read_response(), 503)


def test_a_question_after_the_child_has_spoken_is_503(warm):
    with warm.connect() as connection:
        send(warm, connection, b"body")
        launch = warm.accept(CONNECTION)
        launch.parameters()
        launch.go()
        launch.read_body()
        assert launch.ask("HTTP_X") is None
        check_error(connection.read_response(), 503)


@pytest.mark.parametrize("size, kind", [(60000, CONNECTION), (66000, STREAMS), (200000, STREAMS)])
def test_an_environment_that_is_too_large_goes_with_streams(make_broker, size, kind):
    broker = make_broker("--max-params-bytes=262144")
    learn(broker)
    with broker.connect() as connection:
        for _ in range(2):
            send(broker, connection, HTTP_X="x" * size, flags=fcgi.KEEP_CONN)
            launch = broker.accept(kind)
            assert launch.environment()["HTTP_X"] == "x" * size
            if kind == CONNECTION:
                launch.peer.close()
                launch.respond(b"x")
            else:
                assert launch.flags == launch.environment_size == 0
                launch.respond(b"x", wants=CONNECTION)
            check(connection.read_response(), b"x")


# The door's memory


def test_what_is_wanted_is_learnt_from_each_result(cold):
    with cold.connect() as connection, cold.connect() as other:
        for wants in (STREAMS, CONNECTION):
            send(cold, connection, flags=fcgi.KEEP_CONN)
            cold.accept(STREAMS).respond(b"x", wants=wants)
            check(connection.read_response(), b"x")
        for one in (other, connection):  # of the door, not of a connection
            send(cold, one, flags=fcgi.KEEP_CONN)
            launch = cold.accept(CONNECTION)
            launch.parameters()
            launch.respond(b"x")
            check(one.read_response(), b"x")
        send(cold, other, flags=fcgi.KEEP_CONN)
        launch = cold.accept(CONNECTION)
        launch.parameters()
        launch.close()
        launch.result("exited", 0, STREAMS)
        check_error(other.read_response(), 502)
        send(cold, connection)
        cold.accept(STREAMS).respond(b"x")
        check(connection.read_response(), b"x")


@pytest.mark.parametrize("wants", [STREAMS, CONNECTION])
def test_again_says_what_is_wanted_next_as_every_result_does(warm, wants):
    with warm.connect() as connection, warm.connect() as other:
        send(warm, connection)
        warm.accept(CONNECTION).result("again", wants=wants)
        second = warm.accept(STREAMS)
        send(warm, other, flags=fcgi.KEEP_CONN)
        warm.accept(wants).respond(b"x", wants=wants)
        check(other.read_response(), b"x")
        second.respond(b"x", wants=CONNECTION)
        check(connection.read_response(), b"x")
        send(warm, other)
        warm.accept(CONNECTION).respond(b"x")
        check(other.read_response(), b"x")


def test_each_door_has_its_own_memory(make_broker):
    broker = make_broker(doors=("front", "second"))
    learn(broker)
    with fcgi.Connection(broker.door("second")) as connection:
        send(broker, connection)
        broker.accept(STREAMS).respond(b"x")
        check(connection.read_response(), b"x")
    with broker.connect() as connection:
        send(broker, connection)
        launch = broker.accept(CONNECTION)
        launch.parameters()
        launch.respond(b"x")
        check(connection.read_response(), b"x")


def test_a_connection_of_an_earlier_bridge_remembers_for_itself(make_broker):
    broker = peers.Broker()
    try:
        with broker.connect() as first, broker.connect() as second:
            for connection in (first, second):
                send(broker, connection, flags=fcgi.KEEP_CONN)
                broker.accept(STREAMS).respond(b"x")
                check(connection.read_response(), b"x")
            broker.manager.restart()
            send(broker, first, flags=fcgi.KEEP_CONN)
            broker.accept(STREAMS).respond(b"x", wants=CONNECTION)
            check(first.read_response(), b"x")
            send(broker, second, flags=fcgi.KEEP_CONN)
            broker.accept(STREAMS).respond(b"x")
            check(second.read_response(), b"x")
            send(broker, first)
            launch = broker.accept(CONNECTION)
            launch.parameters()
            launch.respond(b"warm")
            check(first.read_response(), b"warm")
    finally:
        broker.close()


def test_a_request_finishes_after_the_doors_have_closed(warm):
    """The memory of a door is still there when the bridge has stopped accepting."""
    with warm.connect() as connection:
        send(warm, connection)
        first = warm.accept(CONNECTION)
        warm.manager.terminate()
        wait_for(lambda: "stopping;" in warm.manager.log(), "the bridge to stop accepting")
        first.result("again")
        warm.accept(STREAMS).respond(b"x", wants=CONNECTION)
        check(connection.read_response(), b"x")
    warm.manager.wait()


# Aborts


@pytest.mark.parametrize("when", ["before", "in the response", "in the body"])
@pytest.mark.parametrize("how", ["abort", "close"])
def test_the_web_server_gives_up(warm, when, how):
    before = descriptors(warm)
    connection = warm.connect()
    if when == "in the body":
        begin(warm, connection, CONTENT_LENGTH=str(LARGE))
    else:
        send(warm, connection, flags=0)
    launch = warm.accept(CONNECTION)
    launch.parameters()
    if when == "in the response":
        launch.send(record(fcgi.STDOUT, 1, HEADER + b"a part"))
        connection.read_until(b"a part")
    elif when == "in the body":
        launch.go()
        connection.send(fcgi.encode_record(fcgi.STDIN, 1, b"x" * 1000))
        launch.read_record()
    if how == "abort":
        connection.send(fcgi.encode_record(fcgi.ABORT_REQUEST, 1))
        assert connection.read_response().app_status == 1
    connection.close()
    assert launch.said() == "closed"
    launch.end()
    check_rest(warm, before)


def test_no_broker_any_more(warm):
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.end()
        check_error(connection.read_response(), 503)


@pytest.mark.parametrize("packet", [b"x", b"\0" * peers.RESULT.size, b"\0" * peers.DONE.size])
def test_a_broker_that_breaks_the_protocol(warm, packet):
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.broker.send(packet)
        check_error(connection.read_response(), 503)


def test_a_wanted_kind_that_there_is_not(warm):
    with warm.connect() as connection:
        send(warm, connection)
        launch = warm.accept(CONNECTION)
        launch.result("exited", 0, wants=2)
        check_error(connection.read_response(), 503)
