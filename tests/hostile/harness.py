# SPDX-License-Identifier: Apache-2.0
"""Runs hostile probes outside the sandbox, where they must succeed, and inside, where they must not."""

import contextlib
import ctypes
import fcntl
import os
import re
import resource
import socket
import subprocess
import termios
import time
from pathlib import Path

import fcgi
import stack as lib

HERE = Path(__file__).resolve().parent
FOLDERS = ("shared", "data", "owned", "jail", "jail/tmp", "jail/apps")

# The table that is printed at the end: {probe: {column: line}}.
RESULTS = {}

# Every group that a service could ask for: what is contained with it is contained by something else.
EVERYTHING = """
@system-service @aio @basic-io @chown @clock @cpu-emulation @debug @file-system @io-event @ipc @keyring
@memlock @module @mount @network-io @obsolete @privileged @process @raw-io @reboot @resources
@setuid @signal @swap @sync @timer
""".split()

COMMON = {
    "ScriptDirectory": "/apps",
    "BindReadOnlyPaths": ["@BASE@/apps:/apps", "@BASE@/shared:/shared", "@BASE@/owned:/owned"],
    "BindPaths": "@BASE@/data:/data",
    "PrivateTmp": "yes",
    "TemporarySize": "8M",
    "RuntimeMaxSec": "60",
    "LimitAS": "256M",
    "LimitNPROC": "40",
    "LimitNOFILE": "256",
    "LimitFSIZE": "16M",
    "LimitCORE": "0",
}
WIDE = {"SystemCallFilter": EVERYTHING}
FAMILIES = {"RestrictAddressFamilies": "AF_UNIX AF_INET"}
SERVICES = {
    "strict": COMMON,
    "unix": {**COMMON, "RestrictAddressFamilies": "AF_UNIX"},
    "inet": {**COMMON, **FAMILIES},
    "burn": {**COMMON, "LimitCPU": "1"},
    "wide-strict": {**COMMON, **WIDE},
    "wide-unix": {**COMMON, **WIDE, "RestrictAddressFamilies": "AF_UNIX"},
    "wide-inet": {**COMMON, **WIDE, **FAMILIES},
    "wide-burn": {**COMMON, **WIDE, "LimitCPU": "1"},
}


class Probe:
    """A probe's source and what its header comment says about how to run it."""

    def __init__(self, source):
        self.source, self.name = source, source.stem
        comment = source.read_text().split("*/\n", 2)[1]

        def line(key, otherwise=None):
            found = re.search(rf"^ \* {key}: *(.*)$", comment, re.MULTILINE)
            assert found or otherwise is not None, f"{source.name} has no {key}: line"
            return found.group(1) if found else otherwise

        line("Tries")
        self.control = line("Control").split()[0]
        self.parent = "parent" in line("Control")
        self.run = line("Run")
        self.service = line("Service", "strict")
        self.pause = float(line("Pause", "0"))
        self.expect = line("Expect").split()
        self.wide = not line("Wide", "yes").startswith("no")
        self.needs = line("Needs", "")

    def __repr__(self):
        return self.name


PROBES = [Probe(source) for source in sorted(HERE.glob("[0-9][0-9]-*.c"))]


class Handle(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]


def file_handle(path):
    """name_to_handle_at(2): (type, hexadecimal digits), or None where the file system has no handles."""
    libc, handle, mount = ctypes.CDLL(None, use_errno=True), Handle(bytes=128), ctypes.c_int()
    if libc.name_to_handle_at(-100, os.fsencode(path), ctypes.byref(handle), ctypes.byref(mount), 0) < 0:
        return None
    return handle.type, bytes(handle.data[: handle.bytes]).hex()


