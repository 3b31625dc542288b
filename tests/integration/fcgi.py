# SPDX-License-Identifier: Apache-2.0
"""A FastCGI client, written from the text of the FastCGI Specification, version 1.0 (1996).

It shares nothing with the C code, so that a misreading there does not hide itself here. Section numbers in
the comments are those of the specification. Every wait is bounded by the socket's timeout.
"""

import os
import select
import socket
import struct
import time
from dataclasses import dataclass, field

# Section 8, Types and Constants.
VERSION_1 = 1
BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR = 1, 2, 3, 4, 5, 6, 7
DATA, GET_VALUES, GET_VALUES_RESULT, UNKNOWN_TYPE = 8, 9, 10, 11
KEEP_CONN = 1
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3
REQUEST_COMPLETE, CANT_MPX_CONN, OVERLOADED, UNKNOWN_ROLE = 0, 1, 2, 3

TIMEOUT = 60


class ProtocolError(Exception):
    """The server sent what the specification does not allow."""


@dataclass
class Record:
    type: int
    id: int
    content: bytes


def encode_record(type, id, content=b"", padding=0, version=VERSION_1, length=None):
    """Section 3.3. `length` overrides contentLength, for records that lie."""
    length = len(content) if length is None else length
    return struct.pack("!BBHHBB", version, type, id, length, padding, 0) + content + b"\0" * padding


def encode_stream(type, id, data, chunk=65535):
    """Section 3.3, Types of Records: a stream is records with content and then an empty one."""
    records = [encode_record(type, id, data[i : i + chunk]) for i in range(0, len(data), chunk)]
    return b"".join(records) + encode_record(type, id)


def encode_length(length, long=False):
    """Section 3.4: one byte up to 127, otherwise four with the high bit of the first set."""
    if length < 128 and not long:
        return bytes([length])
    return struct.pack("!I", length | 0x80000000)


def encode_pair(name, value, long=False):
    name, value = (part.encode() if isinstance(part, str) else part for part in (name, value))
    return encode_length(len(name), long) + encode_length(len(value), long) + name + value


def encode_pairs(pairs, long=False):
    items = pairs.items() if isinstance(pairs, dict) else pairs
    return b"".join(encode_pair(name, value, long) for name, value in items)


def decode_pairs(data):
    """Section 3.4."""
    pairs, at = {}, 0

    def length():
        nonlocal at
        if data[at] < 128:
            at += 1
            return data[at - 1]
        at += 4
        return struct.unpack("!I", data[at - 4 : at])[0] & 0x7FFFFFFF

    while at < len(data):
        name_length = length()
        value_length = length()
        if at + name_length + value_length > len(data):
            raise ProtocolError("a name-value pair is longer than its record")
        pairs[data[at : at + name_length].decode()] = data[
            at + name_length : at + name_length + value_length
        ].decode()
        at += name_length + value_length
    return pairs


def begin(id=1, role=RESPONDER, flags=0):
    """Section 5.1."""
    return encode_record(BEGIN_REQUEST, id, struct.pack("!HB5x", role, flags))


def whole_request(params, stdin=b"", id=1, flags=0, role=RESPONDER):
    """Section 6.2: what a Responder receives."""
    return (
        begin(id, role, flags)
        + encode_stream(PARAMS, id, encode_pairs(params))
        + encode_stream(STDIN, id, stdin)
    )


@dataclass
class Response:
    """`closed` tells whether the server closed the connection before END_REQUEST."""

    stdout: bytes = b""
    stderr: bytes = b""
    app_status: int = None
    protocol_status: int = None
    closed: bool = False
    order: list = field(default_factory=list)

    def _split(self):
        for separator in (b"\r\n\r\n", b"\n\n"):
            at = self.stdout.find(separator)
            if at >= 0:
                return self.stdout[:at], self.stdout[at + len(separator) :]
        raise ProtocolError(f"no end of the header in {self!r:.2000}")

    @property
    def body(self):
        return self._split()[1]

    @property
    def headers(self):
        """A list of (lower-case name, value), as RFC 3875 section 6.3 has them."""
        pairs = []
        for line in self._split()[0].replace(b"\r\n", b"\n").split(b"\n"):
            name, colon, value = line.partition(b":")
            if not colon or not name or name != name.strip():
                raise ProtocolError(f"not a header line: {line!r:.200}")
            pairs.append((name.decode().lower(), value.strip().decode("latin-1")))
        return pairs

    def header(self, name):
        values = [value for key, value in self.headers if key == name.lower()]
        if len(values) > 1:
            raise ProtocolError(f"{name} occurs {len(values)} times")
        return values[0] if values else None

    @property
    def status(self):
        """RFC 3875 section 6.3.3: 200 is assumed without a Status line."""
        return int((self.header("status") or "200").split()[0])


