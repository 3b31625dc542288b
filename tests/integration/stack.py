# SPDX-License-Identifier: Apache-2.0
"""Broker and bridge, started for tests under systemd-socket-activate, and what tests read about them.

A Stack owns a directory /run/sandboxd-test.XXXX, the two programs and nothing else. stop() ends the programs
by SIGTERM and then proves that nothing is left: no process, no mount, no control group.
"""

import atexit
import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import fcgi

REPOSITORY = Path(__file__).resolve().parents[2]
BUILT = Path(os.environ.get("BUILD", REPOSITORY / "build")).resolve()
APPS = Path(__file__).resolve().parent / "apps"
PROGRAMS = (
    *("sandboxd", "sandboxd-zygote", "sandboxd-compile", "sandboxd-names", "sandboxd-allot", "sandboxd-entry"),
    *("fcgi-bridge", "sandboxctl", "probe"),
)


def reachable_copy(built):
    """A copy of the programs: the checkout may lie where the bridge's account cannot reach it."""
    folder = Path(tempfile.mkdtemp(prefix="sandboxd-programs.", dir="/run"))
    atexit.register(shutil.rmtree, folder)
    folder.chmod(0o755)
    for name in PROGRAMS:
        if os.access(built / name, os.X_OK):
            shutil.copy(built / name, folder)
    if (built / "warm").is_dir():
        shutil.copytree(built / "warm", folder / "warm")
        (folder / "warm").chmod(0o755)
    return folder


BUILD = reachable_copy(BUILT)
CC_FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-static", "-O2", "-Wall", "-Wextra"]

# Users uN are identity N:N, so that a test that counts processes by uid can have a uid of its own.
FIRST_UID, LAST_UID = 30100, 30999

# Bounds for waits. They are what a stuck program costs, never what a slow machine must meet.
BOUND = 60

running = []  # the stacks that are up, for the report of a failing test
_libc = ctypes.CDLL(None, use_errno=True)
_next_uid = FIRST_UID


def wait_for(condition, what, bound=BOUND):
    """Polls until condition() is true and returns its value; fails, saying `what`, after `bound` seconds."""
    end = time.monotonic() + bound
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {bound} s in vain for: {what}"
        time.sleep(0.02)


def fresh_user():
    """A user that no other test uses: (name, uid)."""
    global _next_uid
    _next_uid += 1
    assert _next_uid <= LAST_UID, "more users wanted than the test maps have"
    return f"u{_next_uid}", _next_uid


def become_subreaper():
    """prctl(2), PR_SET_CHILD_SUBREAPER: what the programs orphan becomes our child, and cannot be missed."""
    assert _libc.prctl(36, 1, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())


def _status(pid):
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def processes_of(uid):
    """The pids of the living processes any of whose uids is `uid`."""
    found = []
    for pid in pids():
        status = _status(pid)
        if status and str(uid) in status["Uid"].split() and not status["State"].startswith("Z"):
            found.append(pid)
    return found


def children_of(parent):
    """Living children and zombies, apart: two lists of pids."""
    living, zombies = [], []
    for pid in pids():
        status = _status(pid)
        if status and int(status["PPid"]) == parent:
            (zombies if status["State"].startswith("Z") else living).append(pid)
    return living, zombies


