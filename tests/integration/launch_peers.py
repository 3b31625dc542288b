# SPDX-License-Identifier: Apache-2.0
"""The broker and the child of a launch, played by a test: the other sides of common/wire.h and common/warm.h.

Written from the headers, so that a misreading in the bridge's code does not hide itself here. Every wait is bounded.
"""

import contextlib
import os
import select
import shutil
import socket
import struct
import tempfile
from pathlib import Path

import fcgi
import stack as lib
from service_manager import ServiceManager

MAGIC, QUESTION_MAGIC, VARIABLES_MAGIC, DONE_MAGIC, VERSION = 0x53626F78, 0x53626F71, 0x53626F76, 0x53626F64, 3
STREAMS, CONNECTION = range(2)
NO_BODY = 1
GO = 0x53
OUTCOMES = "exited signaled no-rule untrusted no-service no-script failed busy timeout invalid again".split()

REQUEST = struct.Struct("=5I33s256s46s256s2048sx")
RESULT = struct.Struct("=5I256s")
QUESTION = struct.Struct(f"=3I{8 * 64}s")
VARIABLES = struct.Struct(f"=3I{8 * 256}s")
DONE = struct.Struct("=2I")
FDS = {STREAMS: ("front", "stderr", "environment", "stdin", "stdout"), CONNECTION: ("front", "stderr", "child", "peer")}


class Launch:
    """One launch that the bridge has asked for.

    Of use to tests: kind, flags, environment_size, id, user, address, host, script; result(), ask(), said(). With
    streams: fds["stdin"] and so on, environment(), respond(). With a connection it plays the child: parameters(), go(),
    send(), read_body(), respond().
    """

    def __init__(self, connection):
        self.broker = connection
        data, fds, flags, _ = socket.recv_fds(connection, 65536, 16)
        assert len(data) == REQUEST.size and not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC), len(data)
        magic, version, self.kind, self.flags, self.environment_size, *strings = REQUEST.unpack(data)
        assert (magic, version) == (MAGIC, VERSION)
        self.id, self.user, self.address, self.host, self.script = (one.split(b"\0")[0].decode() for one in strings)
        assert len(fds) == len(FDS[self.kind])
        self.fds = dict(zip(FDS[self.kind], fds))
        self.blocking = {name: os.get_blocking(fd) for name, fd in self.fds.items()}
        if self.kind == CONNECTION:
            self.child, self.peer = (socket.socket(fileno=self.fds.pop(name)) for name in ("child", "peer"))
            self.child.settimeout(lib.BOUND)
            self.buffer = b""

    def close(self, *names):
        """Closes these descriptors, or all, as the end of the application does."""
        for name in names or list(self.fds):
            os.close(self.fds.pop(name))
        if not names and self.kind == CONNECTION:
            self.child.close()
            self.peer.close()

    def end(self):
        self.close()
        self.broker.close()

    # The broker

    def result(self, outcome, detail=0, wants=STREAMS, reason=b""):
        """The launch's end, after which a broker closes."""
        with contextlib.suppress(BrokenPipeError):
            self.broker.send(RESULT.pack(MAGIC, VERSION, OUTCOMES.index(outcome), detail, wants, reason))
        self.broker.close()

    def ask(self, *names):
        """The values of these variables; None if the bridge closes instead."""
        packed = b"".join(name.encode().ljust(64, b"\0") for name in names)
        self.broker.send(QUESTION.pack(QUESTION_MAGIC, VERSION, len(names), packed))
        data = self.broker.recv(65536)
        if not data:
            return None
        magic, version, n_values, values = VARIABLES.unpack(data)
        assert (magic, version, n_values) == (VARIABLES_MAGIC, VERSION, len(names))
        return [values[i * 256 : (i + 1) * 256].split(b"\0")[0].decode() for i in range(n_values)]

    def said(self):
        """What the bridge says before it closes: "done" or "closed"."""
        with contextlib.suppress(ConnectionResetError):
            data = self.broker.recv(65536)
            if data:
                assert DONE.unpack(data) == (DONE_MAGIC, VERSION)
                assert self.broker.recv(1) == b"", "nothing comes after it"
                return "done"
        return "closed"

    # The application, with streams

    def environment(self):
        """The environment as the child reads it: {name: value}."""
        if self.kind == CONNECTION:
            block = self._receive(self.environment_size)
        else:
            block = os.pread(self.fds["environment"], 1 << 20, 0)
        assert not block or block.endswith(b"\0")
        return dict(item.decode().split("=", 1) for item in block.split(b"\0")[:-1])

    # The child, with a connection

    def _receive(self, size):
        data = b""
        while len(data) < size:
            part = self.child.recv(size - len(data))
            assert part, f"the bridge closed after {data!r:.200}"
            data += part
        return data

    def parameters(self):
        """Reads the environment, and lets go of the bridge's end. Returns the environment."""
        found = self.environment()
        self.peer.close()
        return found

    def send(self, *records):
        """Records of the application, or other bytes."""
        self.child.sendall(b"".join(records))

    def go(self):
        self.send(fcgi.encode_record(GO, 0))

    def read_record(self):
        """The next record of the bridge's: (type, id, content)."""
        version, type, id, length, padding, _ = struct.unpack("!BBHHBB", self._receive(8))
        assert version == fcgi.VERSION_1
        content = self._receive(length)
        self._receive(padding)
        return type, id, content

    def read_body(self):
        """FCGI_STDIN to its end."""
        parts = []
        while not parts or parts[-1]:
            type, id, content = self.read_record()
            assert (type, id) == (fcgi.STDIN, 1)
            parts.append(content)
        return b"".join(parts)

    def is_silent(self, seconds=0.2):
        """Whether the bridge sends the child nothing for a moment."""
        return not select.select([self.child], [], [], seconds)[0]

    def respond(self, body=b"", status=0, header=b"Content-Type: text/plain\r\n\r\n", stderr=b"", wants=None):
        """A whole response. With streams the end of the application, and the result, follow."""
        if self.kind == CONNECTION:
            self.send(response(header + body, status, stderr))
            return
        os.write(self.fds["stdout"], header + body)
        os.write(self.fds["stderr"], stderr)
        self.close()
        self.result("exited", status, STREAMS if wants is None else wants)


