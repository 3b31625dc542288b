# SPDX-License-Identifier: Apache-2.0
"""The broker's and the bridge's part of the warm protocol, for tests of the preloaded library by itself.

It starts a real application with the library, as an identity, but outside of a jail: what the library needs of a jail
(no_new_privs, a detached procfs, a Landlock ruleset, control groups that the identity may divide) is made here.
Written from common/warm.h and common/wire.h; struct layouts are theirs.
"""

import array
import contextlib
import ctypes
import itertools
import os
import platform
import resource
import select
import signal
import socket
import struct
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import fcgi
import stack

LIBRARY = stack.BUILT / "warm" / "sandboxd-warm.so"
UID = 30900
BOUND = stack.BOUND

FD_CONTROL, FD_QUEUE, FD_PROC, FD_LANDLOCK = 6, 7, 8, 9
MAGIC = 0x53627761
FILTER_PID = 0x5B0C1D00
READY, UNFIT, TAKEN, ENDED, DIRTY, STALE, TROUBLE = range(1, 8)
NAMES = dict(enumerate(["", "ready", "unfit", "taken", "ended", "dirty", "stale", "trouble"]))
STREAMS, CONNECTION = 0, 1
NO_BODY = 1
GO = 0x53
SLOT, EVENT, REQUEST = "=III", "=IIIiQ256s", "=IIIIQ33s256s46s256s"

_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(1)

# By machine: AUDIT_ARCH_… is not looked at, for this is a test's filter.
CALLS = {
    "x86_64": {"clone3": 435, "seccomp": 317, "landlock_restrict_self": 446, "kill": 62},
    "aarch64": {"clone3": 435, "seccomp": 277, "landlock_restrict_self": 446, "kill": 129},
}[platform.machine()]


def _syscall(number, *arguments):
    result = _libc.syscall(ctypes.c_long(number), *arguments)
    assert result >= 0, f"system call {number}: {os.strerror(ctypes.get_errno())}"
    return result


def open_proc():
    """A detached procfs as the zygote's jail makes it: fsopen(2), fsconfig(2), fsmount(2)."""
    context = _syscall(430, b"proc", 1)
    for name, value in ((b"subset", b"pid"), (b"hidepid", b"invisible")):
        _syscall(431, context, 1, name, value, 0)
    _syscall(431, context, 6, None, None, 0)
    mount = _syscall(432, context, 1, 0)
    os.close(context)
    return mount


def open_landlock():
    """As landlock_open_apart() in common/landlock.c: apart in tracing, signals and abstract sockets."""
    handled = (1 << 6) | (1 << 11) | (1 << 13)  # MAKE_CHAR, MAKE_BLOCK, REFER
    ruleset = _syscall(444, struct.pack("=QQQ", handled, 0, 3), ctypes.c_size_t(24), 0)
    root = os.open("/", os.O_PATH)
    _syscall(445, ruleset, 1, struct.pack("=Qi", 1 << 13, root), 0)
    os.close(root)
    return ruleset


def child_filter():
    """
    clone3, seccomp and landlock_restrict_self answer ENOSYS, EPERM and EPERM; kill only reaches oneself. In hexadecimal,
    as the compiler writes it.
    """
    load, equal, give = 0x20, 0x15, 0x06
    allow, errno = 0x7FFF0000, 0x00050000
    program = [(load, 0, 0, 0)]
    for name, error in (("clone3", 38), ("seccomp", 1), ("landlock_restrict_self", 1)):
        program += [(equal, 0, 1, CALLS[name]), (give, 0, 0, errno | error)]
    program += [(equal, 0, 3, CALLS["kill"]), (load, 0, 0, 16)]  # the low half of the first argument
    program += [(equal, 1, 0, FILTER_PID), (give, 0, 0, errno | 1), (give, 0, 0, allow)]
    return b"".join(struct.pack("=HBBI", *one) for one in program).hex()


def environment_block(variables):
    return b"".join(name.encode() + b"=" + value.encode() + b"\0" for name, value in variables.items())