def command_of(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return "?"


def applications_of(uid):
    """Of an identity's processes those that have executed something: no init, and none that is on its way."""
    return [pid for pid in processes_of(uid) if "sandboxd-zygote" not in command_of(pid)]


def zygotes_of(broker):
    """The zygotes of a broker. What else of theirs are its children have a PID namespace: keepers, requests."""
    found = [pid for pid in children_of(broker)[0] if "sandboxd-zygote" in command_of(pid)]
    return [pid for pid in found if len((_status(pid) or {}).get("NSpid", "").split()) == 1]


def descriptors_of(pid):
    """What the descriptors of a process are: a sorted list, without the numbers of pipes and sockets."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(re.sub(r":\[\d+\]", "", os.readlink(f"/proc/{pid}/fd/{name}")))
    return sorted(found)


def rss_of(pid):
    """Resident memory in bytes (proc(5), VmRSS)."""
    return int(_status(pid)["VmRSS"].split()[0]) * 1024


def mounts():
    return sorted(Path("/proc/self/mountinfo").read_text().splitlines())


def cgroup2_mount():
    for line in mounts():
        left, right = line.split(" - ")
        if right.split()[0] == "cgroup2":
            return Path(left.split()[4])
    return None


def cgroups_of(broker_pids):
    """The control groups of these brokers, sandboxd.PID and all beneath it. Others may be at work beside them."""
    top = cgroup2_mount()
    found = []
    for pid in broker_pids if top else []:
        for group in top.rglob(f"sandboxd.{pid}"):
            found += [path for path, _, _ in os.walk(group)]
    return sorted(found)


def sanitized(program="sandboxd"):
    """Whether the programs were built with a sanitizer: memory figures mean nothing then."""
    content = (BUILD / program).read_bytes()
    return any(name in content for name in (b"__asan_init", b"__msan_init", b"__tsan_init"))


def missing_programs():
    return [name for name in PROGRAMS if not os.access(BUILD / name, os.X_OK)]


def compile_static(source, target, *flags):
    compiler = os.environ.get("CC_STATIC", "cc")
    done = subprocess.run(
        [compiler, *CC_FLAGS, *flags, "-o", str(target), str(source)], capture_output=True, text=True
    )
    assert done.returncode == 0, f"{source} does not compile:\n{done.stderr}"
    target.chmod(0o755)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def account(name):
    """(uid, gid) from the account database, read afresh: the database may have been extended meanwhile."""
    line = subprocess.run(["getent", "passwd", name], capture_output=True, text=True, check=True).stdout
    fields = line.split(":")
    return int(fields[2]), int(fields[3])


MAPS = {
    "50-tests.map": "\n".join(
        [
            "any alice any any 30010:30010",
            "any bob any any 30011:30012",
            "any anonymous any any 30013:30013",
            "any mallory any any deny",
            *(f"any u{uid} any any {uid}:{uid}" for uid in range(FIRST_UID, LAST_UID + 1)),
        ]
    )
    + "\n"
}


def write_configuration(directory, services, maps, main=None):
    """Writes DIR/sandboxd.conf, DIR/services.d and DIR/maps. A value that is a list is a repeated key."""

    def section(name, keys):
        lines = [f"[{name}]"]
        for key, value in keys.items():
            values = value if isinstance(value, list) else [value]
            lines += [f"{key}={item}" for item in values]
        return "\n".join(lines) + "\n"

    directory = Path(directory)
    for folder in (directory, directory / "services.d", directory / "maps"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    files = {f"maps/{name}": text for name, text in maps.items()}
    for name, keys in services.items():
        files[f"services.d/{name}.service"] = keys if isinstance(keys, str) else section("Service", keys)
    if main is not None:
        files["sandboxd.conf"] = main if isinstance(main, str) else section("Sandboxd", main)
    for name, text in files.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o644)


class Stack:
    """Of use to tests: base, broker and bridge (Popen), door(), request(), broker_log(), bridge_log()."""

    def __init__(
        self,
        services,
        maps=None,
        main=None,
        programs=(),
        bridge_options=(),
        broker_options=(),
        prepare=None,
        direct=(),
        enter=(),
    ):
        """
        services: {name: {key: value or [values]}}; "@BASE@" in a value is the stack's directory.
        A service without FrontDoor= gets the Unix door <base>/doors/NAME.sock for the tests' own account.
        programs: files copied into <base>/apps, which services may bind. prepare(base) runs before the start.
        direct: services whose doors the bridge does not listen on; a test does so itself.
        enter: the beginning of the broker's command, and of sandboxctl's: NameService.prefix.
        """
        self.base = Path(tempfile.mkdtemp(prefix="sandboxd-test.", dir="/run"))
        self.base.chmod(0o755)
        self.broker = self.bridge = None
        self.expect_broker_gone = False
        self.mounts_before, self.broker_pids = mounts(), []
        self.children_before = set(children_of(os.getpid())[0])
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.direct, self.enter = direct, list(enter)
        try:
            self._lay_out(programs)
            if prepare:
                prepare(self.base)
            self._configure(services, maps or MAPS, main)
            self.start(bridge_options, broker_options)
        except BaseException:
            self._kill_all()
            shutil.rmtree(self.base)
            raise
        running.append(self)

    def _lay_out(self, programs):
        for name in ("apps", "doors", "config"):
            (self.base / name).mkdir()
            (self.base / name).chmod(0o755)
        (self.base / "launch").mkdir()
        os.chown(self.base / "launch", 0, account("fcgi-bridge")[1])
        (self.base / "launch").chmod(0o750)
        for program in programs:
            target = self.base / "apps" / Path(program).name
            shutil.copyfile(program, target)
            target.chmod(0o755)

    def _configure(self, services, maps, main):
        self.services, self.doors = {}, []
        for name, keys in services.items():
            keys = {"FrontDoor": f"@BASE@/doors/{name}.sock", "FrontEndUser": "root", **keys}
            keys = {key: value for key, value in keys.items() if value is not None}
            if sanitized():  # the request's init has AddressSanitizer's shadow memory, more than the default
                keys.setdefault("LimitAS", "infinity")
            for key, value in keys.items():
                values = value if isinstance(value, list) else [value]
                keys[key] = [str(item).replace("@BASE@", str(self.base)) for item in values]
            self.services[name] = keys
            self.doors += [] if name in self.direct else keys["FrontDoor"]
        write_configuration(self.base / "config", self.services, maps, main)

    # Starting and stopping

    def _activate(self, listen, fdname, command, log):
        # systemd-socket-activate keeps only a few variables; what sanitizers and coverage need goes by -E.
        keep = [name for name in os.environ if re.match(r"(ASAN|UBSAN|LSAN|TSAN|GCOV|LLVM_PROFILE)_", name)]
        keep += ["LLVM_PROFILE_FILE"] if "LLVM_PROFILE_FILE" in os.environ else []
        setenv = [f"-E{name}" for name in dict.fromkeys(keep)]
        names = [f"--fdname={fdname}"] if fdname else []
        # As a service manager starts it, also where the tests themselves are run by nice(1).
        nice = ["nice", "-n", str(-os.nice(0))] if os.nice(0) else []
        with open(self.base / log, "ab") as output:
            return subprocess.Popen(
                [*nice, "systemd-socket-activate", *listen, *names, *setenv, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                umask=0,
                cwd="/",
                start_new_session=True,
            )

    def start(self, bridge_options=(), broker_options=()):
        self.notify.bind(str(self.base / "notify"))
        (self.base / "notify").chmod(0o666)
        self.start_broker(broker_options)
        listen = [argument for door in self.doors for argument in ("-l", door)]
        drop = ["setpriv", "--reuid", "fcgi-bridge", "--regid", "fcgi-bridge", "--clear-groups"]
        drop += ["--inh-caps=-all", "--bounding-set=-all"]
        self.bridge = self._activate(
            listen,
            None,
            drop + [str(BUILD / "fcgi-bridge"), f"--launch-socket={self.launch_socket}", *bridge_options],
            "bridge.log",
        )
        self._wait_bridge()

    def start_broker(self, options=()):
        """The first one, or the next when the one before has ended, with the same configuration and state."""
        self.launch_socket.unlink(missing_ok=True)
        command = [*self.enter, str(BUILD / "sandboxd"), *self.places, *options]
        listen = ["--seqpacket", "-l", str(self.launch_socket)]
        command = [f"-ENOTIFY_SOCKET={self.base}/notify", *command]
        self.broker = self._activate(listen, "launch", command, "broker.log")
        self.broker_pids.append(self.broker.pid)
        self.drop_notifications()
        self._open_to_all(str(self.launch_socket))
        launch = (socket.AF_UNIX, socket.SOCK_SEQPACKET, str(self.launch_socket))
        wait_for(lambda: self._poke(*launch), "the launch socket")
        wait_for(self._broker_ready, f"READY=1 from the broker; its log:\n{self.broker_log()}")

    @property
    def places(self):
        """The options that sandboxd and sandboxctl have in common."""
        return [f"--config={self.base}/config", f"--libexec-dir={BUILD}", f"--state-dir={self.base}/state"]

    def control(self, verb, *arguments):
        """Runs sandboxctl with the stack's configuration and state; `verb` may be two words."""
        return subprocess.run(
            [*self.enter, str(BUILD / "sandboxctl"), *verb.split(), *self.places, *arguments],
            capture_output=True,
            text=True,
            timeout=BOUND,
        )

    @property
    def launch_socket(self):
        return self.base / "launch" / "socket"

    def _poke(self, family, kind, address):
        """Connects and closes: systemd-socket-activate executes the program at the first connection."""
        with socket.socket(family, kind) as poke:
            try:
                poke.connect(address)
                return True
            except (FileNotFoundError, ConnectionRefusedError):
                return False

    @staticmethod
    def _open_to_all(path):
        """systemd-socket-activate makes sockets with mode 0644; who may connect is the folder's matter."""
        wait_for(lambda: os.path.exists(path), path)
        os.chmod(path, 0o666)

    def _wait_bridge(self):
        for path in (door for door in self.doors if door.startswith("/")):
            self._open_to_all(path)
        door = self.address(self.doors[-1])
        family = socket.AF_UNIX if isinstance(door, str) else socket.AF_INET
        wait_for(lambda: self._poke(family, socket.SOCK_STREAM, door), f"the door {door}")

        def is_bridge():
            assert self.bridge.poll() is None, f"the bridge ended:\n{self.bridge_log()}"
            with contextlib.suppress(OSError):
                return os.readlink(f"/proc/{self.bridge.pid}/exe") == str(BUILD / "fcgi-bridge")

        wait_for(is_bridge, "the bridge to be executed")

    def drop_notifications(self):
        """Those that nobody has read: few fit into the socket, and then the broker waits (unix(7), max_dgram_qlen)."""
        self.notify.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while self.notify.recv(4096):
                pass

    def _broker_ready(self):
        assert self.broker.poll() is None, f"the broker ended:\n{self.broker_log()}"
        self.notify.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            return b"READY=1" in self.notify.recv(4096).split(b"\n")
        return False

    def stop(self):
        """Ends both programs by SIGTERM and asserts that they leave nothing behind."""
        if self in running:
            running.remove(self)
        problems = []
        try:
            for name, program in (("bridge", self.bridge), ("broker", self.broker)):
                program.send_signal(signal.SIGTERM)
                try:
                    status = program.wait(BOUND)
                except subprocess.TimeoutExpired:
                    problems.append(f"the {name} did not end within {BOUND} s of SIGTERM")
                    continue
                if status != 0 and not (name == "broker" and self.expect_broker_gone):
                    problems.append(f"the {name} ended with {status} on SIGTERM")
            problems += self._leftovers()
            for name, log in (("broker", self.broker_log()), ("bridge", self.bridge_log())):
                if re.search(r"AddressSanitizer|runtime error:|LeakSanitizer|ThreadSanitizer", log):
                    problems.append(f"a sanitizer reports in the {name}'s log")
            logs = f"broker:\n{self.broker_log()[-6000:]}\nbridge:\n{self.bridge_log()[-3000:]}"
        finally:
            self._kill_all()
            self.notify.close()
            shutil.rmtree(self.base)
        assert not problems, "; ".join(problems) + "\n" + logs

    def _orphans(self):
        """Our children that were not ours before: what the programs left (we are the subreaper)."""
        living, zombies = children_of(os.getpid())
        ours = {program.pid for program in (self.broker, self.bridge) if program}
        for pid in set(zombies) - ours:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        return sorted(set(living) - ours - self.children_before)

    def _leftovers(self):
        found = []
        checks = (
            ("processes", lambda: [(pid, command_of(pid)) for pid in self._orphans()]),
            ("mounts", lambda: sorted(set(mounts()) - set(self.mounts_before))),
            ("control groups", lambda: cgroups_of(self.broker_pids)),
        )
        for name, check in checks:
            if name == "control groups" and self.expect_broker_gone:
                continue  # the next broker's work
            try:
                wait_for(lambda check=check: not check(), name, bound=15)
            except AssertionError:
                found.append(f"{name} left behind: {check()}")
        return found

    def _kill_all(self):
        for program in (self.bridge, self.broker):
            if program and program.poll() is None:
                program.kill()
                program.wait(BOUND)
        end = time.monotonic() + 10
        while self.broker and self._orphans() and time.monotonic() < end:
            for pid in self._orphans():
                with contextlib.suppress(ProcessLookupError):
                    pidfd = os.pidfd_open(pid)
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                    os.close(pidfd)
            time.sleep(0.05)

    # Reading

    def broker_log(self):
        with contextlib.suppress(FileNotFoundError):
            return (self.base / "broker.log").read_text(errors="replace")
        return ""

    def bridge_log(self):
        with contextlib.suppress(FileNotFoundError):
            return (self.base / "bridge.log").read_text(errors="replace")
        return ""

    def logged(self, pattern, since=0, bound=BOUND):
        """Waits for a line of the broker's log that matches; `since` is a length of the log."""
        search = lambda: re.search(pattern, self.broker_log()[since:])  # noqa: E731
        try:
            return wait_for(search, f"a line of the broker's log with {pattern!r}", bound)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.broker_log()[since:][-3000:]}") from None

    # Requests

    @staticmethod
    def address(door):
        if door.startswith("/"):
            return door
        host, port = door.rsplit(":", 1)
        return host, int(port)

    def door(self, service):
        return self.address(self.services[service]["FrontDoor"][0])

    def params(self, query="report", user=None, script="/apps/app", method="GET", stdin=b"", **extra):
        """What a web server sends (RFC 3875 section 4.1). `extra` overrides; None leaves a name out."""
        params = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_SOFTWARE": "tests",
            "SERVER_NAME": "www.example.org",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": "192.0.2.7",
            "REQUEST_METHOD": method,
            "QUERY_STRING": query,
            "SCRIPT_NAME": "/" + script.rsplit("/", 1)[-1],
            "SCRIPT_FILENAME": script,
        }
        if user is not None:
            params["REMOTE_USER"] = user
        if method != "GET":
            params["CONTENT_LENGTH"] = str(len(stdin))
        params.update(extra)
        return {name: value for name, value in params.items() if value is not None}

    def request(self, service, query="report", stdin=b"", **arguments):
        if stdin:
            arguments.setdefault("method", "POST")
        params = self.params(query, stdin=stdin, **arguments)
        return fcgi.request(self.door(service), params, stdin)

    def connect(self, service):
        return fcgi.Connection(self.door(service))

    def begin(self, service, query, **arguments):
        """Starts a request and leaves its stdin open; returns the connection."""
        connection = self.connect(service)
        params = self.params(query, **arguments)
        connection.send(fcgi.begin() + fcgi.encode_stream(fcgi.PARAMS, 1, fcgi.encode_pairs(params)))
        return connection

    @contextlib.contextmanager
    def neighbour(self, service="cgi"):
        """
        A normal request on another connection that demonstrably runs through the whole of the block: its
        application waits for the rest of its body. Afterwards it must finish right, and a new one must work.
        """
        first, second = fcgi.token().encode(), fcgi.token().encode()
        user, _ = fresh_user()
        length = str(len(first + second))
        with self.begin(service, "echo", user=user, method="POST", CONTENT_LENGTH=length) as connection:
            connection.send(fcgi.encode_record(fcgi.STDIN, 1, first))
            before = connection.read_until(first)
            yield
            connection.send(fcgi.encode_stream(fcgi.STDIN, 1, second))
            after = connection.read_response()
        before.stdout += after.stdout
        assert before.status == 200 and before.body == first + second, "the neighbour's response"
        assert (after.app_status, after.protocol_status) == (0, fcgi.REQUEST_COMPLETE)
        body = fcgi.token().encode()
        assert self.request(service, "echo", stdin=body, user=user).body == body, "a request afterwards"
        assert self.broker.poll() is None and self.bridge.poll() is None
