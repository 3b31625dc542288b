# SPDX-License-Identifier: Apache-2.0
"""What the processes of a cold request ask of the kernel: nothing dear on its way, and not much of the rest.

strace is attached to the broker and the service's zygote, and follows the zygote's children; or to the bridge.
SANDBOXD_TRACED= is how many requests are traced for what must never occur.
"""

import contextlib
import os
import re
import subprocess
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import stack as lib
from stack import wait_for

REQUESTS = int(os.environ.get("SANDBOXD_TRACED", "1000"))
COUNTED = 50
SERVICE = {"ExecStart": "/apps/app", "BindReadOnlyPaths": "@BASE@/apps:/apps", "RuntimeMaxSec": "120"}

# Calls that make or leave namespaces and mounts, or that other processes or a grace period of RCU have to be waited
# for; and those with which a filter, a control group or a program would be made anew.
NEVER = (
    "unshare mount umount2 pivot_root chroot fsopen fsconfig fsmount open_tree move_mount mount_setattr"
    " bpf membarrier mkdir mkdirat rmdir unlinkat rename renameat2 socketpair landlock_create_ruleset landlock_add_rule"
).split()
# A few more than were there when this was written: of another libc, or for a request that waited a little.
MOST = {"broker": 60, "zygote": 6}
MOST |= {"start": 46} if lib.cgroup2_mount() else {"init": 46, "start": 12}


@contextlib.contextmanager
def traced(processes, folder, *options):
    """Gives nothing; afterwards `folder` holds a file for each process, trace.PID."""
    command = ["strace", "-ff", "-o", f"{folder}/trace", "-s", "128", *options]
    with open(folder / "messages", "wb") as messages:
        strace = subprocess.Popen([*command, *(f"-p{pid}" for pid in processes)], stderr=messages)
    try:
        attached = [f"Process {pid} attached" for pid in processes]
        wait_for(lambda: all(line in (folder / "messages").read_text() for line in attached), "strace")
        yield
    finally:
        strace.terminate()
        strace.wait(lib.BOUND)


def launchers(stack):
    processes = [stack.broker.pid, *lib.zygotes_of(stack.broker.pid)]
    assert len(processes) == 2, "the broker and one zygote"
    return processes


def calls(folder):
    """{pid: [(call, the rest of the line)]}"""
    found = defaultdict(list)
    for path in folder.glob("trace.*"):
        for line in path.read_text(errors="replace").splitlines():
            match = re.match(r"(\w+)\((.*)", line)
            if match:
                found[int(path.suffix[1:])].append(match.groups())
    return found


