# SPDX-License-Identifier: Apache-2.0
"""Programs that the broker talks with, taken over or stopped: what they say counts as little as it may, and the broker
waits for none of them."""

import contextlib
import fcntl
import os
import select
import shutil
import signal
import socket
import stat
import struct
import tempfile
import termios
import time
from pathlib import Path

import pytest
import stack as lib
from questions import QUESTION
from stack import account, children_of, command_of, descriptors_of, wait_for

APP = {"ScriptDirectory": "/apps", "BindReadOnlyPaths": "@BASE@/apps:/apps", "RuntimeMaxSec": "120"}
SERVICES = {name: {**APP, "MaxConnections": "1000"} for name in ("user", "dynamic", "plain")}
SERVICES["few"] = {**APP, "MaxConnections": "3"}
MAPS = {
    "1.map": """
user    any any any %user
few     any any any %user
dynamic any any any dynamic
plain   any any any 32005:32005
"""
}
MAIN = {"DynamicUID": "2000000-2000999", "NameServiceTimeoutSec": "2s"}
MANY = 250  # requests
LINGER = 40  # seconds, that nobody may be made to wait for
APART = 1.2  # seconds: a resolver that has failed is not started earlier


@pytest.fixture
def make(make_stack):
    def start(*options, **main):
        return make_stack(SERVICES, maps=MAPS, main={**MAIN, **main}, broker_options=options)

    return start


@pytest.fixture
def liar(make):
    """A stack whose sandboxd-names is apps/resolver.py."""
    folder = Path(tempfile.mkdtemp(prefix="sandboxd-programs.", dir="/run"))
    folder.chmod(0o755)
    shutil.copytree(lib.BUILD, folder, dirs_exist_ok=True)
    shutil.copy(lib.APPS / "resolver.py", folder / "sandboxd-names")
    yield make(f"--libexec-dir={folder}")
    shutil.rmtree(folder)


def child(stack, name):
    return next(pid for pid in children_of(stack.broker.pid)[0] if name in command_of(pid))


def answers_at_once(stack):
    begin = time.monotonic()
    assert stack.request("plain", user="x").status == 200
    return time.monotonic() - begin < LINGER / 4


@pytest.mark.parametrize(
    "user",
    [
        *("uid-0-33000", "uid-33000-0", "uid-33000-33000-0", "uid-33000-33000-33001-0", "uid-4294967295-33000"),
        *("uid-65534-33000", "uid-33000-65534", "uid-999-33000", "uid-33000-33000-27", "uid-33000-2000005"),
        *("uid-2000005-33000", "uid-33000-33000-2000005"),
    ],
)
def test_identities_that_no_resolver_gives(liar, user):
    assert liar.request("user", user=user).status == 403
    assert liar.request("user", user="uid-33000-33000-33001").status == 200


@pytest.mark.parametrize("user", ["raw-1", "raw-1200", "raw-60000", "half", "behind", "silent"])
def test_what_is_no_answer_ends_it(liar, user):
    assert liar.request("user", user="uid-33000-33000").status == 200
    liar.logged("outcome=exited")
    before, pid = descriptors_of(liar.broker.pid), child(liar, "sandboxd-names")
    assert liar.request("user", user=user).status == (200 if user == "behind" else 503)
    liar.logged("sandboxd-names failed: " + ("Connection timed out" if user == "silent" else "Bad message"))
    time.sleep(APART)
    assert liar.request("user", user="uid-33000-33000").status == 200
    assert child(liar, "sandboxd-names") != pid
    wait_for(lambda: len(descriptors_of(liar.broker.pid)) <= len(before), f"no more descriptors than {before}")


def test_answers_to_other_questions_count_for_nothing(liar):
    """Those of nobody, and those that the other resolver was asked."""
    assert liar.request("dynamic", user="alice").status == 200
    os.kill(child(liar, "sandboxd-allot"), signal.SIGSTOP)
    with liar.begin("dynamic", "report", user="alice") as other:
        assert liar.request("user", user="another").status == 200
        os.kill(child(liar, "sandboxd-allot"), signal.SIGCONT)
        assert other.read_response().status == 200
    assert "identity=33001:" not in liar.broker_log()