class Connection:
    """One connection to a FastCGI server; a context manager."""

    def __init__(self, address, timeout=TIMEOUT):
        if isinstance(address, str):
            family = socket.AF_UNIX
        else:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.timeout = timeout
        self.buffer = b""
        self.socket.connect(address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """Sends everything; a server that closed meanwhile is not an error here, the reading shows it."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _fill(self):
        try:
            data = self.socket.recv(262144)
        except ConnectionResetError:
            data = b""
        self.buffer += data
        return bool(data)

    def read_record(self):
        """The next record, or None when the server has closed between records."""
        while len(self.buffer) < 8:
            if not self._fill():
                if self.buffer:
                    raise ProtocolError(f"closed within a record header: {self.buffer!r}")
                return None
        version, type, id, length, padding, _ = struct.unpack("!BBHHBB", self.buffer[:8])
        if version != VERSION_1:
            raise ProtocolError(f"record version {version}")
        while len(self.buffer) < 8 + length + padding:
            if not self._fill():
                raise ProtocolError("closed within a record")
        content = self.buffer[8 : 8 + length]
        self.buffer = self.buffer[8 + length + padding :]
        return Record(type, id, content)

    def take(self, response, id=1):
        """Reads one record into `response`; False once the request has ended (section 5.5) or is closed."""
        record = self.read_record()
        if record is None:
            response.closed = True
            return False
        if record.id != id:
            raise ProtocolError(f"a record of request {record.id}, expected {id}")
        response.order.append(record.type)
        if record.type == STDOUT:
            response.stdout += record.content
        elif record.type == STDERR:
            response.stderr += record.content
        elif record.type == END_REQUEST:
            response.app_status, response.protocol_status = struct.unpack("!IB3x", record.content)
            return False
        else:
            raise ProtocolError(f"a record of type {record.type} in a response")
        return True

    def read_response(self, id=1):
        response = Response()
        chunks = []
        while self.take(response, id):
            if len(response.stdout) > 1 << 20:  # joining once keeps large responses linear
                chunks.append(response.stdout)
                response.stdout = b""
        response.stdout = b"".join(chunks) + response.stdout
        return response

    def read_until(self, text, id=1):
        """Reads until `text` is in the response's output; returns the response so far."""
        response = Response()
        while text not in response.stdout:
            if not self.take(response, id):
                raise ProtocolError(f"the response ended before {text!r}: {response!r:.2000}")
        return response

    def closed(self):
        """Waits for the server to close, dropping whatever it sends; False after the timeout."""
        try:
            while self._fill():
                self.buffer = b""
        except TimeoutError:
            return False
        return True

    def exchange(self, data):
        """Sends `data` and collects the response meanwhile: neither side can block the other for ever."""
        deadline = time.monotonic() + self.timeout
        self.socket.setblocking(False)
        view, received, finished = memoryview(data), [self.buffer], False
        self.buffer = b""
        try:
            while len(view) and not finished:
                if time.monotonic() > deadline:
                    raise TimeoutError("the server takes no more of the request")
                readable, writable, _ = select.select([self.socket], [self.socket], [], 1)
                try:
                    if writable:
                        view = view[self.socket.send(view[:262144]) :]
                    if readable:
                        chunk = self.socket.recv(262144)
                        received.append(chunk)
                        finished = not chunk
                except BlockingIOError:
                    pass
                except (BrokenPipeError, ConnectionResetError):
                    finished = True
        finally:
            self.socket.settimeout(self.timeout)
            self.buffer = b"".join(received)


def request(address, params, stdin=b"", timeout=TIMEOUT):
    """One request on a connection of its own."""
    with Connection(address, timeout) as connection:
        connection.exchange(whole_request(params, stdin))
        return connection.read_response()


def raw(address, data, timeout=TIMEOUT, shutdown=True):
    """Sends bytes as they are and returns every byte that comes back until the server closes."""
    with Connection(address, timeout) as connection:
        connection.send(data)
        if shutdown:
            connection.socket.shutdown(socket.SHUT_WR)
        while connection._fill():
            pass
        return connection.buffer


def records(data):
    """Splits bytes into records (section 3.3); an incomplete one at the end is an error."""
    found, at = [], 0
    while at < len(data):
        if at + 8 > len(data):
            raise ProtocolError("an incomplete record header")
        version, type, id, length, padding, _ = struct.unpack("!BBHHBB", data[at : at + 8])
        if version != VERSION_1 or at + 8 + length + padding > len(data):
            raise ProtocolError("a malformed record")
        found.append(Record(type, id, data[at + 8 : at + 8 + length]))
        at += 8 + length + padding
    return found


def token():
    return os.urandom(8).hex()