def run(stack, count, threads=4):
    """So many requests, from a few clients at once; each is answered."""
    failures = []

    def client():
        for _ in range(count // threads):
            response = stack.request("cgi", "echo")
            if response.status != 200:
                failures.append(response)

    clients = [threading.Thread(target=client) for _ in range(threads)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    assert not failures, failures[:3]


@pytest.fixture
def stack(make_stack):
    if lib.sanitized():
        pytest.skip("a sanitizer makes calls of its own")
    one = make_stack({"cgi": SERVICE})
    run(one, 32, threads=8)  # zygote, leaves: what is made once is there
    return one


def test_nothing_dear_is_on_the_way_of_a_request(stack, tmp_path):
    watched = [*NEVER, "clone", "clone3", "fork", "vfork", "execve", "execveat", "seccomp", "prctl", "openat", "waitid",
               "setns"]
    with traced(launchers(stack), tmp_path, "-e", "trace=" + ",".join(watched)):
        run(stack, REQUESTS)
    found = calls(tmp_path)
    broker = found.pop(stack.broker.pid)
    (zygote,) = [found.pop(pid) for pid in lib.zygotes_of(stack.broker.pid)]
    # The positive control: all of them were seen.
    kept = lib.cgroup2_mount() is not None
    assert len(found) == (1 if kept else 2) * REQUESTS, "an application for each request, or an init and one"
    assert len([1 for name, _ in zygote if name == "clone3"]) == REQUESTS
    everything = [*broker, *zygote, *(call for process in found.values() for call in process)]
    names = Counter(name for name, _ in everything)
    assert names["execveat"] == REQUESTS and not set(names) & set(NEVER), names

    assert {name for name, _ in broker} == {"waitid"}, "the broker makes no process, and opens nothing"
    assert all("WNOHANG" in rest for _, rest in broker), "it never waits for one"
    assert Counter(name for name, _ in zygote) == Counter({"clone3": REQUESTS, "setns": REQUESTS}), zygote[:10]
    for name, rest in zygote:
        if name == "setns":
            assert "CLONE_NEWPID" in rest, rest
        elif kept:
            assert "CLONE_INTO_CGROUP" in rest and "CLONE_NEW" not in rest, rest
        else:
            assert re.findall("CLONE_NEW[A-Z]+", rest) == ["CLONE_NEWPID"], rest
    for process in found.values():
        assert not [rest for name, rest in process if name == "openat" and "cgroup" in rest]
        # Attached as it lies in the index: what libseccomp made of a list would be hundreds of instructions long.
        assert all(int(re.search(r"len=(\d+)", rest)[1]) < 64 for name, rest in process if name == "seccomp")
        asked = [rest for name, rest in process if name == "prctl"]
        assert len(asked) <= 4 and not [rest for rest in asked if "CAP" in rest], asked


def test_a_request_takes_few_calls(stack, tmp_path):
    with traced(launchers(stack), tmp_path):
        run(stack, COUNTED, threads=1)
    found = calls(tmp_path)
    (zygote,) = lib.zygotes_of(stack.broker.pid)
    counts = {"broker": len(found.pop(stack.broker.pid)) / COUNTED, "zygote": len(found.pop(zygote)) / COUNTED}
    for process in found.values():
        names = [name for name, _ in process]
        # An application's own calls begin when it has been executed.
        role, n = ("start", names.index("execveat") + 1) if "execveat" in names else ("init", len(names))
        counts[role] = max(counts.get(role, 0), n)
    assert set(counts) == set(MOST), counts
    assert all(0 < counts[role] <= most for role, most in MOST.items()), counts
    print(f"system calls of a request: {counts}")


def test_a_tmpfs_is_mounted_only_where_there_is_one(make_stack, tmp_path):
    """The control for the first test: with PrivateTmp=, these calls are seen."""
    if lib.sanitized():
        pytest.skip("a sanitizer makes calls of its own")
    stack = make_stack({"cgi": {**SERVICE, "PrivateTmp": "yes"}})
    run(stack, 8)
    with traced(launchers(stack), tmp_path):
        run(stack, COUNTED - COUNTED % 4)
    names = Counter(name for process in calls(tmp_path).values() for name, _ in process)
    assert names["fsopen"] == names["fsmount"] == names["move_mount"] == COUNTED - COUNTED % 4, names


def namespace_of(pid):
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/pid")
    return None


def test_all_capability_sets_in_a_request_s_pid_namespace_are_empty(stack):
    """As the kernel tells others: the jail asks only for what can differ from one request to the next."""
    user, uid = lib.fresh_user()
    with stack.begin("cgi", "echo", user=user, method="POST", CONTENT_LENGTH="1"):
        (application,) = wait_for(lambda: lib.applications_of(uid), "the application")
        pids = [pid for pid in lib.pids() if namespace_of(pid) == namespace_of(application)]
        assert len(pids) == 2, "the application and the namespace's init"
        for pid in pids:
            status = Path(f"/proc/{pid}/status").read_text()
            sets = dict(re.findall(r"^(Cap\w+):\t(\w+)$", status, re.M))
            assert set(sets) == {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}
            assert not any(int(value, 16) for value in sets.values()), (pid, sets)
            assert "NoNewPrivs:\t1\n" in status


def test_a_short_response_is_sent_in_one_piece(stack, tmp_path):
    """A request that is over within RELAY_OUTPUT_USEC has its output read when it has ended."""
    quick = 0
    with traced([stack.bridge.pid], tmp_path, "-e", "trace=sendto"):
        for _ in range(COUNTED):
            begun = time.monotonic()
            assert stack.request("cgi", "echo").status == 200
            quick += time.monotonic() - begun < 0.004
    sent = len(calls(tmp_path)[stack.bridge.pid])
    assert COUNTED <= sent <= 2 * COUNTED - quick, "of the others, output and end may have been apart"
    if not quick:
        pytest.skip("no request was quick on this machine, at this moment")