class Groups:
    """A tree of control groups that the identity may divide: cgroups(7), Delegation Containment."""

    def __init__(self):
        mount = stack.cgroup2_mount()
        assert mount, "these tests need a version 2 hierarchy of control groups"
        self.top = Path(tempfile.mkdtemp(prefix="sandboxd-warm-test.", dir=mount))
        self.numbers = itertools.count()
        os.chown(self.top / "cgroup.procs", UID, UID)

    def make(self, name=None):
        group = self.top / (name or f"slot.{next(self.numbers)}")
        group.mkdir()
        os.chown(group / "cgroup.procs", UID, UID)
        return group

    @staticmethod
    def kill(group):
        (group / "cgroup.kill").write_text("1")

    @staticmethod
    def pids(group):
        return [int(line) for line in (group / "cgroup.procs").read_text().split()]

    def remove(self):
        """Kills what is left. Only what was started in here can be in here."""
        self.kill(self.top)
        empty = lambda: "populated 0" in (self.top / "cgroup.events").read_text()  # noqa: E731
        stack.wait_for(empty, "the test's control groups to be empty")
        for group in self.top.iterdir():
            if group.is_dir():
                group.rmdir()
        self.top.rmdir()


@dataclass
class Event:
    kind: int
    slot: int
    value: int
    number: int
    detail: str

    def __repr__(self):
        return f"{NAMES[self.kind]}(slot {self.slot}, value {self.value}, number {self.number}, {self.detail!r})"


class Handed:
    """A request that is in the queue: what the bridge would have of it."""

    def __init__(self, number, connection=None, stdin=None, stdout=None, stderr=None):
        self.number, self.connection, self.stdin, self.stdout = number, connection, stdin, stdout
        self.stderr, self.said = stderr, None

    def send_body(self, body):
        """Only after the child's word: before it, the parameters may not be in."""
        record = self.connection.read_record()
        assert record and (record.type, record.id, record.content) == (GO, 0, b""), record
        self.connection.send(fcgi.encode_stream(fcgi.STDIN, 1, body))

    def response(self):
        """The whole of it. At its end the bridge closes, and some applications wait for that."""
        if self.connection:
            response = self.connection.read_response()
            self.connection.close()
        else:
            response = fcgi.Response(stdout=read_all(self.stdout))
        return response

    def errors(self):
        """All that came on the request's standard error."""
        if self.said is None:
            self.said = read_all(self.stderr).decode()
        return self.said

    def close(self):
        if self.connection:
            self.connection.close()
        for fd in (self.stdin, self.stdout, self.stderr):
            if fd is not None:
                os.close(fd)


def read_all(fd):
    found, end = b"", time.monotonic() + BOUND
    while True:
        assert select.select([fd], [], [], max(0, end - time.monotonic()))[0], f"no end after {found!r}"
        data = os.read(fd, 65536)
        if not data:
            return found
        found += data


class SocketConnection(fcgi.Connection):
    """One that is there already."""

    def __init__(self, connected):
        self.socket, self.timeout, self.buffer = connected, fcgi.TIMEOUT, b""
        self.socket.settimeout(self.timeout)


