# SPDX-License-Identifier: Apache-2.0
"""The launch protocol of common/wire.h, spoken to the broker directly, rightly and wrongly."""

import array
import ctypes
import errno
import fcntl
import json
import os
import select
import socket
import struct
import tempfile
from collections import Counter

import pytest
import stack as lib
from stack import wait_for
from test_path import APP

MAGIC, VERSION, ENVIRONMENT_MAX = 0x53626F78, 3, 256 * 1024
STREAMS, CONNECTION = range(2)
OUTCOMES = "exited signaled no-rule untrusted no-service no-script failed busy timeout invalid again".split()


class Request(ctypes.Structure):
    _fields_ = [
        ("magic", ctypes.c_uint32),
        ("version", ctypes.c_uint32),
        ("kind", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("environment_size", ctypes.c_uint32),
        ("request_id", ctypes.c_char * 33),
        ("user", ctypes.c_char * 256),
        ("address", ctypes.c_char * 46),
        ("host", ctypes.c_char * 256),
        ("script", ctypes.c_char * 2048),
    ]


class Result(ctypes.Structure):
    _fields_ = [
        ("magic", ctypes.c_uint32),
        ("version", ctypes.c_uint32),
        ("outcome", ctypes.c_uint32),
        ("detail", ctypes.c_uint32),
        ("wants", ctypes.c_uint32),
        ("reason", ctypes.c_char * 256),
    ]


@pytest.fixture(scope="module")
def stack(app):
    one = lib.Stack({"bridged": APP, "direct": APP}, programs=[app], direct=["direct"])
    with socket.socket(socket.AF_UNIX) as one.listener:
        try:
            one.listener.bind(one.door("direct"))
            one.listener.listen(64)
            with Launch(one) as launch:  # the zygote is there before descriptors are counted
                assert launch.run()["uid"] == [30010] * 3
            yield one
        finally:
            one.stop()


def selectors(**fields):
    values = {"user": b"alice", "address": b"192.0.2.7", "host": b"www.example.org", "script": b"/apps/app"}
    id = os.urandom(16).hex().encode()
    return Request(**{"magic": MAGIC, "version": VERSION, "request_id": id, **values, **fields})


ALL_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK


def memfd(content=b"QUERY_STRING=report\0", seals=ALL_SEALS):
    fd = os.memfd_create("environment", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, content)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


class Launch:
    """One connection to the broker, and the five descriptors of a right request."""

    def __init__(self, stack):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(lib.BOUND)
        self.socket.connect(str(stack.launch_socket))
        client = socket.socket(socket.AF_UNIX)
        client.connect(stack.door("direct"))
        front, _ = stack.listener.accept()
        self.stdin, self.stdin_end = os.pipe()
        self.stdout_end, self.stdout = os.pipe()
        self.stderr_end, self.stderr = os.pipe()
        self.environment, self.client, self.front = memfd(), client.detach(), front.detach()
        self.open = [self.environment, self.client, self.front, self.stdin, self.stdin_end]
        self.open += [self.stdout_end, self.stdout, self.stderr_end, self.stderr]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        for fd in self.open:
            os.close(fd)

    def own(self, fd):
        """Closes `fd` with the rest."""
        self.open.append(fd)
        return fd

    def descriptors(self, **replaced):
        names = ("front", "stderr", "environment", "stdin", "stdout")
        return [replaced.get(name, getattr(self, name)) for name in names]

    def send(self, data, fds=None):
        fds = self.descriptors() if fds is None else fds
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([bytes(data)], rights)

    def result(self):
        """The launch result, or None when the broker closed the connection instead."""
        try:
            data = self.socket.recv(65536)
            if not data:
                return None
            assert len(data) == ctypes.sizeof(Result)
            result = Result.from_buffer_copy(data)
            assert (result.magic, result.version) == (MAGIC, VERSION)
            assert self.socket.recv(1) == b"", "exactly one result, after which the broker closes"
        except ConnectionResetError:
            return None
        return result

    def output(self):
        """What the application wrote, read to the end of the pipe (our own write end is closed first)."""
        self.open.remove(self.stdout)
        os.close(self.stdout)
        chunks = []
        while select.select([self.stdout_end], [], [], lib.BOUND)[0]:
            chunks.append(os.read(self.stdout_end, 65536))
            if not chunks[-1]:
                return b"".join(chunks)
        raise TimeoutError("the application's output does not end")

    def run(self, **fields):
        """A right launch of the report: what the application says about itself."""
        self.send(selectors(**fields))
        text = self.output()
        result = self.result()
        assert result and (OUTCOMES[result.outcome], result.detail) == ("exited", 0), result and result.reason
        return json.loads(text.split(b"\r\n\r\n", 1)[1])


def at_rest(stack):
    """The broker's descriptors, counted by kind, once they have stopped changing."""
    counts = [Counter(), None]

    def settled():
        counts.append(Counter(lib.descriptors_of(stack.broker.pid)))
        return len(counts) > 4 and counts[-1] == counts[-2] == counts[-3]

    wait_for(settled, "the broker to come to rest")
    return counts[-1]


@pytest.fixture(autouse=True)
def unharmed(stack):
    """After each test the broker holds what it held before, and launches as before."""
    before = at_rest(stack)
    yield
    assert stack.broker.poll() is None
    with Launch(stack) as launch:
        assert launch.run()["uid"] == [30010] * 3
    more = lambda: Counter(lib.descriptors_of(stack.broker.pid)) - before  # noqa: E731
    try:
        wait_for(lambda: not more(), "the broker's descriptors", bound=15)
    except AssertionError:
        raise AssertionError(f"the broker has more descriptors than before: {dict(more())}") from None
    assert stack.request("bridged", user="alice").status == 200


def refused(stack, launch, since):
    """A wrong launch: no application ran, the broker answered `invalid` or closed, and said so in its log."""
    result = launch.result()
    if result is not None:
        assert OUTCOMES[result.outcome] == "invalid", (OUTCOMES[result.outcome], result.reason)
    assert launch.output() == b""
    wait_for(lambda: len(stack.broker_log()) > since, "a line in the broker's log")
    return result


# Right launches


def test_a_right_launch_runs_the_application_and_tells_its_exit_status(stack):
    expected = {"exit:7": ("exited", 7), "signal:9": ("signaled", 9), "exit:0": ("exited", 0)}
    for query, ended in expected.items():
        with Launch(stack) as launch:
            launch.environment = launch.own(memfd(f"QUERY_STRING={query}\0".encode()))
            launch.send(selectors())
            result = launch.result()
            assert (OUTCOMES[result.outcome], result.detail) == ended


def test_the_environment_s_remote_user_never_replaces_the_selector(stack):
    with Launch(stack) as launch:
        text = b"REMOTE_USER=bob\0REMOTE_ADDR=10.0.0.1\0QUERY_STRING=report\0LD_PRELOAD=x\0PATH=/evil\0"
        launch.environment = launch.own(memfd(text))
        env = launch.run()["env"]
    assert "REMOTE_USER=alice" in env and "REMOTE_ADDR=192.0.2.7" in env
    assert not any("bob" in item or "LD_PRELOAD" in item or "evil" in item for item in env)


def test_closing_the_connection_ends_the_application(stack):
    user, uid = lib.fresh_user()
    with Launch(stack) as launch:
        launch.environment = launch.own(memfd(b"QUERY_STRING=family\0"))
        launch.send(selectors(user=user.encode()))
        wait_for(lambda: len(lib.applications_of(uid)) >= 2, "the application")
    wait_for(lambda: not lib.processes_of(uid), "the application to end")


@pytest.mark.parametrize(
    "fields, outcome",
    [
        ({"user": b"unheard-of"}, "no-rule"),
        ({"user": b"mallory"}, "no-rule"),
        ({"script": b"/apps/missing"}, "no-script"),
        ({"script": b""}, "no-script"),
        ({"script": b"apps/app"}, "no-script"),
    ],
)
def test_an_outcome_names_why_nothing_ran(stack, fields, outcome):
    with Launch(stack) as launch:
        launch.send(selectors(**fields))
        result = launch.result()
        assert result and OUTCOMES[result.outcome] == outcome, result and result.reason
        assert result.reason != b""


# Wrong packets


@pytest.mark.parametrize("length", [1, 4, 8, 41, 2000, -4, -1])
def test_a_truncated_request_is_refused(stack, length):
    since = len(stack.broker_log())
    with Launch(stack) as launch:
        launch.send(bytes(selectors())[:length])
        refused(stack, launch, since)


@pytest.mark.parametrize("surplus", [1, 4, 4096, 100000])
def test_an_oversized_request_is_refused(stack, surplus):
    since = len(stack.broker_log())
    with Launch(stack) as launch:
        launch.send(bytes(selectors()) + b"\0" * surplus)
        refused(stack, launch, since)


@pytest.mark.parametrize(
    "field, value", [("magic", 0), ("magic", 0x786F6253), ("version", 0), ("version", 2), ("version", 4)]
)
def test_another_magic_or_version_is_refused(stack, field, value):
    since = len(stack.broker_log())
    with Launch(stack) as launch:
        launch.send(selectors(**{field: value}))
        refused(stack, launch, since)


def field_with(name, value):
    """A request whose field holds exactly these bytes, also those behind a NUL."""
    request = bytearray(bytes(selectors()))
    descriptor = getattr(Request, name)
    value = value.ljust(descriptor.size, b"\0")
    request[descriptor.offset : descriptor.offset + descriptor.size] = value
    return bytes(request)


@pytest.mark.parametrize(
    "name, value",
    [
        ("user", b"alice\0hidden"),
        ("user", b"alice\n"),
        ("user", b"al\x7fice"),
        ("user", b"a" * 256),
        ("address", b"1" * 46),
        ("address", b"192.0.2.7\t"),
        ("host", b"h" * 256),
        ("host", b"www\x01"),
        ("script", b"/apps/app" + b"x" * 2039),
        ("script", b"/apps/app\0/../x"),
        ("script", b"/apps/app\r"),
        ("request_id", b""),
        ("request_id", b"0123456789abcdef"),
        ("request_id", b"0123456789ABCDEF0123456789ABCDEF"),
        ("request_id", b"0123456789abcdef0123456789abcdef0"),
        ("request_id", b"../../../../../../../../../../.."),
    ],
)
def test_an_unclean_string_is_refused(stack, name, value):
    since = len(stack.broker_log())
    with Launch(stack) as launch:
        launch.send(field_with(name, value))
        refused(stack, launch, since)


@pytest.mark.parametrize("value", [b"not an address", b"1.2.3", b"::1::2", b"1.2.3.4/8", b" 10.1.1.1"])
def test_an_address_that_is_none_matches_no_rule_by_address(stack, value):
    with Launch(stack) as launch:
        launch.send(selectors(address=value))
        result = launch.result()
        assert result and OUTCOMES[result.outcome] in ("exited", "invalid", "no-rule", "untrusted")


def test_a_second_message_ends_the_request(stack):
    user, uid = lib.fresh_user()
    with Launch(stack) as launch:
        launch.environment = launch.own(memfd(b"QUERY_STRING=hold\0"))
        since = len(stack.broker_log())
        launch.send(selectors(user=user.encode()))
        wait_for(lambda: lib.applications_of(uid), "the application")
        try:
            launch.send(selectors(user=user.encode()))
        except BrokenPipeError:
            pass
        launch.result()
        wait_for(lambda: not lib.processes_of(uid), "the application to end")
        wait_for(lambda: len(stack.broker_log()) > since, "a line in the broker's log")


def test_two_messages_at_once_start_no_two_applications(stack):
    user, uid = lib.fresh_user()
    with Launch(stack) as launch:
        launch.environment = launch.own(memfd(b"QUERY_STRING=hold\0"))
        for _ in range(2):
            try:
                launch.send(selectors(user=user.encode()))
            except (BrokenPipeError, ConnectionResetError):
                pass
        launch.result()
    wait_for(lambda: not lib.processes_of(uid), "the application to end")


def test_connections_that_say_nothing_hold_nobody_up(stack):
    idle = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(100)]
    for one in idle:
        one.connect(str(stack.launch_socket))
    with Launch(stack) as launch:
        assert launch.run()["uid"] == [30010] * 3
    for one in idle:
        one.close()


