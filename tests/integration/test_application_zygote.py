# SPDX-License-Identifier: Apache-2.0
"""An application zygote up to its application's first instruction: the test is the broker of a real sandboxd-zygote, and
apps/stand_in.c, preloaded, says what it finds."""

import array
import ctypes
import errno
import os
import re
import shutil
import socket
import stat
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

import stack as lib

MAGIC = 0x53627370
CGROUP, TEMPORARY, COMMAND, WARM = 1, 2, 4, 8
UID = 30013
CONTROL, QUEUE, PROC, LANDLOCK = 6, 7, 8, 9
SERVICE = {
    "Type": "fastcgi",
    "Warm": "yes",
    "ExecStart": "/usr/bin/id",
    "FrontDoor": "127.0.0.1:9000",
    "BindReadOnlyPaths": "/usr /bin /lib -/lib64",
}
STEPS = re.findall(r"^ {8}STEP_(\w+),$", (lib.REPOSITORY / "common/step.h").read_text(), re.M)


@pytest.fixture(scope="module")
def libexec(machine):
    """The programs, with the tests' stand-in in place of the real one."""
    folder = Path(tempfile.mkdtemp(prefix="sandboxd-programs.", dir="/run"))
    folder.chmod(0o755)
    for name in ("sandboxd-zygote", "sandboxd-compile", "sandboxd-entry", "sandboxctl"):
        shutil.copy(lib.BUILD / name, folder)
    (folder / "warm").mkdir()
    library = folder / "warm" / "sandboxd-warm.so"
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-fPIC", "-shared", f"-I{lib.REPOSITORY}"]
    subprocess.run(["cc", *flags, "-o", library, lib.APPS / "stand_in.c"], check=True)
    library.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def compile_service(libexec, keys):
    """The index of one service, in a memfd."""
    folder = Path(tempfile.mkdtemp(prefix="sandboxd-test.", dir="/run"))
    try:
        lib.write_configuration(folder, {"warm": keys}, {})
        index, rules = (os.memfd_create(name, os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC) for name in ("index", "map"))
        done = subprocess.run(
            [libexec / "sandboxd-compile", f"--config={folder}", f"--output-fd={index}", f"--map-fd={rules}"],
            pass_fds=(index, rules), capture_output=True, text=True,
        )
        assert done.returncode == 0, done.stderr
    finally:
        shutil.rmtree(folder)
    os.close(rules)
    return index


class Zygote:
    """A sandboxd-zygote, of which this process is the broker."""

    def __init__(self, libexec, keys, before=None):
        index = compile_service(libexec, keys)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        uid, gid = lib.account("sandboxd-zygote")

        def place():
            high = [os.dup2(fd, 100 + number) for number, fd in enumerate((theirs.fileno(), index))]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)
            os.closerange(5, 1024)
            if before:
                before()

        program = str(libexec / "sandboxd-zygote")
        self.process = subprocess.Popen([program, "0", str(uid), str(gid), str(libexec)], preexec_fn=place, close_fds=False)
        theirs.close()
        os.close(index)
        self.control.settimeout(lib.BOUND)

    def answer(self):
        """(step or None, errno, detail, pidfd or None) of the next answer."""
        data, fds, _, _ = socket.recv_fds(self.control, 1024, 1)
        magic, step, error, _, detail = struct.unpack("=IIi4xQ256s", data)
        assert magic == MAGIC
        return None if step == 0 else STEPS[step], error, detail.rstrip(b"\0").decode(), fds[0] if fds else None

    def spawn(self, flags, fds):
        head = struct.pack("=IIQIIiI", MAGIC, flags, 7, UID, UID, 0, 0) + bytes(4 * 64)
        message = head + bytes(33 + 256 + 46 + 256 + 256) + b"\0"
        self.control.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
        return self.answer()

    def close(self):
        self.control.close()
        self.process.wait(timeout=lib.BOUND)


@pytest.fixture
def start(libexec):
    started = []

    def make(before=None, **keys):
        started.append(Zygote(libexec, {**SERVICE, **keys}, before))
        return started[-1]

    yield make
    for one in started:
        one.close()