def test_one_that_does_not_listen_any_more_ends(liar):
    """Without SIGPIPE ending the broker, and before anybody's time is up."""
    assert liar.request("user", user="uid-33000-33000").status == 200
    pid = child(liar, "sandboxd-names")
    with liar.begin("user", "report", user="deaf") as waiting:
        wait_for(lambda: not os.path.exists(f"/proc/{pid}/fd/3"), "it to close its ears")
        assert liar.request("user", user="uid-33001-33001").status == 503
        liar.logged("sandboxd-names failed: Broken pipe")
        assert waiting.read_response().status == 503
    time.sleep(APART)
    assert liar.request("user", user="uid-33000-33000").status == 200
    assert child(liar, "sandboxd-names") != pid


def test_who_waits_takes_no_place_of_another_service(liar):
    waiting = [liar.begin("few", "report", user="silent") for _ in range(10)]
    liar.logged("reason=MaxConnections= of the service is reached")
    assert answers_at_once(liar)
    assert liar.request("user", user="uid-33000-33000").status == 200
    for connection in waiting:
        connection.socket.close()


def open_lingering():
    """A TCP connection that holds data which nobody takes, and what keeps it so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = socket.create_connection(listener.getsockname())
        other = listener.accept()
    connection.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            connection.send(b"x" * 65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, LINGER))
    return connection, other


@pytest.mark.parametrize("second", [b"x", b""])
def test_what_a_bridge_leaves_unread_holds_up_nobody(make, second):
    stack = make()
    assert answers_at_once(stack)
    connection, _other = open_lingering()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as bridge:
        bridge.connect(str(stack.launch_socket))
        stack.broker.send_signal(signal.SIGSTOP)  # so that all is there at once
        bridge.send(b"no launch request")
        bridge.send(second)
        socket.send_fds(bridge, [second], [connection.fileno()])
        os.close(connection.detach())
        stack.broker.send_signal(signal.SIGCONT)
        stack.logged("malformed launch request")
        assert answers_at_once(stack)


def test_a_name_resolver_that_stopped_is_replaced(make):
    stack = make()
    assert stack.request("user", user="nobody-of-this-name").status == 403
    os.kill(child(stack, "sandboxd-names"), signal.SIGSTOP)
    assert stack.request("user", user="nobody-of-that-name").status == 503
    time.sleep(APART)
    assert stack.request("user", user="nobody-of-that-name").status == 403


def test_an_allotter_that_stopped_is_replaced(make):
    stack = make()
    assert stack.request("dynamic", user="alice").status == 200
    pid = child(stack, "sandboxd-allot")
    os.kill(pid, signal.SIGSTOP)
    assert stack.request("dynamic", user="bob").status == 503
    stack.logged("sandboxd-allot failed: Connection timed out")
    time.sleep(APART)
    assert stack.request("dynamic", user="bob").status == 200
    assert child(stack, "sandboxd-allot") != pid


@pytest.fixture
def freeze():
    """freeze(pid) lets a process hang so that not even SIGKILL ends it, as a dead disk does; thaw() ends that."""
    top = Path("/sys/fs/cgroup/freezer")
    if not (top / "tasks").exists():
        pytest.skip("this host has no freezer of cgroup v1, and others let a process be killed")
    folder = Path(tempfile.mkdtemp(prefix="sandboxd-test.", dir=top))
    state = folder / "freezer.state"

    def hang(pid):
        (folder / "tasks").write_text(str(pid))
        state.write_text("FROZEN")
        wait_for(lambda: state.read_text() == "FROZEN\n", "it to hang")

    hang.thaw = lambda: state.write_text("THAWED")
    yield hang
    hang.thaw()
    wait_for(lambda: not (folder / "tasks").read_text(), "nobody to be left")
    folder.rmdir()


def test_an_allotter_that_cannot_be_killed_gets_no_company(make, freeze):
    stack = make()
    assert stack.request("dynamic", user="alice").status == 200
    pid = child(stack, "sandboxd-allot")
    freeze(pid)
    assert stack.request("dynamic", user="bob").status == 503
    stack.logged("sandboxd-allot failed: Connection timed out")
    time.sleep(APART)
    begin = time.monotonic()
    assert stack.request("dynamic", user="bob").status == 503
    assert time.monotonic() - begin < APART, "it was asked"
    assert [one for one in children_of(stack.broker.pid)[0] if "sandboxd-allot" in command_of(one)] == [pid]
    assert answers_at_once(stack)
    freeze.thaw()
    wait_for(lambda: stack.request("dynamic", user="bob").status == 200, "another one")
    assert child(stack, "sandboxd-allot") != pid


def waiting_bytes(pid):
    """What is in the pipe that is a resolver's descriptor 3."""
    with open(f"/proc/{pid}/fd/3", "rb", buffering=0) as pipe:
        return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