# Wrong descriptors


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 8, 9, 10, 60])
def test_another_number_of_descriptors_is_refused(stack, count):
    since = len(stack.broker_log())
    with Launch(stack) as launch:
        launch.send(selectors(), (launch.descriptors() * 12)[:count])
        refused(stack, launch, since)


@pytest.mark.parametrize("count", [1, 5, 8, 60])
def test_an_empty_packet_with_descriptors_is_refused(stack, count):
    """It looks like the end of the connection; the fixture then counts the broker's descriptors."""
    since = len(stack.broker_log())
    with Launch(stack) as launch:
        launch.send(b"", (launch.descriptors() * 12)[:count])
        refused(stack, launch, since)


def regular_file(launch, content=b"QUERY_STRING=report\0"):
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return launch.own(os.dup(file.fileno()))


def opened(launch, path, flags=os.O_RDONLY):
    return launch.own(os.open(path, flags))


def unix_socket(launch, kind=socket.SOCK_STREAM):
    return launch.own(socket.socket(socket.AF_UNIX, kind).detach())


WRONG = {
    "a file for the environment": lambda l: {"environment": regular_file(l)},
    "an unsealed memfd": lambda l: {"environment": l.own(memfd(seals=0))},
    "a memfd sealed against writing only": lambda l: {"environment": l.own(memfd(seals=fcntl.F_SEAL_WRITE))},
    "a memfd not sealed against writing": lambda l: {
        "environment": l.own(memfd(seals=fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK))
    },
    "a memfd that is too large": lambda l: {
        "environment": l.own(memfd(b"A=" + b"x" * ENVIRONMENT_MAX + b"\0"))
    },
    "a pipe for the environment": lambda l: {"environment": l.stdin},
    "the write end as stdin": lambda l: {"stdin": l.stdin_end},
    "the read end as stdout": lambda l: {"stdout": l.stdout_end},
    "the read end as stderr": lambda l: {"stderr": l.stderr_end},
    "stdin and stdout exchanged": lambda l: {"stdin": l.stdout, "stdout": l.stdin},
    "a file as stdin": lambda l: {"stdin": regular_file(l)},
    "a file as stdout": lambda l: {"stdout": opened(l, "/dev/null", os.O_WRONLY)},
    "a directory as stdin": lambda l: {"stdin": opened(l, "/")},
    "a directory by O_PATH as stderr": lambda l: {"stderr": opened(l, "/", os.O_PATH)},
    "a socket as stdout": lambda l: {"stdout": unix_socket(l)},
    "an unconnected socket as front": lambda l: {"front": unix_socket(l)},
    "a datagram socket as front": lambda l: {"front": unix_socket(l, socket.SOCK_DGRAM)},
    "a pipe as front": lambda l: {"front": l.stdin},
    "a file as front": lambda l: {"front": regular_file(l)},
    "the client's own end as front": lambda l: {"front": l.client},
    "the launch connection as front": lambda l: {"front": l.socket.fileno()},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_descriptor_is_refused(stack, what):
    since = len(stack.broker_log())
    with Launch(stack) as launch:
        launch.send(selectors(), launch.descriptors(**WRONG[what](launch)))
        result = launch.result()
        allowed = ("invalid", "no-service", "untrusted") if "front" in what else ("invalid", "failed")
        assert result is None or OUTCOMES[result.outcome] in allowed, (result.outcome, result.reason)
        assert launch.output() == b""
        wait_for(lambda: len(stack.broker_log()) > since, "a line in the broker's log")


def test_a_listening_socket_as_front_is_refused(stack):
    since = len(stack.broker_log())
    with Launch(stack) as launch:
        launch.send(selectors(), launch.descriptors(front=stack.listener.fileno()))
        result = launch.result()
        assert result is None or OUTCOMES[result.outcome] in ("invalid", "no-service", "untrusted")
        assert launch.output() == b""
        wait_for(lambda: len(stack.broker_log()) > since, "a line in the broker's log")


def test_a_door_that_no_service_has_is_no_service(stack):
    path = str(stack.base / "doors" / "nobody.sock")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(path)
        listener.listen()
        client.connect(path)
        front, _ = listener.accept()
        with front, Launch(stack) as launch:
            launch.send(selectors(), launch.descriptors(front=front.fileno()))
            result = launch.result()
            assert result and OUTCOMES[result.outcome] == "no-service"


def test_credentials_as_a_control_message_are_refused(stack):
    with Launch(stack) as launch:
        credentials = (socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack("iII", os.getpid(), 0, 0))
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", launch.descriptors()))
        launch.socket.sendmsg([bytes(selectors())], [rights, credentials])
        # Without SO_PASSCRED the kernel keeps credentials from the receiver: then it is a right launch.
        result = launch.result()
        assert result is None or OUTCOMES[result.outcome] in ("invalid", "exited")


def test_an_environment_without_a_final_nul_or_with_odd_entries_is_survived(stack):
    texts = [b"", b"\0", b"\0" * 1000, b"QUERY_STRING=report", b"=x\0", b"QUERY_STRING\0"]
    texts.append(b"A=b\0\0QUERY_STRING=r\0")
    for text in texts:
        with Launch(stack) as launch:
            launch.environment = launch.own(memfd(text))
            launch.send(selectors())
            result = launch.result()
            assert result is None or OUTCOMES[result.outcome] in ("exited", "failed", "invalid"), text


def test_a_launch_from_any_other_account_does_not_reach_the_broker(stack):
    uid, gid = lib.account("nobody")
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
            os._exit(0 if other.connect_ex(str(stack.launch_socket)) == errno.EACCES else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