class World:
    """What the probes aim at, on the host: files, a listener, an abstract socket; and the stack."""

    def __init__(self, folder):
        self.abstract = f"sandboxd-probe-{fcgi.token()}"
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind("\0" + self.abstract)
        self.unix.listen()
        programs = []
        for probe in PROBES:
            lib.compile_static(probe.source, folder / probe.name, f"-I{HERE}")
            programs.append(folder / probe.name)
        services = {name: dict(keys) for name, keys in SERVICES.items()}
        self.stack = lib.Stack(services, programs=programs, prepare=self.prepare)

    def prepare(self, base):
        self.base, self.secret = base, base / "secret.txt"
        self.secret.write_text(f"secret of the host {fcgi.token()}\n")
        self.secret.chmod(0o644)
        for name in FOLDERS:
            (base / name).mkdir()
            (base / name).chmod(0o755)
        for name in ("shared", "data"):
            (base / name).chmod(0o777)
        (base / "jail" / "tmp").chmod(0o1777)
        other = base / "data" / "of-another"
        other.write_text("secret of another identity\n")
        os.chown(other, 30011, 30011)
        other.chmod(0o600)
        for probe in PROBES:
            program = (base / "apps" / probe.name).read_bytes()
            (base / "jail" / "apps" / probe.name).write_bytes(program)
            (base / "jail" / "apps" / probe.name).chmod(0o755)
            if probe.name == "23-setuid-program":
                (base / "apps" / "setuid").write_bytes(program)
                (base / "apps" / "setuid").chmod(0o6755)

    def close(self):
        self.listener.close()
        self.unix.close()
        self.stack.stop()

    def own_script(self, uid):
        script = self.base / "owned" / f"{uid}.sh"
        script.write_text("#!/bin/sh\n")
        os.chown(script, uid, uid)
        script.chmod(0o755)
        return script.name

    def arguments(self, probe, uid, inside, **more):
        """The probe's QUERY_STRING: the same things, by their names outside and inside."""
        device = os.stat("/").st_dev
        kind, digits = file_handle(self.secret) or (0, "")
        at = "" if inside or probe.control == "chroot" else str(self.base)
        values = {
            "secret": self.secret,
            "major": os.major(device),
            "minor": os.minor(device),
            "type": kind,
            "handle": digits,
            "port": self.listener.getsockname()[1],
            "abstract": self.abstract,
            "other": 30011,
            "key": 0x5BD00000 + uid,
            "name": f"/sandboxd-probe-{uid}",
            "data": f"{at}/data",
            "shared": f"{at}/shared",
            "script": f"{at}/owned/{self.own_script(uid)}",
            "self": f"{at}/apps/{probe.name}",
            "setuid": f"{at}/apps/setuid",
            **more,
        }
        return ",".join(f"{name}={value}" for name, value in values.items())


def one_line(output, status):
    """The probe's last line and whether its form is kept."""
    lines = output.decode(errors="replace").strip().splitlines()
    line = lines[-1] if lines else ""
    expected = {"escaped": 0, "left": 0, "contained": 1}.get(line.split(":")[0])
    assert expected is not None, f"no answer of a probe: {output[-500:]!r}, status {status}"
    assert status == expected, f"{line!r} with exit status {status}"
    return line