def end_request(status=0, protocol_status=fcgi.REQUEST_COMPLETE, id=1):
    return fcgi.encode_record(fcgi.END_REQUEST, id, struct.pack("!IB3x", status, protocol_status))


def response(output, status=0, stderr=b"", chunk=65535):
    """What an application sends for one request."""
    records = fcgi.encode_stream(fcgi.STDERR, 1, stderr, chunk) if stderr else b""
    return records + fcgi.encode_stream(fcgi.STDOUT, 1, output, chunk) + end_request(status)


class Doors(ServiceManager):
    """A service manager whose bridge has further doors."""

    def __init__(self, stack, *doors, **arguments):
        super().__init__(stack, doors[0], **arguments)
        self.further = [socket.socket(socket.AF_UNIX) for _ in doors[1:]]
        for listener, door in zip(self.further, doors[1:]):
            listener.bind(stack.door(door))
            listener.listen(64)

    def passed(self):
        return [*super().passed(), *(("front", listener.fileno()) for listener in self.further)]

    def close(self):
        for listener in self.further:
            listener.close()
        super().close()


class Broker:
    """The launch socket, front doors, and a bridge between them.

    Of use to tests: connect(), request(), accept(); manager, which is the bridge's service manager.
    """

    params = lib.Stack.params

    def __init__(self, *options, doors=("front",), **arguments):
        self.base = Path(tempfile.mkdtemp(prefix="sandboxd-test.", dir="/run"))
        self.base.chmod(0o755)
        self.launch_socket = self.base / "launch"
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.settimeout(lib.BOUND)
        self.listener.bind(str(self.launch_socket))
        self.listener.listen(64)
        self.launch_socket.chmod(0o666)
        self.launches = []
        self.manager = Doors(self, *doors, **arguments)
        self.manager.start(*options)

    def door(self, name):
        return str(self.base / f"{name}.sock")

    def connect(self):
        return fcgi.Connection(self.manager.door)

    def accept(self, kind=None):
        """The bridge's next launch."""
        connection, _ = self.listener.accept()
        connection.settimeout(lib.BOUND)
        self.launches.append(Launch(connection))
        assert kind is None or self.launches[-1].kind == kind
        return self.launches[-1]

    def is_idle(self, seconds=0.2):
        """Whether the bridge asks for no launch for a moment."""
        return not select.select([self.listener], [], [], seconds)[0]

    def close(self):
        for launch in self.launches:
            launch.end()
        self.manager.close()
        self.listener.close()
        shutil.rmtree(self.base)