def test_many_wait_for_an_allotter(make_stack):
    """More questions than a pipe or a socket takes by itself."""
    stack = make_stack(
        SERVICES, maps=MAPS, main={**MAIN, "MaxConnections": "1000"}, bridge_options=["--max-requests=1000"]
    )
    assert stack.request("dynamic", user="alice").status == 200
    pid = child(stack, "sandboxd-allot")
    os.kill(pid, signal.SIGSTOP)
    with contextlib.ExitStack() as opened:
        waiting = [opened.enter_context(stack.begin("dynamic", "report", user=f"user-{i}")) for i in range(MANY)]
        # All that are going to be asked are there when no more come; the allotter may have begun with one. That none is
        # lost shows in the answers.
        counts = []

        def no_more_come():
            counts.append(waiting_bytes(pid))
            return len(counts) > 50 and len(set(counts[-50:])) == 1

        wait_for(no_more_come, "all to be asked about", 8)  # nobody waits longer for an answer than 10 s
        asked = counts[-1] / QUESTION.size
        assert counts[-1] > 65536, "a pipe takes them all by itself"
        assert not select.select([one.socket for one in waiting], [], [], 0)[0], "one is answered"
        os.kill(pid, signal.SIGCONT)
        assert {one.read_response().status for one in waiting} == {200}, f"{asked} of {MANY} were in the pipe"
    assert child(stack, "sandboxd-allot") == pid


@pytest.mark.parametrize("name, kind", [("sandboxd-names", "user"), ("sandboxd-allot", "dynamic")])
def test_what_a_resolver_is_started_with(make, name, kind):
    stack = make()
    stack.request(kind, user="someone")
    pid = child(stack, name)
    assert os.getsid(pid) != os.getsid(stack.broker.pid)
    assert [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1)] == ["/dev/null"] * 2
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert limits.split("Max processes")[1].split()[:2] == ["64", "64"]
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert status["NoNewPrivs"] == "1" and status["CapEff"].strip("0") == "" and not status["Groups"].strip()
    assert set(status["Uid"].split()) == {str(account(name)[0])}


# The store's folder


@pytest.fixture
def place():
    folder = Path(tempfile.mkdtemp(prefix="sandboxd-state.", dir="/run"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_the_state_folder_is_made_whatever_the_umask(make, place, monkeypatch):
    """UMask=0077 of the unit; the keeper must get to its folder."""
    start = lib.subprocess.Popen
    monkeypatch.setattr(lib.subprocess, "Popen", lambda *words, **more: start(*words, **{**more, "umask": 0o077}))
    stack = make(f"--state-dir={place}/state")
    assert stack.request("dynamic", user="alice").status == 200
    assert stat.S_IMODE((place / "state").stat().st_mode) == 0o711
    assert (place / "state" / "allotted").stat().st_uid == account("sandboxd-allot")[0]


@pytest.mark.parametrize("owner, mode", [(30999, 0o755), (0, 0o777), (0, 0o775)])
def test_a_state_folder_that_others_can_write_is_refused(make, place, owner, mode):
    (place / "state").mkdir()
    (place / "state").chmod(mode)
    os.chown(place / "state", owner, 0)
    stack = make(f"--state-dir={place}/state")
    assert stack.request("dynamic", user="alice").status == 503
    stack.logged("state is not a folder that root alone can write")
    assert not list((place / "state").iterdir())


def test_a_folder_whose_making_was_interrupted(make, place):
    (place / "state").mkdir(mode=0o755)
    (place / "state" / "allotted").mkdir(mode=0o700)
    stack = make(f"--state-dir={place}/state")
    assert stack.request("dynamic", user="alice").status == 200


@pytest.mark.parametrize("what", ["link", "file", "open"])
def test_what_is_not_the_store_s_folder_is_left_alone(make, place, what):
    (place / "elsewhere").mkdir(mode=0o700)
    (place / "state").mkdir(mode=0o755)
    store = place / "state" / "allotted"
    if what == "link":
        store.symlink_to(place / "elsewhere")
    elif what == "file":
        store.touch(0o600)
    else:
        store.mkdir()
        store.chmod(0o755)
    stack = make(f"--state-dir={place}/state")
    assert stack.request("dynamic", user="alice").status == 503
    stack.logged("is not a folder that is sandboxd-allot's alone")
    assert (place / "elsewhere").stat().st_uid == 0 and store.lstat().st_uid == 0