def temporary():
    """A detached tmpfs: fsopen(2), fsconfig(2), fsmount(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    context = libc.syscall(430, b"tmpfs", 0)
    assert context >= 0 and libc.syscall(431, context, 1, b"mode", b"1777", 0) == 0
    assert libc.syscall(431, context, 6, None, None, 0) == 0
    fd = libc.syscall(432, context, 0, 0)
    os.close(context)
    assert fd >= 0
    return fd


def bring_up(zygote, flags=WARM, more=()):
    """Spawns an application zygote. Returns the report, what the stand-in said as a list of pairs, and its errors."""
    control, control_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    queue, queue_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    environment = os.memfd_create("environment")
    output, output_end = os.pipe()
    errors, errors_end = os.pipe()
    report, report_end = os.pipe()
    fds = [environment, listening.fileno(), output_end, errors_end, report_end, *more]
    if flags & WARM:
        fds += [control_end.fileno(), queue_end.fileno()]
    step, error, detail, pidfd = zygote.spawn(flags, fds)
    assert (step, error, detail) == (None, 0, "")
    for fd in (output_end, errors_end, report_end, environment):
        os.close(fd)
    for one in (control, control_end, queue, queue_end, listening):
        one.close()
    with os.fdopen(output, "rb") as stream, os.fdopen(errors, "rb") as complaints, os.fdopen(report, "rb") as reports:
        said, complained, told = stream.read(), complaints.read().decode(), reports.read()
    os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    os.close(pidfd)
    pairs = [tuple(pair.split("\t", 1)) for pair in said.decode().split("\0") if pair]
    kind, step, value = struct.unpack("IIi", told)
    return (kind, STEPS[step] if step else None, value), pairs, complained


EXITED = (2, None, 0)


def said(pairs, name):
    return [value for key, value in pairs if key == name]


def test_it_is_confined_and_told_what_it_needs(start):
    zygote = start(
        WarmUpRequest="/a.php?b=c /d", WarmWatch="/srv/a /srv/b", PassEnvironment="X_ONE X_TWO",
        Environment="LANG=C.UTF-8", WorkingDirectory="/usr",
    )
    assert zygote.answer() == (None, 0, "", None)
    neighbour = subprocess.Popen(["sleep", "600"], user=UID, group=UID, extra_groups=[])
    report, pairs, complained = bring_up(zygote)
    neighbour.kill()
    neighbour.wait()
    assert (report, complained) == (EXITED, "")
    variables = dict(one.split("=", 1) for one in said(pairs, "variable"))
    filter_ = variables.pop("SANDBOXD_WARM_FILTER")
    assert variables == {
        "LANG": "C.UTF-8",
        "LD_BIND_NOW": "1",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LD_PRELOAD": "/dev/sandboxd/sandboxd-warm.so",
        "SANDBOXD_WARM": "1",
        "LD_BIND_NOW": "1",
        "SANDBOXD_WARM_PASS": "X_ONE\nX_TWO",
        "SANDBOXD_WARM_REQUESTS": "/a.php?b=c\n/d",
        "SANDBOXD_WARM_WATCH": "/srv/a\n/srv/b",
    }
    assert len(filter_) % 16 == 0
    assert said(pairs, "directory") == ["/usr"]
    descriptors = {}
    for line in said(pairs, "descriptor"):
        fd, mode, kind, flags = line.split()
        assert flags == "0", f"{fd} would close itself"
        descriptors[int(fd)] = (int(mode, 8), int(kind))
    anonymous = descriptors.pop(LANDLOCK)  # its type is the kernel's affair
    assert anonymous[0] != stat.S_IFCHR, "/dev/null"
    assert descriptors == {
        0: (stat.S_IFSOCK, socket.SOCK_STREAM),
        1: (stat.S_IFIFO, 0),
        2: (stat.S_IFIFO, 0),
        CONTROL: (stat.S_IFSOCK, socket.SOCK_SEQPACKET),
        QUEUE: (stat.S_IFSOCK, socket.SOCK_SEQPACKET),
        PROC: (stat.S_IFDIR, 0),
    }
    assert said(pairs, "peer of standard input") == [str(errno.ENOTCONN)]
    assert said(pairs, "write beside the library") == [str(errno.EROFS)]
    # What the procfs says of it, and that it shows nobody else, not even of the same uid.
    assert said(pairs, "whole procfs") == []
    assert int(said(pairs, "processes")[0]) <= 2, "init and itself"
    assert said(pairs, "Uid") == ["\t".join([str(UID)] * 4)]
    assert said(pairs, "CapEff") == ["0" * 16]
    assert said(pairs, "NoNewPrivs") == ["1"]
    assert said(pairs, "Seccomp") == ["2"]
    assert said(pairs, "NSpid")[0].split("\t")[-1] == "2"


def test_a_childs_last_filter_takes_back_what_the_zygote_needs(start):
    zygote = start()
    zygote.answer()
    report, pairs, _ = bring_up(zygote)
    assert report == EXITED
    assert (said(pairs, "domain"), said(pairs, "filter")) == (["0"], ["0"])
    for call in ("clone3", "seccomp", "landlock_restrict_self"):
        assert said(pairs, f"{call} before") == [str(errno.EINVAL)], call
        assert said(pairs, f"{call} after") == [str(errno.ENOSYS if call == "clone3" else errno.EPERM)], call


def test_without_working_directory_it_begins_where_the_scripts_are(start):
    zygote = start(ScriptDirectory="/usr/share")
    zygote.answer()
    report, pairs, _ = bring_up(zygote)
    assert report == EXITED
    assert said(pairs, "directory") == ["/usr/share"]
    assert "SANDBOXD_WARM_SCRIPTS=/usr/share" in said(pairs, "variable")


def test_its_requests_share_one_tmp(start):
    zygote = start(PrivateTmp="identity")
    zygote.answer()
    tmpfs = temporary()
    report, pairs, _ = bring_up(zygote, WARM | TEMPORARY, [tmpfs])
    os.close(tmpfs)
    assert report == EXITED
    assert said(pairs, "write to /tmp") == ["0"]
    report, pairs, _ = bring_up(zygote)
    assert report == EXITED
    assert said(pairs, "write to /tmp") == [str(errno.EROFS)], "the mount point in the root"


def test_a_request_of_the_same_service_is_cold(start):
    """Not a word of all this reaches an application that is executed for a request."""
    zygote = start(ExecStart="/usr/bin/env")
    zygote.answer()
    report, pairs, complained = bring_up(zygote, 0)
    assert (report, complained) == (EXITED, "")
    assert len(pairs) == 1
    assert "PATH=" in pairs[0][0]
    assert not re.search("SANDBOXD_WARM|LD_PRELOAD", pairs[0][0])


def test_a_root_without_dev_cannot_be_warm(start, tmp_path):
    (tmp_path / "usr").mkdir()
    keys = {"RootDirectory": str(tmp_path), "BindReadOnlyPaths": "/usr"}
    step, error, detail, _ = start(**keys).answer()
    assert (step, error) == ("BIND", errno.EROFS)
    assert "no folder /dev for /dev/sandboxd" in detail
    # The control: without Warm=yes such a root is one without devices.
    assert start(**keys, Warm="no").answer() == (None, 0, "", None)


def test_a_service_that_is_not_warm_has_no_application_zygote(start):
    zygote = start(Warm="no")
    zygote.answer()
    report, pairs, _ = bring_up(zygote)
    assert report == (1, "ENVIRONMENT", errno.EINVAL)
    assert pairs == []


def hide_landlock():
    """landlock_create_ruleset(2) answers ENOSYS, as where the kernel has none. For a process about to be executed."""
    libc = ctypes.CDLL(None, use_errno=True)
    program = b"".join(
        struct.pack("=HBBI", *one)
        for one in ((0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x00050000 | errno.ENOSYS), (0x06, 0, 0, 0x7FFF0000))
    )
    buffer = ctypes.create_string_buffer(program)
    fprog = struct.pack("@HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    if libc.prctl(22, 2, fprog) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        raise OSError(ctypes.get_errno(), "seccomp")


def test_without_landlock_nothing_is_warm(start):
    zygote = start(before=hide_landlock, ExecStart="/usr/bin/env")
    assert zygote.answer() == (None, 0, "", None)
    report, pairs, _ = bring_up(zygote)
    assert report == (1, "LANDLOCK", errno.EOPNOTSUPP)
    assert pairs == []
    # Requests run, as they always did there.
    assert bring_up(zygote, 0)[0] == EXITED
