# SPDX-License-Identifier: Apache-2.0
"""What tests in the virtual machine do and look at: units, processes, requests through nginx."""

import base64
import collections
import contextlib
import http.client
import json
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

ALICE, BOB, ANONYMOUS, BY_ADDRESS = 30001, 30002, 30003, 30004
SHARED = 30010  # of carol and dave, whom only their categories keep apart
BOUND = 60  # seconds for waits: what a stuck program costs, never what an emulated processor must meet
CGROUPS = Path("/sys/fs/cgroup")


def run(*command, **options):
    """Runs a command, which has to succeed; returns what it printed."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def wait_for(condition, what, bound=BOUND):
    end = time.monotonic() + bound
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {bound} s in vain for: {what}"
        time.sleep(0.1)


# Units


def systemctl(*arguments):
    return run("systemctl", *arguments)


def show(unit, name):
    return systemctl("show", "--property", name, "--value", unit).strip()


def state(unit):
    return show(unit, "ActiveState")


def main_pid(unit):
    return int(show(unit, "MainPID"))


def journal(unit, since):
    """What the unit has logged since a moment of time.time()."""
    return run("journalctl", "--unit", unit, "--since", f"@{since:.6f}", "--output", "cat", "--no-pager")


def reload():
    """
    Has the broker read its configuration, and returns when it is in force, or refused and the one before still is.
    (`systemctl reload` alone may return as soon as the broker has the signal.)
    """
    since = time.time()
    systemctl("reload-or-restart", "sandboxd")
    wait_for_log("sandboxd", "in force", since)


def wait_for_log(unit, text, since):
    wait_for(lambda: text in journal(unit, since), f"{text!r} in the log of {unit}")


# Processes


def _status(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        text = Path(f"/proc/{pid}/status").read_text()
        return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    return None


def processes_of(uid):
    """The pids of the living processes of a uid."""
    found = []
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        status = _status(pid)
        if status and str(uid) in status["Uid"].split() and not status["State"].startswith("Z"):
            found.append(pid)
    return found


def parent_of(pid):
    return int(_status(pid)["PPid"])


def children_of(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def namespace_of(pid):
    return os.readlink(f"/proc/{pid}/ns/pid")


def context_of(pid):
    return Path(f"/proc/{pid}/attr/current").read_text().rstrip("\0\n")


def cgroup_of(pid):
    """The folder of the process's control group."""
    return CGROUPS / Path(f"/proc/{pid}/cgroup").read_text().strip().removeprefix("0::/")


# Requests


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def text(self):
        return self.body.decode(errors="replace")

    @property
    def json(self):
        assert self.status == 200, f"{self.status}: {self.text}"
        return json.loads(self.body)


def connect(source="127.0.0.1", timeout=BOUND):
    """To nginx, from an address of the loopback network."""
    return http.client.HTTPConnection("127.0.0.1", 80, timeout=timeout, source_address=(source, 0))


def ask(connection, path, user=None, method="GET", body=None):
    headers = {}
    if user:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{user}".encode()).decode()
    connection.request(method, path, body, headers)
    return Answer(connection.getresponse())


def get(path, user=None, source="127.0.0.1", **arguments):
    """A request on a connection of its own, as a user who logs in."""
    with contextlib.closing(connect(source)) as connection:
        return ask(connection, path, user, **arguments)


class Background:
    """A request in a thread of its own. outcome() waits for its end: an Answer, or the exception."""

    def __init__(self, path, user=None, source="127.0.0.1"):
        self.result = None
        self.connection = connect(source, timeout=300)
        self.connection.connect()
        self.thread = threading.Thread(target=self._run, args=(path, user), daemon=True)
        self.thread.start()

    def _run(self, path, user):
        try:
            self.result = ask(self.connection, path, user)
        except (OSError, http.client.HTTPException) as error:
            self.result = error

    def outcome(self):
        self.thread.join(BOUND)
        assert not self.thread.is_alive(), "the request goes on"
        return self.result

    def abort(self):
        with contextlib.suppress(OSError):  # the server may have closed it
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join(BOUND)


@contextlib.contextmanager
def running(path, user, uid, source="127.0.0.1"):
    """
    A request that goes on until the end of the block, where its client goes away. Yields the pid of its application,
    which is a child of the broker's.
    """
    assert not processes_of(uid), f"uid {uid} has processes already"
    request = Background(path, user, source)

    def application():
        for pid in processes_of(uid):
            with contextlib.suppress(OSError, TypeError):  # it has ended meanwhile
                if _status(parent_of(pid))["Name"] == "sandboxd" and "sandboxd_zygote_t" not in context_of(pid):
                    return pid
        assert request.thread.is_alive(), f"the request has ended: {request.outcome()}"
        return None

    try:
        yield wait_for(application, f"the application of {path}")
    finally:
        request.abort()
    wait_for(lambda: not processes_of(uid), f"the end of {path}")


class Load:
    """Clients that ask one request after the other, each on a new connection, while the block runs; `counts` then
    says how often which status, or which exception, was the answer."""

    def __init__(self, path, clients=4, **arguments):
        self.path, self.arguments = path, arguments
        self.counts = collections.Counter()
        self.examples = {}
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._client, daemon=True) for _ in range(clients)]

    def _client(self):
        while not self.over.is_set():
            try:
                answer = get(self.path, "alice", **self.arguments)
                outcome, example = answer.status, answer.text
            except (OSError, http.client.HTTPException) as error:
                outcome, example = type(error).__name__, repr(error)
            with self.lock:
                self.counts[outcome] += 1
                self.examples.setdefault(outcome, example)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.wait_for_more(8)
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(2 * BOUND)

    def wait_for_more(self, number):
        """Until that many more requests have been answered with 200."""
        target = self.counts[200] + number
        wait_for(lambda: self.counts[200] >= target, f"{number} more answers; there are {dict(self.counts)}")

    def assert_only(self, *statuses):
        wrong = {outcome: self.examples[outcome] for outcome in self.counts if outcome not in statuses}
        assert not wrong, f"{dict(self.counts)}; for example {wrong}"
