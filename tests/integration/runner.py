# SPDX-License-Identifier: Apache-2.0
"""The Python runner of warm/, started for tests: for one request, or as a zygote under a stand-in for its library."""

import array
import contextlib
import os
import socket
import struct
import subprocess
import threading
from collections import namedtuple
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RUNNER = REPOSITORY / "warm" / "sandboxd-runner.py"
STAND_IN = Path(__file__).resolve().parent / "apps" / "warm_stand_in.c"
PYTHON = os.environ.get("RUNNER_PYTHON", "/usr/bin/python3")  # of another version, to try it
BOUND = 60
FD = 6  # as in the stand-in

BASE = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
REQUEST = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "/app",
    "PATH_INFO": "/path",
    "QUERY_STRING": "name=value&other=1",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "localhost",
    **BASE,
}

# What came of a request. `status` as subprocess has it: negative for a signal.
Answer = namedtuple("Answer", "status output errors")


def compile_stand_in(folder):
    """Returns the path of the library."""
    target = Path(folder) / "stand-in.so"
    command = ["cc", "-shared", "-fPIC", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*command, "-o", target, STAND_IN], check=True)
    return target


def once(command, environment=None, body=b"", cwd="/"):
    """A process for one request, as the cold path makes one."""
    words = [str(word) for word in command]
    environment = environment or REQUEST
    done = subprocess.run(words, input=body, capture_output=True, cwd=cwd, env=environment, timeout=BOUND)
    return Answer(done.returncode, done.stdout, done.stderr)


def cold(*arguments, environment=None, body=b"", cwd="/"):
    return once([PYTHON, RUNNER, *arguments], environment, body, cwd)


def reader(fd):
    """Reads to the end in a thread; returns the thread and what it will have read."""
    parts = []

    def read():
        with open(fd, "rb") as file:
            parts.append(file.read())

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread, parts


class Zygote:
    """`warm_ups` of the requests are for the zygote itself."""

    def __init__(self, library, *arguments, warm_ups=0, environment=None, cwd="/"):
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(BOUND)
        self.log, log = os.pipe()
        variables = {**BASE, "LD_PRELOAD": str(library), "STAND_IN_WARM_UPS": str(warm_ups), **(environment or {})}
        with socket.socket(socket.AF_UNIX) as standard_input, theirs:
            self.process = subprocess.Popen(
                [PYTHON, RUNNER, *[str(word) for word in arguments]],
                stdin=standard_input,
                stdout=log,
                stderr=log,
                cwd=cwd,
                env=variables,
                pass_fds=[FD],
                preexec_fn=lambda: os.dup2(theirs.fileno(), FD),
            )
        os.close(log)

    def ask(self, environment=None, body=b""):
        variables = {**REQUEST, **(environment or {})}
        block = b"".join(os.fsencode(f"{name}={value}") + b"\0" for name, value in variables.items())
        ends = [os.pipe() for _ in range(3)]
        theirs = [ends[0][0], ends[1][1], ends[2][1]]
        self.socket.sendmsg([block], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", theirs))])
        for fd in theirs:
            os.close(fd)
        readers = [reader(ends[1][0]), reader(ends[2][0])]
        with contextlib.suppress(BrokenPipeError), open(ends[0][1], "wb") as file:
            file.write(body)
        status = struct.unpack_from("i", self.socket.recv(64))[0]
        for thread, _ in readers:
            thread.join(BOUND)
            assert not thread.is_alive(), "somebody keeps the request's output open"
        return Answer(os.waitstatus_to_exitcode(status), *[parts[0] for _, parts in readers])

    def messages(self):
        """What it has written itself, after its end."""
        return os.read(self.log, 65536).decode()

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        self.socket.close()
        try:
            self.process.wait(BOUND)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.log)
