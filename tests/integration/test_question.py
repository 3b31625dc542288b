# SPDX-License-Identifier: Apache-2.0
"""The broker's question for request variables (common/wire.h), put to the bridge by a broker of the tests' own."""

import array
import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import tempfile
import threading
from pathlib import Path

import fcgi
import pytest
import stack as lib
from service_manager import ServiceManager
from stack import wait_for
from test_launch import MAGIC, OUTCOMES, VERSION, Request, Result

QUESTION_MAGIC, VARIABLES_MAGIC = 0x53626F71, 0x53626F76
NAMES_MAX, NAME_SIZE, VALUE_SIZE = 8, 64, 256
MALFORMED = "the broker's answer is malformed"
AGAIN = "the broker asks for variables a second time, or after the launch"


class Question(ctypes.Structure):
    _fields_ = [
        ("magic", ctypes.c_uint32),
        ("version", ctypes.c_uint32),
        ("n_names", ctypes.c_uint32),
        ("names", ctypes.c_char * NAME_SIZE * NAMES_MAX),
    ]


class Variables(ctypes.Structure):
    _fields_ = [
        ("magic", ctypes.c_uint32),
        ("version", ctypes.c_uint32),
        ("n_values", ctypes.c_uint32),
        ("values", ctypes.c_char * VALUE_SIZE * NAMES_MAX),
    ]


def question(*names, **fields):
    packet = Question(**{"magic": QUESTION_MAGIC, "version": VERSION, "n_names": len(names), **fields})
    for i, name in enumerate(names):
        packet.names[i].value = name.encode()
    return packet


def result(outcome="exited", detail=0):
    return Result(magic=MAGIC, version=VERSION, outcome=OUTCOMES.index(outcome), detail=detail)


class Launched:
    """The broker's side of one launch: its connection, the request and the descriptors that came with it."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(lib.BOUND)
        data, self.fds, _, _ = socket.recv_fds(self.socket, 65536, 16)
        assert len(data) == ctypes.sizeof(Request) and len(self.fds) == 5
        self.request = Request.from_buffer_copy(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        for fd in self.fds:
            os.close(fd)

    def send(self, packet, fds=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([bytes(packet)], rights)

    def answer(self):
        data, fds, _, _ = socket.recv_fds(self.socket, 65536, 16)
        assert len(data) == ctypes.sizeof(Variables) and fds == []
        packet = Variables.from_buffer_copy(data)
        assert (packet.magic, packet.version) == (VARIABLES_MAGIC, VERSION)
        raw = [bytes(field.raw) for field in packet.values]
        values = [text.rstrip(b"\0") for text in raw]
        assert all(b"\0" not in value and len(value) < VALUE_SIZE for value in values)
        assert not any(values[packet.n_values :])
        return values[: packet.n_values]

    def ask(self, *names):
        self.send(question(*names))
        return self.answer()

    def run(self, text="right", outcome="exited"):
        """What an application would have written, and its end."""
        os.write(self.fds[4], f"Content-Type: text/plain\r\n\r\n{text}".encode())
        self.send(result(outcome))

    def closed(self):
        """Waits for the bridge to close, and says whether it did so without another word."""
        try:
            return self.socket.recv(65536) == b""
        except ConnectionResetError:  # it had not read all that was sent
            return True


class Broker:
    """In the place of sandboxd, with one bridge. A ServiceManager finds here what it wants of a stack."""

    params = lib.Stack.params

    def __init__(self):
        self.base = Path(tempfile.mkdtemp(prefix="sandboxd-test.", dir="/run"))
        self.base.chmod(0o755)
        self.launch_socket = self.base / "launch"
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.settimeout(lib.BOUND)
        self.listener.bind(str(self.launch_socket))
        self.launch_socket.chmod(0o666)
        self.listener.listen(256)
        self.manager = ServiceManager(self, "cgi", notify=False)
        os.chmod(self.door("cgi"), 0o666)

    def door(self, service):
        return str(self.base / f"{service}.sock")

    def close(self):
        try:
            if self.manager.bridge:
                self.manager.stop()
            self.manager.close()
        finally:
            self.listener.close()
            shutil.rmtree(self.base)

    def accept(self):
        connection, _ = self.listener.accept()
        return Launched(connection)

    @contextlib.contextmanager
    def launch(self, method="GET", **extra):
        """A request with its body still open, and the launch that came of it."""
        with fcgi.Connection(self.door("cgi")) as client:
            params = self.params(method=method, **extra)
            client.send(fcgi.begin() + fcgi.encode_stream(fcgi.PARAMS, 1, fcgi.encode_pairs(params)))
            with self.accept() as launched:
                yield client, launched

    def logged(self, launched):
        """Waits for the bridge's line about the request, and returns all that it has logged."""
        id = launched.request.request_id.decode()
        wait_for(lambda: id in self.manager.log(), "a line of the bridge's log")
        return "\n".join(line for line in self.manager.log().splitlines() if id in line)


