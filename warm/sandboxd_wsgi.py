# SPDX-License-Identifier: Apache-2.0
"""The server's side of WSGI (PEP 3333; its sections are named where they are followed)."""

import io
import os
import sys

from sandboxd_script import CUT_OFF, FAILED, folder_of, report, status_of, use_folder


HOP_BY_HOP = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers", "transfer-encoding"),
    "upgrade",
}
TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")  # RFC 9110, section 5.6.2, in lower case
FAILURE = (
    b"Status: 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 34\r\n\r\n",
    b"The application failed to answer.\n",
)


class Body(io.RawIOBase):
    """The request's body: `left` bytes of standard input, and then its end (PEP 3333, Input and Error Streams)."""

    def __init__(self, left):
        self.left = left

    def readable(self):
        return True

    def readinto(self, buffer):
        with memoryview(buffer) as view, view[: self.left] as part:
            n = os.readv(0, [part]) if part.nbytes else 0
        self.left -= n
        return n


class FileWrapper:
    """wsgi.file_wrapper (PEP 3333, Optional Platform-Specific File Handling), without a platform's means."""

    def __init__(self, filelike, block_size=65536):
        self.filelike = filelike
        self.block_size = block_size
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self):
        return self

    def __next__(self):
        data = self.filelike.read(self.block_size)
        if data:
            return data
        raise StopIteration


class Gone(Exception):
    """Nobody reads the response any more."""


def check_text(text, what):
    """PEP 3333, The start_response() Callable: native strings of bytes' code points, without control characters."""
    if type(text) is not str:
        raise TypeError(f"{what} is {type(text).__name__}, not str")
    if not (text.isascii() and text.isprintable()) and any(not " " <= c <= "\xff" or c == "\x7f" for c in text):
        raise ValueError(f"{what} has a control character in it, or one that is no byte: {text!r}")


class Response:
    """What start_response() was told, and what of it has gone out."""

    __slots__ = ("fd", "bodiless", "header", "sent", "left", "sized", "surplus")

    def __init__(self, fd, method):
        self.fd = fd
        self.bodiless = method == "HEAD"
        self.header = None  # as it will be sent, without the empty line
        self.sent = False
        self.left = None  # of Content-Length, if the application gave one
        self.sized = False
        self.surplus = False

    def start(self, status, headers, exc_info=None):
        """start_response()."""
        if exc_info:
            try:
                if self.sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # a circle through this frame
        elif self.header is not None:
            raise AssertionError("start_response() was called before, and is now without exc_info")
        check_text(status, "the status")
        if len(status) < 4 or not status[:3].isdecimal() or status[3] != " " or not "200" <= status[:3] <= "599":
            raise ValueError(f"the status is not a number of 200 to 599 with a reason: {status!r}")
        if type(headers) is not list:
            raise TypeError(f"the headers are {type(headers).__name__}, not list")
        self.take(status, headers)
        return self.write

    def take(self, status, headers):
        lines = [f"Status: {status}"]
        left = None
        for name, value in headers:
            check_text(name, "a header's name")
            check_text(value, f"header {name}")
            low = name.lower()
            if not low or not TOKEN.issuperset(low):
                raise ValueError(f"no header's name: {name!r}")
            if low in HOP_BY_HOP or low == "status":
                raise ValueError(f"header {name} is not the application's to set")
            if low == "content-length":
                if not value.isdecimal():
                    raise ValueError(f"Content-Length is not a length: {value!r}")
                left = int(value)
            lines.append(f"{name}: {value}")
        if status[:3] in ("204", "304"):
            self.bodiless = True
        self.header = "\r\n".join(lines).encode("latin-1")
        self.left = left
        self.sized = left is not None

    def put(self, data):
        """Writes it all: a pipe takes what fits, and the rest when there is room."""
        try:
            n = os.write(self.fd, data)
            while n < len(data):
                data = data[n:]
                n = os.write(self.fd, data)
        except OSError as error:
            raise Gone from error

    def write(self, data):
        """The callable that start_response() returns; nothing of the data stays here."""
        if type(data) is not bytes:
            raise TypeError(f"the body is {type(data).__name__}, not bytes")
        if self.header is None:
            raise AssertionError("the body comes before start_response()")
        if self.bodiless:
            data = b""
        elif self.left is not None:
            if len(data) > self.left:
                self.surplus = True
                data = data[: self.left]
            self.left -= len(data)
        if not self.sent:
            self.sent = True
            data = self.header + b"\r\n\r\n" + data
        if data:
            self.put(data)

    def finish(self, parts):
        """Sends a body that is there as a whole: only its header may lack the length."""
        if self.header is None:
            raise AssertionError("start_response() was not called")
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        if not self.sized and not self.sent and type(data) is bytes and (data or not self.bodiless):
            if self.header[8:11] not in (b"204", b"304"):
                self.header += b"\r\nContent-Length: %d" % len(data)
        self.write(data)

    def conclude(self):
        """Everything was given: was it what the header says? (PEP 3333, Handling the Content-Length Header)"""
        if not self.sent:
            self.write(b"")
        if self.surplus:
            print("sandboxd-runner: the body is longer than its Content-Length; the rest was dropped", file=sys.stderr)
        if self.left and not self.bodiless:
            print(f"sandboxd-runner: {self.left} bytes of the body's Content-Length are missing", file=sys.stderr)
            return CUT_OFF
        return FAILED if self.surplus else 0