class WarmBroker:
    """
    A context manager. `scripts`, `requests`, `watch`, `passed`: as the variables in common/warm.h. `limits`: resource
    limits by number.
    """

    def __init__(
        self,
        command,
        environment=None,
        scripts=None,
        requests=(),
        watch=(),
        passed=(),
        library=True,
        filter=None,
        extra=None,
        cwd="/",
        limits=None,
    ):
        self.limits = limits or {}
        self.groups = Groups()
        self.slots, self.pid, self.pending, self.handed = {}, None, [], []
        self.control, theirs_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.queue, theirs_queue = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(BOUND)
        self.log = tempfile.TemporaryFile()
        variables = {"PATH": "/usr/bin:/bin", **(environment or {})}
        if library:
            variables |= {
                "LD_PRELOAD": str(LIBRARY),
                "SANDBOXD_WARM": "1",
                "SANDBOXD_WARM_FILTER": child_filter() if filter is None else filter,
                "SANDBOXD_WARM_PASS": "\n".join(passed),
                "SANDBOXD_WARM_REQUESTS": "\n".join(requests),
                "SANDBOXD_WARM_WATCH": "\n".join(map(str, watch)),
            }
            if scripts:
                variables["SANDBOXD_WARM_SCRIPTS"] = str(scripts)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        fds = {
            0: listener.fileno(),
            1: self.log.fileno(),
            2: self.log.fileno(),
            FD_CONTROL: theirs_control.fileno(),
            FD_QUEUE: theirs_queue.fileno(),
            FD_PROC: open_proc(),
            FD_LANDLOCK: open_landlock(),
            **(extra or {}),
        }
        self._start(command, variables, fds, cwd)
        for fd in (fds[FD_PROC], fds[FD_LANDLOCK]):
            os.close(fd)
        for one in (listener, theirs_control, theirs_queue):
            one.close()

    def _start(self, command, variables, fds, cwd):
        group = self.groups.make("zygote")
        self.pid = os.fork()
        if self.pid:
            return
        try:
            (group / "cgroup.procs").write_text("0")
            high = {number: os.dup2(fd, 100 + number) for number, fd in fds.items()}
            os.closerange(3, 100)
            for number, fd in high.items():
                os.dup2(fd, number)
            os.closerange(100, 4096)
            for number, value in self.limits.items():
                resource.setrlimit(number, (value, value))
            os.setgroups([])
            os.setresgid(UID, UID, UID)
            os.setresuid(UID, UID, UID)
            assert _libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
            os.chdir(cwd)
            os.execvpe(command[0], [str(word) for word in command], variables)
        finally:
            os._exit(99)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.handed:
            one.close()
        for one in (self.control, self.queue):
            one.close()
        self.groups.remove()
        if self.pid:
            os.waitpid(self.pid, 0)
        self.log.close()

    def output(self):
        return os.pread(self.log.fileno(), 1 << 20, 0).decode(errors="replace")

    def wait(self):
        """Waits for the zygote's end; returns its exit status as os.waitstatus_to_exitcode() has it."""
        pidfd = os.pidfd_open(self.pid)
        assert select.select([pidfd], [], [], BOUND)[0], f"the zygote does not end\n{self.output()}"
        os.close(pidfd)
        pid, self.pid = self.pid, None
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    # Events

    def receive(self, bound=BOUND):
        self.control.settimeout(bound)
        try:
            data = self.control.recv(4096)
        except ConnectionResetError:
            data = b""
        assert data, f"the zygote has closed its control socket\n{self.output()}"
        magic, kind, slot, value, number, detail = struct.unpack(EVENT, data)
        assert magic == MAGIC and kind in NAMES and kind
        return Event(kind, slot, value, number, detail.split(b"\0")[0].decode())

    def event(self, kind, **wanted):
        """The next event of this kind, with these fields; others are kept. UNFIT and TROUBLE never are."""

        def fits(event):
            return event.kind == kind and all(getattr(event, name) == value for name, value in wanted.items())

        for event in self.pending:
            if fits(event):
                self.pending.remove(event)
                return event
        while True:
            event = self.receive()
            if fits(event):
                return event
            assert event.kind not in (UNFIT, TROUBLE), f"{event}\n{self.output()}"
            self.pending.append(event)

    def drain(self):
        """Keeps what has been said: while nobody reads, the zygote waits, and ends after a while."""
        while select.select([self.control], [], [], 0)[0]:
            try:
                self.pending.append(self.receive())
            except AssertionError:
                return

    def nothing(self, seconds=0.3):
        """Whether nothing but what was asked for has been said; for what must not come."""
        try:
            self.pending.append(self.receive(seconds))
        except TimeoutError:
            pass
        return self.pending == []

    # Slots

    def kill(self, number, n_ended):
        """Ends the child in a slot, if that many have been told to have ended."""
        self.control.send(struct.pack(SLOT, MAGIC, number, n_ended))

    def slot(self, number):
        """Gives a slot a group; returns the one that it had."""
        group, old = self.groups.make(), self.slots.get(number)
        fds = [os.open(group, os.O_RDONLY | os.O_DIRECTORY), os.open(group / "cgroup.events", os.O_RDONLY)]
        socket.send_fds(self.control, [struct.pack(SLOT, MAGIC, number, 0)], fds)
        for fd in fds:
            os.close(fd)
        self.slots[number] = group
        return old

    def ready(self, slots=1):
        event = self.event(READY)
        for number in range(slots):
            self.slot(number)
        return event

    def spare(self, number=0):
        """The pid of the child that waits in this slot. The helper that forks it is no such: its 0 is the zygote's."""

        def find():
            for pid in self.groups.pids(self.slots[number]):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/0") == "/dev/null":
                        return pid

        return stack.wait_for(find, f"a child in slot {number}")

    # Requests

    def _head(self, kind, flags, size, script, user, address, host):
        number = next(_numbers)
        strings = (b"0" * 32, user.encode(), address.encode(), host.encode())
        return number, struct.pack(REQUEST, MAGIC, kind, flags, size, number, *strings) + script.encode() + b"\0"

    def _send(self, head, fds):
        data = array.array("i", fds)
        self.queue.sendmsg([head], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, data)])
        for fd in fds:
            os.close(fd)

    def connect(self, variables, no_body=True, script="", user="", address="192.0.2.7", host="www.example.org"):
        """Hands over a connection; `variables` is a dictionary, or the block as it is."""
        block = variables if isinstance(variables, bytes) else environment_block(variables)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.sendall(block)
        errors, stderr = os.pipe()
        flags = NO_BODY if no_body else 0
        number, head = self._head(CONNECTION, flags, len(block), script, user, address, host)
        self._send(head, [stderr, theirs.detach(), os.dup(ours.fileno())])
        self.handed.append(Handed(number, connection=SocketConnection(ours), stderr=errors))
        return self.handed[-1]

    def stream(self, variables, body=b"", script="", user="", address="192.0.2.7", host="www.example.org"):
        block = variables if isinstance(variables, bytes) else environment_block(variables)
        environment = os.memfd_create("environment", os.MFD_ALLOW_SEALING)
        os.write(environment, block)
        stdin, body_end = os.pipe()
        os.write(body_end, body)
        os.close(body_end)
        output, stdout = os.pipe()
        errors, stderr = os.pipe()
        number, head = self._head(STREAMS, 0, 0, script, user, address, host)
        self._send(head, [stderr, environment, stdin, stdout])
        self.handed.append(Handed(number, stdout=output, stderr=errors))
        return self.handed[-1]

    def ask(self, query="", script="", body=None, **variables):
        """One FastCGI request from beginning to end: the response."""
        names = ("user", "address", "host")
        facts = {name: variables.pop(name) for name in names if name in variables}
        base = {
            "REQUEST_METHOD": "GET" if body is None else "POST",
            "QUERY_STRING": query,
            "SCRIPT_NAME": "/" + script.rsplit("/", 1)[-1],
            "SCRIPT_FILENAME": script,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REDIRECT_STATUS": "200",
        }
        if body is not None:
            base |= {"CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/octet-stream"}
        handed = self.connect({**base, **variables}, no_body=body is None, script=script, **facts)
        if body is not None:
            handed.send_body(body)
        response = handed.response()
        self.drain()
        response.number = handed.number
        response.handed = handed
        return response

    def end(self):
        """The broker's end, as the zygote sees it."""
        self.control.close()
        self.queue.close()


def signal_of(event):
    """The signal that ended a child, or None: `value` is as of waitpid(2)."""
    return signal.Signals(os.WTERMSIG(event.value)) if os.WIFSIGNALED(event.value) else None