@pytest.fixture(scope="module")
def broker():
    one = Broker()
    try:
        one.manager.start()
        with one.launch() as (client, launched):  # what the bridge opens once is open before descriptors are counted
            launched.run()
            assert client.read_response().body == b"right"
        yield one
    finally:
        one.close()


@pytest.fixture(autouse=True)
def unharmed(broker):
    """Around each test a neighbour waits for the answer to its question; then all descriptors come back."""
    pid = broker.manager.bridge.pid
    settled = []

    def at_rest():
        settled.append(lib.descriptors_of(pid))
        return len(settled) > 2 and settled[-1] == settled[-2] == settled[-3]

    wait_for(at_rest, "the bridge to come to rest")
    with broker.launch(NEIGHBOUR="near") as (client, launched):
        yield
        assert launched.ask("NEIGHBOUR") == [b"near"]
        launched.run("neighbour")
        assert client.read_response().body == b"neighbour"
    wait_for(lambda: len(lib.descriptors_of(pid)) <= len(settled[-1]), "the bridge's descriptors")
    assert broker.manager.bridge.poll() is None


def refused(broker, client, launched, status, reason):
    """The bridge called the launch off, answered with `status`, and said why in its log."""
    response = client.read_response()
    assert (response.status, response.app_status) == (status, 1)
    assert launched.closed()
    assert re.search(rf"answered {status}: .*{re.escape(reason)}", broker.logged(launched))
    return response


# Right questions


def test_a_bridge_that_is_asked_nothing_says_nothing(broker):
    with broker.launch(SSL_CLIENT_S_DN_CN="Alice") as (client, launched):
        launched.run()
        assert client.read_response().body == b"right"
        assert launched.closed()


def test_the_values_come_in_the_order_of_the_names(broker):
    sent = {f"VARIABLE_{i}": f"value {i}" for i in range(6)}
    names = ["VARIABLE_5", "VARIABLE_0", "MISSING", "VARIABLE_3", "EMPTY", "VARIABLE_3", "variable_0", "REMOTE_ADDR"]
    expected = [b"value 5", b"value 0", b"", b"value 3", b"", b"value 3", b"", b"192.0.2.7"]
    assert len(names) == NAMES_MAX
    with broker.launch(EMPTY="", **sent) as (client, launched):
        assert launched.ask(*names) == expected
        launched.run()
        assert client.read_response().body == b"right"
        assert launched.closed(), "one answer, and nothing else"


def test_what_is_never_passed_on_is_empty(broker):
    dropped = {"HTTP_PROXY": "x", "Http_Proxy": "x", "SANDBOXD_USER": "x", "sandboxd_uid": "x", "NOT-A-NAME": "x"}
    with broker.launch(KEPT="kept", **dropped) as (client, launched):
        assert launched.ask(*dropped, "KEPT") == [b""] * len(dropped) + [b"kept"]
        launched.run()
        assert client.read_response().body == b"right"


def test_a_script_is_answered_as_it_was_judged(broker):
    with broker.launch(SCRIPT_FILENAME="proxy:fcgi://localhost:9000/apps/app?a=b", AFTER="after") as (client, launched):
        assert launched.request.script == b"/apps/app"
        assert launched.ask("SCRIPT_FILENAME", "AFTER") == [b"/apps/app", b"after"]
        launched.run()
        assert client.read_response().body == b"right"


@pytest.mark.parametrize("value", ["v" * 255, "é" * 127, " leading and trailing "])
def test_a_value_that_fits_arrives_whole(broker, value):
    name = "N" * (NAME_SIZE - 1)
    with broker.launch(**{name: value}) as (client, launched):
        assert launched.ask(name) == [value.encode()]
        launched.run()
        assert client.read_response().body == b"right"