def complete_environ(environ):
    """PEP 3333, environ Variables; `environ` has the CGI variables. False: no such request."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or len(length) > 18:
        return False
    length = int(length)
    secure = environ.get("HTTPS", "").lower() in ("on", "1", "yes") or environ.get("REQUEST_SCHEME") == "https"
    environ.update(FIXED)
    environ["wsgi.input"] = io.BufferedReader(Body(length)) if length else EMPTY
    environ["wsgi.errors"] = sys.stderr
    environ["wsgi.url_scheme"] = "https" if secure else "http"
    return True


EMPTY = io.BytesIO()  # a process serves one request
FIXED = {
    "wsgi.version": (1, 0),
    "wsgi.multithread": False,
    "wsgi.multiprocess": True,
    "wsgi.run_once": True,
    "wsgi.file_wrapper": FileWrapper,
}


def answer(application, environ, response):
    """Calls the application and sends what it gives; returns how the process is to end."""
    result = application(environ, response.start)
    try:
        if type(result) is list or type(result) is tuple:
            response.finish(result)
        else:
            for data in result:
                if data:
                    response.write(data)
                    if response.bodiless:
                        break
        return response.conclude()
    finally:
        if hasattr(result, "close"):
            result.close()


def prepare():
    """What is printed is for standard error: the response is no place for it."""
    sys.stdout = sys.__stdout__ = sys.stderr


def run(application, environ):
    """Serves one request, after prepare(); returns how the process is to end."""
    pid = os.getpid()
    response = Response(1, environ.get("REQUEST_METHOD"))
    try:
        if complete_environ(environ):
            return answer(application, environ, response)
        response.put(b"Status: 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nCONTENT_LENGTH is not a length.\n")
        return FAILED
    except Gone:
        return FAILED
    except BaseException as error:
        if os.getpid() != pid:  # a process that the application has made, and that it let come back here
            return status_of(error) if isinstance(error, SystemExit) else FAILED
        report(error)
        return fail(response)


def fail(response):
    """The application has raised something. Nothing of it is for the client."""
    if response.sent:
        return CUT_OFF
    try:
        response.put(FAILURE[0] if response.bodiless else FAILURE[0] + FAILURE[1])
    except Gone:
        pass
    return FAILED


def load(path, name):
    """Imports the file and returns the callable that it has under this name; raises whatever the file does."""
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import SourceFileLoader, spec_from_file_location

    path = os.path.abspath(path)
    use_folder(folder_of(path))
    base = os.path.basename(path)
    stem = base.rpartition(".")[0] or base
    if not stem.isidentifier() or stem in sys.modules or stem in sys.builtin_module_names:
        stem = "sandboxd_application"
    spec = spec_from_file_location(stem, path, loader=SourceFileLoader(stem, path))
    module = sys.modules[stem] = module_from_spec(spec)
    spec.loader.exec_module(module)
    application = module
    for part in name.split("."):
        application = getattr(application, part)
    return application


def cold(path, name):
    """One request, without a zygote; returns how the process is to end."""

    def failed(environ, start_response):
        raise error

    try:
        application = load(path, name)
    except BaseException as raised:
        error = raised
        application = failed
    prepare()
    variables = os.environ._data.items()
    return run(application, {name.decode("latin-1"): value.decode("latin-1") for name, value in variables})
