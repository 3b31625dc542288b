# SPDX-License-Identifier: Apache-2.0
"""What systemd is to a bridge, as far as sd_listen_fds(3), sd_notify(3) and sd_pid_notify_with_fds(3) describe it.

It keeps the listening socket, starts the bridge with it, and stores the descriptors that the bridge sends until the
bridge says FDSTOREREMOVE=1.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import stack as lib
from stack import wait_for

# In the new process: descriptors to 3 and up, LISTEN_PID, then the program.
LAUNCHER = """
import os, sys
names, fds, command = sys.argv[1], [int(fd) for fd in sys.argv[2].split(",")], sys.argv[3:]
high = [os.dup(fd) for fd in fds]
while min(high) < 3 + len(fds):
    high = [os.dup(fd) for fd in high]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
os.closerange(3 + len(fds), max(high + fds) + 1)
os.environ.update(LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=names, LISTEN_PID=str(os.getpid()))
os.execvp(command[0], command)
"""
DROP = ["setpriv", "--reuid", "fcgi-bridge", "--regid", "fcgi-bridge", "--clear-groups", "--inh-caps=-all"]


class ServiceManager:
    """Of use to tests: bridge (Popen), start(), stop(), restart(), stored, heard (lines of messages), log(); `answers`
    holds it up when cleared.
    """

    def __init__(self, stack, service, notify=True, room=1024):
        self.stack, self.door = stack, stack.door(service)
        family = socket.AF_UNIX if isinstance(self.door, str) else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_INET:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(self.door)
        self.listener.listen(1024)
        self.room = room if notify else None  # FileDescriptorStoreMax=
        self.path = stack.base / f"{service}.notify" if notify else None
        self.log_path = stack.base / f"{service}.bridge.log"
        self.bridge, self.stored, self.problems, self.heard = None, [], [], []
        self.ready, self.answers = threading.Event(), threading.Event()
        self.answers.set()
        self.thread, self.closing = None, False
        if notify:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.socket.settimeout(0.1)
            self.socket.bind(str(self.path))
            self.path.chmod(0o666)
            self.thread = threading.Thread(target=self._listen)
            self.thread.start()

    # Messages

    def _listen(self):
        while not self.closing:
            self.answers.wait()
            try:
                data, fds, _, _ = socket.recv_fds(self.socket, 4096, 64)
            except TimeoutError:
                continue
            self.answers.wait()
            try:
                self._handle(data.decode().split("\n"), fds)
            except Exception as error:  # reported by close()
                self.problems.append(repr(error))

    def _handle(self, lines, fds):
        self.heard += lines
        if "BARRIER=1" in lines:
            assert len(fds) == 1
        elif "FDSTORE=1" in lines:
            # systemd finds the unit of a message by its sender, which must still be there.
            assert os.waitid(os.P_PID, self.bridge.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None, "too late"
            assert "FDNAME=connection" in lines and len(fds) == 1
            assert not any(os.path.sameopenfile(fd, fds[0]) for _, fd in self.stored), "stored already"
            assert len(self.stored) < (self.room or 0), "no room"
            self.store("connection", fds.pop())
        elif "FDSTOREREMOVE=1" in lines:
            (name,) = [line.removeprefix("FDNAME=") for line in lines if line.startswith("FDNAME=")]
            self._forget(name)
        if "READY=1" in lines:
            self.ready.set()
        for fd in fds:
            os.close(fd)

    def store(self, name, fd):
        """As if a bridge had said so; the descriptor is the store's then."""
        self.stored.append((name, fd))

    def _forget(self, name):
        for fd in [fd for stored, fd in self.stored if stored == name]:
            os.close(fd)
        self.stored = [entry for entry in self.stored if entry[0] != name]

    # The bridge

    def start(self, *options):
        """Starts a bridge with the listening socket and what is stored."""
        since = len(self.log())
        self.spawn(self.passed(), *options)
        if self.path:
            assert self.ready.wait(lib.BOUND), f"the bridge is not ready:\n{self.log()}"
        else:
            wait_for(lambda: "serving" in self.log()[since:], "the bridge to serve")

    def passed(self):
        """The listening socket and what is stored: (name, descriptor)."""
        return [("front", self.listener.fileno()), *self.stored]

    def spawn(self, passed, *options, limit=None):
        """Starts a bridge with the descriptors `passed`, (name, descriptor), and waits for nothing. Returns it.

        `limit` is LimitNOFILE=.
        """
        environment = dict(os.environ)
        if self.path:
            environment["NOTIFY_SOCKET"] = str(self.path)
        if self.room is not None:
            environment["FDSTORE"] = str(self.room)
        names, fds = ":".join(name for name, _ in passed), [fd for _, fd in passed]
        command = [sys.executable, "-c", LAUNCHER, names, ",".join(map(str, fds)), *DROP, "--bounding-set=-all"]
        command += ["prlimit", f"--nofile={limit}:{limit}"] if limit else []
        command += [str(lib.BUILD / "fcgi-bridge"), f"--launch-socket={self.stack.launch_socket}", *options]
        self.ready.clear()
        with open(self.log_path, "ab") as log:
            self.bridge = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=fds, env=environment, cwd="/"
            )
        return self.bridge

    def terminate(self):
        self.bridge.send_signal(signal.SIGTERM)

    def wait(self):
        status = self.bridge.wait(lib.BOUND)
        assert status == 0, f"the bridge ended with {status}:\n{self.log()}"

    def stop(self):
        self.terminate()
        self.wait()

    def restart(self, *options):
        """As `systemctl restart` does: the next one is started when the one before has ended."""
        self.stop()
        self.start(*options)

    def log(self):
        with contextlib.suppress(FileNotFoundError):
            return self.log_path.read_text(errors="replace")
        return ""

    def close(self):
        self.answers.set()
        if self.bridge and self.bridge.poll() is None:
            self.bridge.kill()
            self.bridge.wait(lib.BOUND)
        if self.thread:
            self.closing = True
            self.thread.join(lib.BOUND)
            self.socket.close()
        for name in {name for name, _ in self.stored}:
            self._forget(name)
        self.listener.close()
        log = self.log()
        for path in (self.door, self.path, self.log_path):
            if isinstance(path, (str, Path)):
                Path(path).unlink(missing_ok=True)
        assert not self.problems, f"{self.problems}\n{log}"
        assert not re.search(r"AddressSanitizer|runtime error:|LeakSanitizer", log), log