class Outside:
    """Runs a probe without the sandbox, with what its control needs."""

    def __init__(self, world, probe, uid):
        self.world, self.probe, self.uid = world, probe, uid

    def start(self, uid=None, **more):
        world, probe, uid = self.world, self.probe, uid or self.uid
        program = [str(world.base / "apps" / probe.name)]
        options = {"cwd": world.base / "apps", "stdin": subprocess.DEVNULL, "pass_fds": ()}
        kept = []
        if probe.name.endswith(("inherited-directory", "inherited-descriptors")):
            kept = [os.open("/", os.O_RDONLY | os.O_DIRECTORY)]
            options["pass_fds"] = kept
        if probe.control == "identity":
            resource_limit = lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, -1))  # noqa: E731
            if probe.parent:
                program = ["/bin/sh", "-c", f"{program[0]}; exit $?"]
            options.update(user=uid, group=uid, extra_groups=[], preexec_fn=resource_limit)
        elif probe.control == "half-dropped":
            options["preexec_fn"] = lambda: os.setresuid(0, uid, uid)
        elif probe.control == "chroot":
            jail, program = world.base / "jail", [f"/apps/{probe.name}"]
            options.update(cwd="/", preexec_fn=lambda: (os.chroot(jail), os.chdir("/")))
        elif probe.control == "namespaces":
            script = f"mount -t tmpfs tmpfs /tmp && exec {program[0]}"
            program = ["unshare", "--mount", "--uts", "--pid", "--fork", "--", "/bin/sh", "-c", script]
        elif probe.control == "terminal":
            master, slave = os.openpty()
            kept = [master, slave]
            options.update(stdin=slave, start_new_session=True)
            options["preexec_fn"] = lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        else:
            assert probe.control == "root", probe.control
        query = world.arguments(probe, uid, inside=False, **more)
        env = {"QUERY_STRING": query, "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
        process = subprocess.Popen(program, stdout=subprocess.PIPE, env=env, **options)
        process.kept = kept
        return process

    def finish(self, process):
        try:
            output, _ = process.communicate(timeout=lib.BOUND)
        finally:
            for fd in process.kept:
                os.close(fd)
        return one_line(output, process.returncode)

    def once(self, uid=None, **more):
        return self.finish(self.start(uid, **more))

    @contextlib.contextmanager
    def victim(self, uid, **more):
        process = self.start(uid=uid, phase="victim", token=fcgi.token(), **more)
        try:
            assert process.stdout.readline().startswith(b"left: ")
            yield process.pid
        finally:
            process.kill()
            process.communicate()

    def survives(self, uid):
        """Outside nothing is promised to the victim."""

    def clean_up(self, uid):
        """What one identity left and another could read is still there."""
        name = f"sandboxd-probe-{uid}"
        Path("/tmp", name).unlink(missing_ok=True)
        ctypes.CDLL(None).mq_unlink(f"/{name}".encode())
        subprocess.run(["ipcrm", "--shmem-key", hex(0x5BD00000 + uid)], capture_output=True)


class Inside:
    """Runs a probe as a CGI program of a service."""

    def __init__(self, world, probe, service, uid):
        self.world, self.stack, self.probe = world, world.stack, probe
        self.service, self.uid = service, uid

    def params(self, uid, **more):
        query = self.world.arguments(self.probe, uid, inside=True, **more)
        return {"query": query, "user": f"u{uid}", "script": f"/apps/{self.probe.name}"}

    def once(self, uid=None, **more):
        response = self.stack.request(self.service, **self.params(uid or self.uid, **more))
        assert response.status == 200, (response, self.stack.broker_log()[-1500:])
        return one_line(response.body, response.app_status)

    @contextlib.contextmanager
    def victim(self, uid, **more):
        parameters = self.params(uid, phase="victim", token=fcgi.token(), **more)
        with self.stack.begin(self.service, **parameters) as connection:
            connection.send(fcgi.encode_record(fcgi.STDIN, 1))
            connection.read_until(b"left: ")
            # The application alone: what it has forked would be a child of its own.
            (pid,) = lib.applications_of(uid)
            yield pid

    def survives(self, uid):
        assert lib.processes_of(uid), "the victim is gone"


def attack(runner, probe, uid, other_uid):
    """The runs that the probe's header asks for; returns the line of the last."""
    if probe.run.startswith("next"):
        line = runner.once(phase="leave")
        if not line.startswith("left: "):
            return line
        time.sleep(probe.pause)
        if "another" in probe.run:
            names = {"name": f"/sandboxd-probe-{uid}", "key": 0x5BD00000 + uid}
            return runner.once(uid=other_uid, phase="look", **names)
        return runner.once(phase="look")
    if probe.run.startswith("beside"):
        victim_uid = other_uid if "another" in probe.run else uid
        names = {"name": f"/sandboxd-probe-{uid}"} if victim_uid != uid else {}
        with runner.victim(victim_uid, **names) as pid:
            line = runner.once(victim=pid)
            runner.survives(victim_uid)
            return line
    assert probe.run == "alone", probe.run
    return runner.once()