def test_a_body_flows_before_and_after_the_question(broker):
    with broker.launch(method="POST", stdin=b"onetwo", A="a") as (client, launched):
        client.send(fcgi.encode_record(fcgi.STDIN, 1, b"one"))
        assert os.read(launched.fds[3], 100) == b"one"
        assert launched.ask("A") == [b"a"]
        client.send(fcgi.encode_stream(fcgi.STDIN, 1, b"two"))
        assert os.read(launched.fds[3], 100) == b"two"
        launched.run()
        assert client.read_response().body == b"right"


def test_many_requests_are_asked_at_once(broker):
    """Their questions come when all are there, in the opposite order; each is answered with its own values."""
    with contextlib.ExitStack() as opened:
        both = [opened.enter_context(broker.launch(MINE=f"mine {i}")) for i in range(60)]
        for _, launched in reversed(both):
            launched.send(question("MINE", "OTHER"))
        for i, (client, launched) in enumerate(both):
            assert launched.answer() == [f"mine {i}".encode(), b""]
            launched.run(f"mine {i}")
        for i, (client, _) in enumerate(both):
            assert client.read_response().body == f"mine {i}".encode()


# Values that cannot be sent


@pytest.mark.parametrize(
    "value", ["v" * 256, "v" * 9000, "a\nb", "\t", "a\x7f"], ids=["256", "9000", "LF", "TAB", "DEL"]
)
def test_a_value_that_does_not_fit_is_answered_400(broker, value):
    with broker.launch(GOOD="good", BAD=value) as (client, launched):
        launched.send(question("GOOD", "BAD"))
        refused(broker, client, launched, 400, "BAD is too long, or has a control character in it")
    with broker.launch(GOOD="good", BAD=value) as (client, launched):
        assert launched.ask("GOOD") == [b"good"], "it harms only where it is asked for"
        launched.run()
        assert client.read_response().body == b"right"


# Wrong questions


def test_a_second_question_is_answered_503(broker):
    with broker.launch(A="a") as (client, launched):
        assert launched.ask("A") == [b"a"]
        launched.send(question("A"))
        refused(broker, client, launched, 503, AGAIN)


def test_two_questions_at_once_are_answered_503(broker):
    with broker.launch(A="a") as (client, launched):
        with stopped(broker):
            launched.send(question("A"))
            launched.send(question("A"))
        assert launched.answer() == [b"a"]
        refused(broker, client, launched, 503, AGAIN)


@pytest.mark.parametrize("stream", [4, 1])
def test_a_question_after_output_ends_the_request(broker, stream):
    with broker.launch(A="a") as (client, launched):
        os.write(launched.fds[stream], b"Content-Type: text/plain\r\n\r\nbegun")
        client.take(fcgi.Response())
        launched.send(question("A"))
        if stream == 1:
            refused(broker, client, launched, 503, AGAIN)
            return
        assert client.read_response().closed, "a response that has begun is cut off"
        assert launched.closed()
        assert f"response cut off: {AGAIN}" in broker.logged(launched)


def with_bytes(packet, offset, value):
    data = bytearray(bytes(packet))
    data[offset : offset + len(value)] = value
    return bytes(data)


