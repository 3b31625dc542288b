# SPDX-License-Identifier: Apache-2.0
"""A WSGI application that does what the query string says: WHAT, or WHAT:ARGUMENT."""

import errno
import json
import os
import signal
import socket
import time

served = 0
PEER_CONTEXT = 31  # SO_PEERSEC, socket(7): a process's own context comes with its end of a socket pair


def report(_):
    a, b = socket.socketpair()
    with a, b:
        context = a.getsockopt(socket.SOL_SOCKET, PEER_CONTEXT, 256).rstrip(b"\0").decode()
    return json.dumps({
        "context": context, "uid": os.getresuid(), "gid": os.getresgid(), "pid": os.getpid(), "ppid": os.getppid(),
        "served": served, "descriptors": [fd for fd in range(2048) if is_open(fd)],
    })


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def create(path):
    with open(path, "x") as file:
        file.write("mine")
    return "created"


def cat(path):
    with open(path) as file:
        return file.read()


def memory(megabytes):
    kept = bytearray(int(megabytes) << 20)
    for i in range(0, len(kept), 4096):
        kept[i] = 1
    return "had it"


def forks(_):
    """Processes that stay until they are killed, up to the limit."""
    count = 0
    try:
        while os.fork():
            count += 1
    except OSError:
        return str(count)
    time.sleep(300)


def stay(_):
    """A process that has left the session and holds nothing of the request's."""
    if os.fork() == 0:
        os.closerange(0, 2048)
        os.setsid()
        time.sleep(300)
    return "done"


def sleep(seconds):
    time.sleep(float(seconds))
    return "slept"


def kill(pid):
    os.kill(int(pid), signal.SIGTERM)
    return "done"


KNOWN = {one.__name__: one for one in (report, create, cat, memory, forks, stay, sleep, kill)}


def application(environ, start_response):
    global served
    what, _, argument = environ["QUERY_STRING"].partition(":")
    try:
        text = KNOWN[what](argument)
    except OSError as error:
        text = "failed: " + errno.errorcode[error.errno]
    served += 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
