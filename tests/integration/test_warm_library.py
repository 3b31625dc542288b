# SPDX-License-Identifier: Apache-2.0
"""The preloaded library of warm applications, in real ones, with the tests' own broker (warm_broker.py)."""

import contextlib
import ctypes
import fcntl
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

import fcgi
import stack
from warm_broker import DIRTY, ENDED, LIBRARY, READY, STALE, TAKEN, TROUBLE, UID, UNFIT, WarmBroker, signal_of

ENVIRONMENT_MAX = 60 * 1024
ENOSYS, EPERM = 38, 1


@pytest.fixture(scope="module")
def folder():
    """Where the identity reads and does not write; it lies where the identity can reach it."""
    made = Path(tempfile.mkdtemp(prefix="sandboxd-test-warm.", dir="/run"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def program(folder):
    """The C application, apps/warm.c."""
    target = folder / "warm"
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror"]
    command = ["cc", *flags, "-o", str(target), str(stack.APPS / "warm.c"), "-lfcgi"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    target.chmod(0o755)
    return target


@pytest.fixture(autouse=True, scope="module")
def reachable_library(folder):
    """The library where the identity can read it: the checkout may be in root's home."""
    import warm_broker

    copy = folder / LIBRARY.name
    shutil.copy(LIBRARY, copy)
    copy.chmod(0o755)
    warm_broker.LIBRARY = copy
    yield
    warm_broker.LIBRARY = LIBRARY


@pytest.fixture
def warm(program):
    """Starts the C application in brokers that end with the test."""
    with contextlib.ExitStack() as brokers:
        yield lambda *words, **arguments: brokers.enter_context(WarmBroker([program, *words], **arguments))


def lines(response):
    """What apps/warm.c answered: name → value."""
    assert response.status == 200, response
    return dict(line.split(" ", 1) for line in response.body.decode().splitlines() if " " in line)


def ask(broker, query="", **arguments):
    return lines(broker.ask(query, **arguments))


# --- children ---


def test_each_request_has_a_process_of_its_own(warm):
    broker = warm()
    assert broker.ready(2).value > 0, "its memory in KiB"
    answers = [ask(broker) for _ in range(10)]
    assert len({answer["pid"] for answer in answers}) == 10
    assert {answer["served"] for answer in answers} == {"1"}, "the application's own counter"
    assert str(broker.pid) not in {answer["pid"] for answer in answers}


def test_events_of_a_request(warm):
    broker = warm()
    broker.ready()
    pid = broker.spare()
    response = broker.ask()
    assert int(lines(response)["pid"]) == pid, "the spare child that waited"
    taken, ended = broker.event(TAKEN), broker.event(ENDED)
    assert (taken.kind, taken.slot, taken.number) == (TAKEN, 0, response.number)
    assert (ended.kind, ended.slot, ended.value) == (ENDED, 0, 0), "the second accept() is its end, with status 0"
    assert broker.nothing()


def test_spares_wait_and_are_in_their_groups(warm):
    broker = warm()
    broker.ready(3)
    pids = [broker.spare(slot) for slot in range(3)]
    assert len(set(pids)) == 3
    assert broker.nothing(), "nobody has anything to say before there is a request"
    for slot in range(3):
        assert broker.groups.pids(broker.slots[slot]) == [pids[slot]], "no helper is left in the group"
    for pid in pids:
        assert int(stack._status(pid)["PPid"]) == broker.pid


def test_a_slot_is_used_again(warm):
    broker = warm()
    broker.ready()
    first = broker.spare()
    ask(broker)
    broker.event(ENDED, slot=0)
    second = broker.spare()
    assert second != first
    assert int(ask(broker)["pid"]) == second
    assert not any(event.kind == DIRTY for event in broker.pending)


def test_requests_at_once_do_not_wait_for_each_other(warm):
    broker = warm()
    broker.ready(2)
    slow = broker.connect({"QUERY_STRING": "silent", "REQUEST_METHOD": "GET"})
    slot = broker.event(TAKEN, number=slow.number).slot
    assert len({ask(broker)["pid"] for _ in range(3)}) == 3
    old = broker.slot(slot)  # as the broker does at a deadline: another group, then the kill
    broker.groups.kill(old)
    assert signal_of(broker.event(ENDED, slot=slot)) == signal.SIGKILL
    assert slow.response().closed
    broker.spare(slot)
    assert not any(event.kind == DIRTY for event in broker.pending), "the broker knows that it is"
    assert ask(broker)["served"] == "1"


def test_a_child_is_killed_when_the_broker_says_so_and_its_successor_is_not(warm):
    broker = warm()
    broker.ready()
    ask(broker)
    broker.event(TAKEN, slot=0)
    broker.event(ENDED, slot=0)
    slow = broker.connect({"QUERY_STRING": "silent", "REQUEST_METHOD": "GET"})
    broker.event(TAKEN, number=slow.number)
    broker.kill(0, 0)  # meant for the first child, which has ended
    assert broker.nothing()
    broker.kill(0, 1)
    assert signal_of(broker.event(ENDED, slot=0)) == signal.SIGKILL
    assert slow.response().closed
    assert ask(broker)["served"] == "1"


def test_what_a_request_leaves_is_reported(warm):
    broker = warm()
    broker.ready()
    pid = int(ask(broker, "stay")["pid"])
    broker.event(ENDED, slot=0)
    broker.event(DIRTY, slot=0)
    left = broker.groups.pids(broker.slots[0])
    assert len(left) == 1 and left[0] != pid
    old = broker.slots[0]
    broker.event(TAKEN, slot=0)
    assert broker.nothing() and broker.groups.pids(old) == left, "nobody is forked into that group"
    broker.slot(0)
    broker.groups.kill(old)
    assert broker.spare() not in left
    ask(broker)


def test_crashing_children_do_not_harm_the_zygote(warm):
    broker = warm()
    broker.ready()
    for _ in range(5):
        handed = broker.connect({"QUERY_STRING": "segv"})
        assert handed.response().closed
        assert signal_of(broker.event(ENDED, slot=0)) == signal.SIGSEGV
    assert ask(broker)["served"] == "1"


def test_the_end_of_the_queue(warm):
    """What is in the queue is served, the spare children end, then the zygote."""
    broker = warm()
    broker.ready()
    broker.spare()
    handed = [broker.connect({"QUERY_STRING": "a"})]
    broker.queue.close()
    assert lines(handed[0].response())["served"] == "1"
    broker.event(ENDED, slot=0)
    assert broker.wait() == 0


def test_the_brokers_end(warm):
    broker = warm()
    broker.ready(2)
    slots = [broker.slots[number] for number in (0, 1) if broker.spare(number)]
    broker.end()
    assert broker.wait() == 0
    stack.wait_for(lambda: not any(map(broker.groups.pids, slots)), "the spare children's end")


def test_a_malformed_message_ends_the_zygote(warm):
    broker = warm()
    broker.event(READY)
    broker.control.send(b"nonsense")
    assert broker.receive().kind == TROUBLE
    assert broker.wait() == 1


def test_libc_is_right_in_a_child(warm):
    """Handlers of pthread_atfork(3), and where sched_getcpu(3) says that it runs."""
    broker = warm()
    broker.ready()
    answer = ask(broker, "atfork")
    assert int(answer["prepared"]) >= 1 and answer["continued"] == "1"
    assert ask(broker, "cpus")["cpus"] == "right"


def test_signals_are_the_applications(warm):
    broker = warm("signals")
    broker.ready()
    ask(broker)  # so that the zygote has had a SIGCHLD
    answer = ask(broker, "signals")
    assert answer["mask"] == "100", "SIGUSR2 blocked, SIGCHLD and SIGTERM not"
    assert answer["handlers"] == "11", "SIGCHLD ignored, SIGUSR1 handled"
    assert answer["pending"] == "0"
    assert ask(broker)["served"] == "1", "children are reaped, although the application ignores SIGCHLD"


def test_many_forks(warm):
    """The helper is on the zygote's own stack: a thousand times it and what is returned to are whole."""
    broker = warm("memory")
    assert broker.ready(4).value > 100 * 1024, "its own memory, in KiB"
    pids = set()
    for number in range(1000):
        pids.add(ask(broker, "signals" if number % 2 else "")["pid"])
    assert len(pids) > 990, "pids come round"
    assert not any(event.kind in (DIRTY, TROUBLE) for event in broker.pending)


# --- confinement ---


def test_children_have_no_descriptor_of_ours(warm):
    broker = warm()
    broker.ready(3)
    answer = ask(broker, "descriptors")
    found = {name: value for name, value in answer.items() if name.startswith("fd")}
    assert found == {"fd0": "device", "fd1": "pipe", "fd2": "pipe", "fd3": "socket"}


def test_children_are_apart(warm):
    broker = warm()
    broker.ready()
    answer = ask(broker, "confined")
    assert (answer["clone3"], answer["seccomp"]) == (str(ENOSYS), str(EPERM))
    assert (answer["kill-zygote"], answer["kill-self"]) == (str(EPERM), "0")
    assert answer["tgkill-zygote"] == str(EPERM), "Landlock's scope"
    assert answer["dumpable"] == "0"


def test_the_zygote_cannot_be_looked_at(warm):
    """By its own uid: it and its children are not dumpable."""
    broker = warm()
    broker.ready()
    for pid in (broker.pid, broker.spare()):
        code = f"open('/proc/{pid}/mem', 'rb')"
        look = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "/usr/bin/python3", "-c", code]
        done = subprocess.run(look, capture_output=True, text=True)
        assert "PermissionError" in done.stderr


@pytest.mark.parametrize("filter", ["", "20", "zz" * 8, "20" * 8 * 4097])
def test_without_a_filter_it_is_unfit(warm, filter):
    broker = warm(filter=filter)
    event = broker.receive()
    assert event.kind == UNFIT and "filter" in event.detail
    assert broker.wait() == 1


def test_shared_memory_is_made_private(warm):
    broker = warm("shared")
    broker.ready(2)
    assert ask(broker, "write=poison")["shared"] == "poison", "its own copy it may write"
    for _ in range(4):
        answer = ask(broker)
        assert (answer["shared"], answer["far"]) == ("original", "far")


def test_shared_memory_is_shared_otherwise(program, folder):
    """The positive control: without the library, a process of the same application poisons the next."""
    door = str(folder / "control.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(door)
        listener.listen()
        # Two processes after the mapping was made, by the library's own plain fork: none; so by a wrapper.
        server = subprocess.Popen([program, "shared", "prefork"], stdin=listener, start_new_session=True)
        try:
            answers = [fcgi.request(door, {"QUERY_STRING": query}) for query in ("write=poison&end", "")]
        finally:
            os.killpg(server.pid, signal.SIGKILL)  # with what it has forked
            server.wait(stack.BOUND)
    first, second = map(lines, answers)
    assert first["pid"] != second["pid"] and second["shared"] == "poison"


def test_memory_of_opcaches_size_costs_what_is_used(warm):
    """A region is copied by pages, and those of zeroes are left out: what a fork costs grows with them."""
    broker = warm("shared")
    assert broker.ready().value < 4096


# --- what makes a fork cheaper ---


def mappings(pid):
    """The zygote's: range, permissions, path, and how many bytes of it are no file's."""
    for text in re.split(r"\n(?=[0-9a-f]+-)", Path(f"/proc/{pid}/smaps").read_text()):
        first = text.splitlines()[0].split(maxsplit=5)
        yield first[0], first[1], first[5] if len(first) > 5 else "", int(re.search(r"Anonymous: +(\d+)", text)[1]) << 10


def copies(pid):
    return [place for place, _, path, _ in mappings(pid) if path.startswith("/memfd:sandboxd-snapshot")]


def test_what_the_linker_has_relocated_is_a_sealed_files(warm):
    broker = warm()
    broker.ready(2)
    assert copies(broker.pid)
    for place in copies(broker.pid):
        start, end = (int(address, 16) for address in place.split("-"))
        fd = os.open(f"/proc/{broker.pid}/map_files/{place}", os.O_RDONLY)
        wanted = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) & wanted == wanted
        size = os.fstat(fd)
        assert size.st_size == end - start, "no byte that a mapping does not show"
        assert size.st_blocks * 512 == size.st_size, "and no hole that a fault would fill"
        os.close(fd)
    own = [path for _, how, path, own in mappings(broker.pid) if own and path.startswith("/") and how.startswith("r--")]
    assert not own, "a fork has page tables of these to copy"
    assert {ask(broker)["served"] for _ in range(6)} == {"1"}, "what one child writes no other sees"


def test_what_the_linker_has_relocated_stays_where_limitfsize_says_so(warm):
    broker = warm(limits={resource.RLIMIT_FSIZE: 1})
    broker.ready()
    assert not copies(broker.pid)
    assert ask(broker)["served"] == "1"


@pytest.mark.parametrize("request_, most, least", [("/index?touch", 40, 0), ("/index", 10_000, 390)])
def test_what_a_rehearsal_writes_to_is_there(warm, folder, request_, most, least):
    """400 pages: a child has them before its request is there, if a warm-up request wrote to them."""
    (folder / "page").mkdir(exist_ok=True)
    (folder / "page" / "index").write_text("")
    broker = warm("memory", scripts=folder / "page", requests=[request_])
    broker.ready()
    for _ in range(3):
        assert least <= int(ask(broker, "touch", script=f"{folder}/page/index")["faults"]) <= most


@pytest.mark.parametrize("requests, most, least", [(["/index?look"], 4, 0), (["/index?look", "/index"], 10_000, 10)])
def test_what_a_rehearsal_reads_of_files_is_there(warm, folder, requests, most, least):
    """40 windows of 64 KiB, one or a few of which a fault maps. What the last request has not read counts for nothing."""
    (folder / "page").mkdir(exist_ok=True)
    (folder / "page" / "index").write_text("")
    broker = warm(scripts=folder / "page", requests=requests)
    broker.ready()
    for _ in range(3):
        assert least <= int(ask(broker, "look", script=f"{folder}/page/index")["faults"]) <= most


def test_a_rehearsal_needs_a_dumpable_process(warm, folder, program):
    """Its pages are looked up by a descriptor from before; one that could not be opened is no failure."""
    hidden = folder / "hidden"
    shutil.copy(program, hidden)
    hidden.chmod(0o711)  # not readable, so not dumpable: proc(5), /proc/sys/fs/suid_dumpable
    (folder / "page").mkdir(exist_ok=True)
    (folder / "page" / "index").write_text("")
    with WarmBroker([hidden, "memory"], scripts=folder / "page", requests=["/index?touch"]) as broker:
        broker.ready()
        answer = ask(broker, "touch", script=f"{folder}/page/index")
        assert answer["served"] == "2" and int(answer["faults"]) >= 400


@pytest.mark.parametrize(
    "word, reason",
    [
        ("thread", "it has 2 threads"),
        ("beyond", "cannot be made private: Bad address"),
        ("twice", "cannot be made private: it is mapped twice"),
        ("socket", "would be shared by all requests: socket:"),
        ("pipe", "would be shared by all requests: pipe:"),
        ("child", "it has a child process"),
    ],
)
def test_unfit(warm, word, reason):
    broker = warm(word)
    event = broker.receive()
    assert event.kind == UNFIT and reason in event.detail, event
    assert broker.wait() == 1


def test_files_without_a_name_are_each_childs_own(warm):
    """Content, position and locks, as of opcache's lock file."""
    broker = warm("file")
    broker.ready(2)
    slow = broker.connect({"QUERY_STRING": "file=poison!!"})
    assert dict(line.split(" ", 1) for line in slow.response().body.decode().splitlines())["content"] == "original"
    answer = ask(broker, "file=")
    assert (answer["position"], answer["lock"], answer["content"]) == ("8", "0", "original")


# --- the request ---


def test_environment_is_filtered(warm):
    broker = warm(environment={"OWN": "kept", "HTTPS": "forced"}, passed=["PASSED"])
    broker.ready()
    request = {
        "HTTP_PROXY": "http://evil",
        "HTTP_COOKIE": "a=b",
        "LD_PRELOAD": "/evil",
        "PERL5LIB": "/evil",
        "PASSED": "yes",
        "HTTPS": "off",
        "REMOTE_USER": "mallory",
        "REMOTE_ADDR": "203.0.113.1",
        "GATEWAY_INTERFACE": "evil",
    }
    body = broker.ask("params", user="alice", **request).body.decode()
    found = dict(line.split("=", 1) for line in body.splitlines() if "=" in line)
    assert not {"HTTP_PROXY", "LD_PRELOAD", "PERL5LIB"} & set(found)
    assert not [name for name in found if name.startswith("SANDBOXD_WARM")]
    assert (found["HTTP_COOKIE"], found["PASSED"], found["OWN"]) == ("a=b", "yes", "kept")
    assert found["HTTPS"] == "forced", "Environment= is stronger, as for a CGI program"
    assert (found["REMOTE_USER"], found["REMOTE_ADDR"]) == ("alice", "192.0.2.7"), "the broker's word"
    assert found["SERVER_NAME"] == "www.example.org" and found["GATEWAY_INTERFACE"] == "CGI/1.1"
    anonymous = broker.ask("params", **request).body.decode()
    assert "REMOTE_USER" not in anonymous


def test_neither_the_application_nor_its_programs_see_ours(warm):
    broker = warm(environment={"OWN": "kept"})
    broker.ready()
    for query in ("environ", "execute"):
        body = broker.ask(query).body.decode()
        assert "OWN=kept" in body and "SANDBOXD_WARM" not in body and "LD_PRELOAD" not in body


def test_the_largest_environment(warm):
    broker = warm()
    broker.ready()
    head = b"QUERY_STRING=params\0HTTP_LONG="
    block = head + b"x" * (ENVIRONMENT_MAX - len(head) - 1) + b"\0"
    assert len(block) == ENVIRONMENT_MAX
    body = broker.connect(block).response().body
    assert b"\nHTTP_LONG=" + b"x" * (ENVIRONMENT_MAX - len(head) - 1) + b"\n" in body
    many = b"QUERY_STRING=params\0" + b"".join(b"HTTP_%d=%d\0" % (i, i) for i in range(1000))
    assert b"\nHTTP_999=999\n" in broker.connect(many).response().body
    broker.connect(block + b"HTTP_MORE=1\0")
    event = broker.receive()
    while event.kind in (TAKEN, ENDED):
        event = broker.receive()
    assert event.kind == TROUBLE and "malformed request" in event.detail


@pytest.mark.parametrize("length", [0, 1, 65535, 65536, 3_000_000])
def test_bodies(warm, length):
    broker = warm()
    broker.ready()
    body = bytes(i % 251 for i in range(length))
    answer = ask(broker, "body", body=body)
    assert (int(answer["length"]), int(answer["sum"])) == (length, sum(body))


@pytest.mark.parametrize(
    "block", [b"=x\0", b"NO-NUL=1", b"A\0", b"HTTPS=1\0HTTPS=2\0", b"\0"], ids=["name", "nul", "equals", "twice", "empty"]
)
def test_a_bad_environment(warm, block):
    broker = warm()
    broker.ready()
    handed = broker.connect(block)
    response = handed.response()
    assert response.status == 500 and response.app_status == 1
    assert "environment" in handed.errors() and len(handed.errors().splitlines()) == 1
    assert broker.event(ENDED).value == 1 << 8
    assert ask(broker)["served"] == "1"


def test_less_environment_than_was_said(warm):
    broker = warm()
    broker.ready()
    handed = broker.connect({"A": "b"})
    handed.response()
    ours, theirs = socket.socketpair()
    ours.sendall(b"A=b\0")
    errors, stderr = os.pipe()
    _, head = broker._head(1, 1, 5, "", "", "", "")
    broker._send(head, [stderr, theirs.detach(), os.dup(ours.fileno())])
    with ours, os.fdopen(errors) as said:
        ours.settimeout(stack.BOUND)
        assert b"Status: 500" in ours.recv(1000)
        assert "environment" in said.read()


def test_scripts(warm, folder):
    scripts = folder / "scripts"
    (scripts / "inner").mkdir(parents=True)
    for name, mode in (("inner/good", 0o644), ("bad", 0o666)):
        (scripts / name).write_text("")
        (scripts / name).chmod(mode)
    os.symlink("/etc/passwd", scripts / "link")
    broker = warm(scripts=scripts)
    broker.ready()
    assert ask(broker, "directory", script=f"{scripts}/inner/good")["directory"] == f"{scripts}/inner"
    body = broker.ask("params", script=f"{scripts}/inner/good", SCRIPT_FILENAME="/etc/shadow").body.decode()
    assert f"SCRIPT_FILENAME={scripts}/inner/good\n" in body
    for script, status in (
        (f"{scripts}/none", 404),
        (f"{scripts}/inner/../../warm", 404),
        (f"{scripts}/link", 404),
        ("/etc/passwd", 404),
        ("", 404),
        (f"{scripts}/inner", 404),
        (f"{scripts}/bad", 502),
    ):
        response = broker.ask(script=script)
        assert (response.status, response.app_status) == (status, 1), script
        said = response.handed.errors()
        assert "script" in said and script in said and len(said.splitlines()) == 1


def test_the_other_kind_of_request_is_answered(warm):
    broker = warm()
    broker.ready()
    handed = broker.stream({"QUERY_STRING": ""})
    assert handed.response().status == 500 and "FastCGI" in handed.errors()
    assert ask(broker)["served"] == "1"


# --- warming up ---


def test_warm_up_requests(warm, folder):
    (folder / "page").mkdir(exist_ok=True)
    (folder / "page" / "index").write_text("")
    broker = warm(scripts=folder / "page", requests=["/index?a=b", "/index?c"])
    broker.ready()
    answer = ask(broker, script=f"{folder}/page/index")
    assert answer["served"] == "4" and int(answer["pid"]) != broker.pid, "the last one is rehearsed"
    found = ask(broker, "descriptors", script=f"{folder}/page/index")
    assert {name for name in found if name.startswith("fd")} == {"fd0", "fd1", "fd2", "fd3"}


@pytest.mark.parametrize(
    "request_, reason",
    [
        ("/index?teapot", "status 418"),
        ("/index?segv", "in the midst of its answer"),
        ("/none", "the script: No such file"),
        ("/" + "x" * 3000, "too long"),
    ],
)
def test_a_warm_up_request_that_fails(warm, folder, request_, reason):
    (folder / "page").mkdir(exist_ok=True)
    (folder / "page" / "index").write_text("")
    broker = warm(scripts=folder / "page", requests=[request_])
    event = broker.receive()
    assert event.kind == UNFIT and "WarmUpRequest=/" in event.detail
    assert reason in event.detail or len(request_) > 1000
    assert broker.wait() != 0


def test_an_application_that_never_accepts(warm):
    broker = warm("crash")
    with pytest.raises(AssertionError, match="closed its control socket"):
        broker.receive()
    assert broker.wait() == -signal.SIGABRT


# --- files that change ---


def stale(broker, change, what):
    broker.ready()
    assert broker.nothing()
    change()
    event = broker.event(STALE)
    assert what in event.detail, event
    change()
    assert broker.nothing(), "once is enough"
    assert ask(broker)["served"] == "1", "it serves until the broker has another"


def test_stale_script_folder(warm, folder):
    scripts = Path(tempfile.mkdtemp(dir=folder))
    (scripts / "lib" / "deep").mkdir(parents=True)
    for one in (scripts, scripts / "lib", scripts / "lib" / "deep"):
        one.chmod(0o755)
    (scripts / "page").write_text("")
    own = scripts / "data"
    own.mkdir()
    os.chown(own, UID, UID)
    broker = warm(scripts=scripts)
    broker.ready()
    (own / "cache").write_text("1")
    assert broker.nothing(), "what the identity may write changes with requests"
    (scripts / "lib" / "deep" / "new.php").write_text("1")
    assert f"{scripts}/lib/deep/new.php" in broker.event(STALE).detail


def test_stale_watch_and_words(warm, folder):
    watched, word = folder / "watched.conf", folder / "word.conf"
    for one in (watched, word):
        one.write_text("1")
    stale(warm(watch=[watched]), lambda: watched.write_text("2"), str(watched))
    stale(warm(word), lambda: word.write_text("2"), str(word))


def test_stale_program_and_libraries(warm, program, folder):
    copy = folder / "copy"
    shutil.copy(program, copy)
    with WarmBroker([copy]) as broker:
        stale(broker, lambda: (shutil.copy(program, folder / "new"), os.rename(folder / "new", copy)), str(copy))


# --- streams: sandboxd_warm_take() ---


TAKE = """
import ctypes, os, resource, sys
library = ctypes.PyDLL(None)
assert library.sandboxd_warm_active() == 1
PAGES, PAGE = 400, 4096
memory, more = (bytearray(b"x" * PAGES * PAGE) for _ in range(2))
def touch(what):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for page in range(PAGES):
        what[page * PAGE] += 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
library.sandboxd_warm_watch(b"@WATCHED@")
block, size = ctypes.c_void_p(), ctypes.c_size_t()
served = 0
while True:
    r = library.sandboxd_warm_take(ctypes.byref(block), ctypes.byref(size))
    assert r in (0, 1), r
    served += 1
    lines = ctypes.string_at(block.value, size.value).split(b"\\0")[:-1]
    environment = dict(line.split(b"=", 1) for line in lines)
    query = environment[b"QUERY_STRING"]
    data = os.read(0, 100000)
    fds = " ".join(str(fd) for fd in range(4096) if os.path.exists(f"/dev/fd/{fd}"))
    status = b"Status: 500 No\\n" if query == b"bad" else b""
    os.write(2, b"said")
    kinds = "".join(oct(os.fstat(fd).st_mode >> 12)[2:] for fd in (0, 1, 2))
    answer = f"\\npid {os.getpid()}\\nserved {served}\\nbody {data.decode()}\\nreturned {r}\\nkinds {kinds}\\n".encode()
    os.write(1, status + b"Content-Type: text/plain\\n" + answer + b"\\n".join(b"env " + line for line in lines))
    if query == b"touch":
        os.write(1, f"\\nfaults {touch(memory)}\\nmore {touch(more) if r == 0 else 0}\\n".encode())
    os.close(0)
    if r == 1:
        library.sandboxd_warm_answered()
        touch(more)
    if r == 0:
        os.close(1)
        os.close(2)
"""


@pytest.fixture
def taker(folder):
    (folder / "watched.py").write_text("1")
    (folder / "take.py").write_text(TAKE.replace("@WATCHED@", f"{folder}/watched.py"))
    with contextlib.ExitStack() as brokers:
        command = ["/usr/bin/python3", folder / "take.py"]
        yield lambda **arguments: brokers.enter_context(WarmBroker(command, **arguments))


def test_streams(taker):
    broker = taker(passed=["PASSED"])
    broker.ready(2)
    pids = set()
    for number in range(3):
        body = b"body%d" % number
        variables = {"QUERY_STRING": "q", "HTTP_PROXY": "evil", "PASSED": "yes", "LD_PRELOAD": "evil"}
        handed = broker.stream(variables, body=body, user="alice")
        text = handed.response().stdout.decode()
        assert f"body {body.decode()}" in text and "served 1\n" in text and "returned 0" in text
        assert "env REMOTE_USER=alice" in text and "env PASSED=yes" in text
        assert "HTTP_PROXY" not in text and "LD_PRELOAD" not in text and "SANDBOXD_WARM" not in text
        assert "kinds 111\n" in text, "pipes"
        assert handed.errors() == "said"
        pids.add(re.search("pid ([0-9]+)", text)[1])
        assert broker.event(ENDED).value == 0, "the second call ends it"
    assert len(pids) == 3


def test_streams_warmed_up(taker):
    broker = taker(requests=["/x?good", "/x"])
    broker.ready()
    text = broker.stream({"QUERY_STRING": "q"}).response().stdout.decode()
    assert "served 4\n" in text and "returned 0" in text, "the last one is rehearsed"
    assert "said" in broker.output(), "a warm-up's standard error is the zygote's"
    assert "returned 1" not in broker.output(), "and its standard output is the helper's"


def test_streams_rehearsed(taker):
    """What is written to until the application says that it has answered is there; what comes then is not."""
    broker = taker(requests=["/x?touch"])
    broker.ready()
    for _ in range(2):
        text = broker.stream({"QUERY_STRING": "touch"}).response().stdout.decode()
        assert int(re.search("faults ([0-9]+)", text)[1]) < 40
        assert int(re.search("more ([0-9]+)", text)[1]) >= 390


def test_streams_warm_up_that_fails(taker):
    event = taker(requests=["/x?bad"]).receive()
    assert event.kind == UNFIT and "status 500" in event.detail


def test_streams_and_a_connection(taker):
    broker = taker()
    broker.ready()
    response = broker.ask("q")
    assert response.status == 500 and "CGI" in response.handed.errors()


def test_streams_watched(taker, folder):
    broker = taker()
    broker.ready()
    (folder / "watched.py").write_text("2")
    assert "watched.py" in broker.event(STALE).detail


def test_without_the_variable_nothing_is_done(folder):
    """The library in a program that is no application zygote: accept(2) is the kernel's."""
    code = (
        "import ctypes, os, socket\n"
        "library = ctypes.PyDLL(None)\n"
        "assert library.sandboxd_warm_active() == 0\n"
        "assert library.sandboxd_warm_take(None, None) < 0\n"
        "os.fstat(6)\n"
        "assert 'LD_PRELOAD' in os.environ\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "client = socket.create_connection(listener.getsockname())\n"
        "os.dup2(listener.fileno(), 0)\n"
        "fd = socket.socket(fileno=0)._accept()[0]\n"
        "client.send(b'x')\n"
        "assert os.read(fd, 1) == b'x'\n"
    )
    environment = {**os.environ, "LD_PRELOAD": str(folder / LIBRARY.name), "SANDBOXD_WARM": "0"}
    command = ["sh", "-c", 'exec /usr/bin/python3 -c "$0" 6</dev/null', code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# --- random numbers ---


def test_libc_random_numbers(warm):
    broker = warm("random", requests=["/x?random"])
    broker.ready(2)
    answers = [ask(broker, "random") for _ in range(4)]
    assert len({answer["rand"] for answer in answers}) == 4
    assert len({answer["drand48"] for answer in answers}) == 4


def test_libc_random_numbers_repeat_without(tmp_path):
    """The positive control: after a plain fork two children draw the same."""
    libc = ctypes.CDLL(None)
    libc.srand(1)
    libc.rand()
    drawn = []
    for _ in range(2):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(write, b"%d" % libc.rand())
            os._exit(0)
        os.waitpid(pid, 0)
        drawn.append(os.read(read, 100))
        os.close(read)
        os.close(write)
    assert drawn[0] == drawn[1]


PERL = """
use FCGI;
my $request = FCGI::Request();
my $served = 0;
while ($request->Accept() >= 0) {
    $served++;
    print "Content-Type: text/plain\\r\\n\\r\\npid $$\\nserved $served\\nrand " . rand() . "\\n";
    print "env $ENV{QUERY_STRING}\\n";
    my $body = ""; read(STDIN, $body, $ENV{CONTENT_LENGTH} || 0); print "body $body\\n";
}
"""


@pytest.fixture
def perl(folder):
    (folder / "app.pl").write_text(PERL)
    with contextlib.ExitStack() as brokers:
        command = ["/usr/bin/perl", folder / "app.pl"]
        yield lambda **arguments: brokers.enter_context(WarmBroker(command, **arguments))


def test_perl(perl):
    broker = perl(requests=["/warm"])
    broker.ready(2)
    answers = [lines(broker.ask("q", body=b"text")) for _ in range(4)]
    assert {answer["served"] for answer in answers} == {"3"}, "the warm-up, once more as a rehearsal, and this"
    assert {answer["body"] for answer in answers} == {"text"} and {answer["env"] for answer in answers} == {"q"}
    assert len({answer["pid"] for answer in answers}) == 4
    assert len({answer["rand"] for answer in answers}) == 4


def test_perl_repeats_without():
    code = 'rand(); $| = 1; for (1, 2) { if (!fork) { print rand(), "\\n"; exit } wait }'
    drawn = subprocess.run(["/usr/bin/perl", "-e", code], capture_output=True, text=True).stdout.split()
    assert len(drawn) == 2 and drawn[0] == drawn[1]


# --- PHP ---

DRAW = """
function draw() {
    $list = range(1, 1000);
    shuffle($list);
    return [
        'mt_rand' => mt_rand(), 'rand' => rand(), 'random_int' => random_int(0, PHP_INT_MAX), 'lcg_value' => lcg_value(),
        'uniqid' => substr(uniqid('', true), 14), 'shuffle' => implode(',', array_slice($list, 0, 8)),
        'array_rand' => implode(',', array_rand($list, 8)), 'str_shuffle' => str_shuffle(str_repeat('abcdefgh', 8)),
        'random_bytes' => bin2hex(random_bytes(8)), 'openssl' => bin2hex(openssl_random_pseudo_bytes(8)),
        'key' => md5(openssl_pkey_get_details(openssl_pkey_new(['private_key_type' => OPENSSL_KEYTYPE_EC,
            'curve_name' => 'prime256v1']))['ec']['x']),
        'session' => session_create_id(), 'sodium' => bin2hex(sodium_crypto_secretbox_keygen()),
    ];
}
"""

PAGE = (
    "<?php "
    + DRAW
    + r"""
header('Content-Type: text/plain');
require __DIR__ . '/part.php';
echo 'pid ', getmypid(), "\n", 'marker ', marker(), "\n";
$cached = isset(opcache_get_status()['scripts'][__DIR__ . '/part.php']);
echo 'cached ', var_export($cached, true), "\n";
$query = $_SERVER['QUERY_STRING'];
if ($query == 'draw') {
    foreach (draw() as $name => $value) echo "$name $value\n";
} elseif ($query == 'poison') {
    // Wherever opcache's memory is: the marker is spelt backwards here, so that only the other file has it.
    $libc = FFI::cdef('void *memmem(const void *, size_t, const void *, size_t); void *memcpy(void *, const void *, size_t);');
    $old = strrev('lanigiro-rekram');
    $n = 0;
    foreach (file('/proc/self/maps') as $line) {
        if (!preg_match('/^([0-9a-f]+)-([0-9a-f]+) rw/', $line, $m) || hexdec($m[2]) - hexdec($m[1]) < (8 << 20)) continue;
        $at = hexdec($m[1]); $end = hexdec($m[2]);
        while ($at < $end) {
            $here = FFI::cast('void *', FFI::cast('uintptr_t', FFI::new('uintptr_t')));
            $pointer = FFI::new('uintptr_t'); $pointer->cdata = $at;
            $found = $libc->memmem(FFI::cast('void *', $pointer), $end - $at, $old, strlen($old));
            if ($found === null) break;
            $libc->memcpy($found, 'marker-poisoned', strlen($old));
            $at = FFI::cast('uintptr_t', $found)->cdata + strlen($old);
            $n++;
        }
    }
    echo "poisoned $n\n";
} elseif ($query == 'body') {
    $data = file_get_contents('php://input');
    echo 'length ', strlen($data), "\n", 'md5 ', md5($data), "\n";
} elseif ($query == 'lock') {
    // opcache_invalidate() takes opcache's lock and lets it go: nobody holds it up.
    echo 'invalidated ', var_export(opcache_invalidate(__DIR__ . '/part.php', true), true), "\n";
} elseif ($query == 'cwd') {
    echo 'cwd ', getcwd(), "\n";
}
"""
)

PHP = [
    "/usr/bin/php-cgi",
    *("-d", "opcache.enable=1", "-d", "opcache.memory_consumption=16", "-d", "opcache.interned_strings_buffer=4"),
    *("-d", "opcache.file_update_protection=0", "-d", "ffi.enable=1", "-d", "memory_limit=256M"),
    *("-d", "opcache.validate_timestamps=0"),
]


@pytest.fixture(scope="module")
def site(folder):
    made = folder / "site"
    made.mkdir()
    (made / "page.php").write_text(PAGE)
    (made / "part.php").write_text("<?php function marker() { return 'marker-original'; }\n")
    return made


@pytest.fixture
def php(site):
    with contextlib.ExitStack() as brokers:
        yield lambda **arguments: brokers.enter_context(WarmBroker(PHP, scripts=site, **arguments))


def php_ask(broker, site, query, **arguments):
    response = broker.ask(query, script=f"{site}/page.php", **arguments)
    assert response.status == 200, (response, response.handed.errors())
    return lines(response)


def test_php(php, site):
    broker = php(requests=["/page.php?warm"])
    broker.ready(2)
    answers = [php_ask(broker, site, "") for _ in range(4)]
    assert len({answer["pid"] for answer in answers}) == 4
    assert {answer["cached"] for answer in answers} == {"true"}, "opcache is warm"
    body = os.urandom(100_000)
    assert php_ask(broker, site, "body", body=body)["length"] == "100000"
    assert php_ask(broker, site, "cwd")["cwd"] == str(site)
    assert broker.ask(script=f"{site}/none.php").status == 404


def test_php_opcache_cannot_be_poisoned(php, site):
    broker = php(requests=["/page.php"])
    broker.ready(2)
    assert int(php_ask(broker, site, "poison")["poisoned"]) > 0
    for _ in range(4):
        assert php_ask(broker, site, "")["marker"] == "marker-original"


def listens(door):
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(door) == 0


def test_php_opcache_is_poisoned_without(site, folder):
    """The positive control: processes of an ordinary php-cgi share it."""
    door = str(folder / "php.sock")
    environment = {"PATH": "/usr/bin:/bin", "PHP_FCGI_CHILDREN": "1", "PHP_FCGI_MAX_REQUESTS": "1"}
    params = {"SCRIPT_FILENAME": f"{site}/page.php", "REQUEST_METHOD": "GET", "REDIRECT_STATUS": "200"}
    server = subprocess.Popen([*PHP, "-b", door], env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        stack.wait_for(lambda: listens(door), door)
        answers = [lines(fcgi.request(door, {**params, "QUERY_STRING": query})) for query in ("", "poison", "")]
    finally:
        server.terminate()
        server.wait(stack.BOUND)
    assert answers[0]["marker"] == "marker-original" and int(answers[1]["poisoned"]) > 0
    assert answers[2]["marker"] == "marker-poisoned" and answers[2]["pid"] != answers[1]["pid"]


def test_php_random_numbers(php, site):
    broker = php(requests=["/page.php?draw"])
    broker.ready(3)
    answers = [php_ask(broker, site, "draw") for _ in range(4)]
    for name in answers[0]:
        if name not in ("marker", "cached"):
            assert len({answer[name] for answer in answers}) == 4, name


def test_php_random_numbers_repeat_without(tmp_path):
    """The positive control, for the generators of PHP's own: a plain fork in the midst of a request."""
    code = "<?php " + DRAW + " draw(); for ($i = 0; $i < 2; $i++) { if (!pcntl_fork()) { echo json_encode(draw()), \"\\n\"; exit; } pcntl_wait($s); }"
    (tmp_path / "fork.php").write_text(code)
    run = ["/usr/bin/php-cgi", "-q", str(tmp_path / "fork.php")]
    first, second = map(json.loads, subprocess.run(run, capture_output=True, text=True).stdout.split())
    same = {name for name in first if first[name] == second[name]}
    assert {"mt_rand", "rand", "lcg_value", "shuffle", "array_rand", "str_shuffle"} <= same
    assert not {"random_int", "random_bytes", "session", "openssl"} & same


def test_php_lock_is_each_childs_own(php, site):
    broker = php(requests=["/page.php"])
    broker.ready(2)
    for _ in range(3):
        assert php_ask(broker, site, "lock")["invalidated"] == "true"


def test_php_processes_of_its_own(php):
    broker = php(environment={"PHP_FCGI_CHILDREN": "2"})
    event = broker.receive()
    assert event.kind == UNFIT and "processes of its own" in event.detail
    assert broker.wait() == -signal.SIGKILL


def test_php_crash_and_fatal_error(php, site, folder):
    (site / "fatal.php").write_text("<?php nosuch();\n")
    broker = php()
    broker.ready()
    response = broker.ask(script=f"{site}/fatal.php")
    assert response.status == 500
    assert php_ask(broker, site, "")["marker"] == "marker-original"