WRONG = {
    "no name": question(),
    "a name too many": question("A", n_names=2),
    "a name too few": question("A", "B", n_names=1),
    "nine names": question(*"ABCDEFGH", n_names=9),
    "4294967295 names": question(*"ABCDEFGH", n_names=0xFFFFFFFF),
    "an empty name": question("A", "", "C"),
    "another magic": question("A", magic=QUESTION_MAGIC + 1),
    "the result's magic": question("A", magic=MAGIC),
    "the answer's magic": question("A", magic=VARIABLES_MAGIC),
    "the version before": question("A", version=VERSION - 1),
    "the next version": question("A", version=VERSION + 1),
    "a control character": question("A\n"),
    "a name without an end": with_bytes(question("A"), 12, b"A" * NAME_SIZE),
    "bytes behind a name": with_bytes(question("A"), 12 + NAME_SIZE - 1, b"x"),
    "too short": bytes(question("A"))[:-1],
    "too long": bytes(question("A")) + b"\0",
    "much too long": bytes(question("A")) + b"\0" * 100000,
    "one byte": b"q",
    "an answer": bytes(Variables(magic=VARIABLES_MAGIC, version=VERSION, n_values=1)),
    "a result's length": bytes(question("A"))[: ctypes.sizeof(Result)],
    "a result that is too long": bytes(result()) + b"\0" * (ctypes.sizeof(Question) - ctypes.sizeof(Result)),
    "a result with an unknown outcome": bytes(Result(magic=MAGIC, version=VERSION, outcome=len(OUTCOMES))),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_malformed_packet_is_answered_503(broker, what):
    with broker.launch(A="a") as (client, launched):
        launched.send(WRONG[what])
        refused(broker, client, launched, 503, MALFORMED)


@pytest.mark.parametrize("what", ["one byte", "too short", "nine names"])
def test_a_malformed_packet_after_a_question_is_answered_503(broker, what):
    with broker.launch(A="a") as (client, launched):
        assert launched.ask("A") == [b"a"]
        launched.send(WRONG[what])
        refused(broker, client, launched, 503, MALFORMED)


@pytest.mark.parametrize("count", [1, 8])
def test_a_question_with_descriptors_is_answered_503(broker, count):
    with broker.launch(A="a") as (client, launched):
        launched.send(question("A"), [launched.fds[3]] * count)
        refused(broker, client, launched, 503, MALFORMED)


# Ends


@contextlib.contextmanager
def stopped(broker):
    """What is sent meanwhile the bridge finds all at once."""
    pid = broker.manager.bridge.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        state = Path(f"/proc/{pid}/stat")
        wait_for(lambda: state.read_text().rsplit(") ", 1)[1].startswith("T"), "the bridge to stop")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("outcome, status", [("no-rule", 403), ("busy", 503), ("failed", 502)])
def test_a_question_and_then_a_result(broker, outcome, status):
    with broker.launch(A="a") as (client, launched):
        assert launched.ask("A") == [b"a"]
        launched.send(result(outcome))
        assert client.read_response().status == status
        assert launched.closed()


@pytest.mark.parametrize("closes", [False, True])
def test_a_result_that_does_not_wait_for_the_answer_counts(broker, closes):
    with broker.launch(A="a") as (client, launched):
        with stopped(broker):
            launched.send(question("A"))
            launched.send(result("no-rule"))
            if closes:
                launched.socket.close()
        assert client.read_response().status == 403


def test_a_broker_that_asks_and_goes_away(broker):
    with broker.launch(A="a") as (client, launched):
        assert launched.ask("A") == [b"a"]
        launched.socket.close()
        assert client.read_response().status == 503
        assert "answered 503: the broker is gone" in broker.logged(launched)


@pytest.mark.parametrize("asked", ["before", "meanwhile", "after"])
def test_an_abort_closes_the_launch(broker, asked):
    """The abort comes in place of the question, at once with it, or after its answer."""
    abort = fcgi.encode_record(fcgi.ABORT_REQUEST, 1)
    with broker.launch(A="a") as (client, launched):
        if asked == "before":
            client.send(abort)
            assert launched.closed()
        elif asked == "meanwhile":
            with stopped(broker):
                launched.send(question("A"))
                client.send(abort)
            with contextlib.suppress(ConnectionResetError):  # the question was not read
                if data := launched.socket.recv(65536):
                    assert len(data) == ctypes.sizeof(Variables)
                    assert launched.closed()
        else:
            assert launched.ask("A") == [b"a"]
            client.send(abort)
            assert launched.closed()
        response = client.read_response()
        assert (response.stdout, response.app_status) == (b"", 1)
        assert "aborted by the web server" in broker.logged(launched)


def test_a_web_server_that_goes_away_closes_the_launch(broker):
    with broker.launch(A="a") as (client, launched):
        assert launched.ask("A") == [b"a"]
        client.close()
        assert launched.closed()


# Memory


def grown(settle, count=100, size=50_000):
    """By how many bytes for each of so many large requests at once a fresh bridge grows."""
    broker = Broker()
    try:
        broker.manager.start()
        before = lib.rss_of(broker.manager.bridge.pid)
        with contextlib.ExitStack() as opened:
            for _ in range(count):
                client, launched = opened.enter_context(broker.launch(LARGE="x" * size, A="a"))
                settle(client, launched)
            return (lib.rss_of(broker.manager.bridge.pid) - before) / count
    finally:
        broker.close()


@pytest.mark.skipif(lib.sanitized(), reason="a sanitizer keeps what was freed")
def test_the_parameters_are_not_kept_for_the_request_s_life():
    def asked(_, launched):
        assert launched.ask("A") == [b"a"]

    def written(client, launched):
        os.write(launched.fds[4], b"Content-Type: text/plain\r\n\r\nbegun")
        client.take(fcgi.Response())

    kept = grown(lambda client, launched: None)
    for settle in (asked, written):
        assert grown(settle) < kept - 40_000
