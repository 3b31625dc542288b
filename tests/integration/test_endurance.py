# SPDX-License-Identifier: Apache-2.0
"""Many requests: each answered by a process of its own, and afterwards everything as it was before.

The number of requests is 10,000, or REQUESTS; 64 run at a time, or CONCURRENCY. The application's answer
proves its process: AT_RANDOM are 16 bytes that the kernel, not the program, draws at each execve, so
different values mean different executions; the inode number of the process's own pidfd is on Linux 6.9 and
later given to one process and never to another while the system runs, so different values mean different
processes, whatever they executed.
"""

import os
import re
import threading
from pathlib import Path

import fcgi
import pytest
import stack as lib
from stack import processes_of, rss_of, wait_for
from test_path import APP

REQUESTS = int(os.environ.get("REQUESTS", "10000"))
KEPT_MAX = 16  # CGROUP_KEPT_MAX, of one service
CONCURRENCY = int(os.environ.get("CONCURRENCY", "64"))
USERS = {"alice": 30010, "bob": 30011, None: 30013}
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def stack(app):
    service = {**APP, "PrivateTmp": "yes", "MaxConnections": str(CONCURRENCY), "RuntimeMaxSec": "120"}
    one = lib.Stack({"cgi": service}, programs=[app])
    yield one
    one.stop()


def run(stack, count):
    """`count` requests, CONCURRENCY at a time, eight on each connection; returns the answers."""
    answers, failures, lock = [], [], threading.Lock()
    numbers = iter(range(count))

    def work():
        connection, served = None, 0
        while True:
            with lock:
                n = next(numbers, None)
            if n is None or failures:
                break
            user = list(USERS)[n % len(USERS)]
            served += 1
            keep = served % 8 != 0
            try:
                connection = connection or stack.connect("cgi")
                params, flags = stack.params("unique", user=user), fcgi.KEEP_CONN if keep else 0
                connection.send(fcgi.whole_request(params, flags=flags))
                response = connection.read_response()
                if response.status != 200 or response.app_status != 0:
                    raise fcgi.ProtocolError(f"{response}")
                answers.append(response.body.decode().split())
                if not keep:
                    connection.close()
                    connection = None
            except Exception as error:  # reported by the main thread
                failures.append(error)
        if connection:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(CONCURRENCY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(1200)
        assert not thread.is_alive(), "a client is stuck"
    assert not failures, failures[0]
    assert len(answers) == count
    return answers


def keepers(broker):
    """The sleeping inits of PID namespaces that wait for a request, once none runs."""
    zygotes = lib.zygotes_of(broker)
    return [pid for pid in lib.children_of(broker)[0] if "zygote" in lib.command_of(pid) and pid not in zygotes]


def descriptors(stack):
    processes = [stack.bridge.pid, stack.broker.pid, *lib.zygotes_of(stack.broker.pid)]
    return {pid: lib.descriptors_of(pid) for pid in processes}


def temporary_files():
    """Files outside the stack's directory that the programs or the tests' identities could have left."""
    found = []
    for top in ("/tmp", "/var/tmp", "/dev/shm", "/run"):
        for path in Path(top).iterdir():
            try:
                ours = 30000 <= path.lstat().st_uid < 31000
            except FileNotFoundError:
                continue
            if ours or (path.name.startswith("sandboxd") and not path.name.startswith("sandboxd-test")):
                found.append(path)
    return sorted(found)


def stack_files(stack):
    return sorted(str(path) for path in stack.base.rglob("*"))


def reach_full_concurrency(stack):
    """
    As many requests at the same moment as there will ever be: the broker keeps a control group for each, to use it
    again, and has its full number of them before they are counted.
    """
    user, uid = next((user, uid) for user, uid in USERS.items() if user)
    held = [stack.begin("cgi", "count", user=user, method="POST", CONTENT_LENGTH="1") for _ in range(CONCURRENCY)]
    wait_for(lambda: len(lib.applications_of(uid)) == CONCURRENCY, "the application of each request")
    for connection in held:
        connection.send(fcgi.encode_stream(fcgi.STDIN, 1, b"x"))
        assert connection.read_response().app_status == 0
        connection.close()


def test_every_request_gets_a_process_of_its_own_and_leaves_nothing(stack):
    first = max(64, REQUESTS // 10)
    reach_full_concurrency(stack)
    answers = run(stack, first)
    wait_for(lambda: not any(processes_of(uid) for uid in USERS.values()), "the applications to end")
    before = {
        "descriptors": descriptors(stack),
        "mounts": lib.mounts(),
        "cgroups": lib.cgroups_of([stack.broker.pid]),
        "files": temporary_files(),
        "own files": stack_files(stack),
    }
    assert len(before["descriptors"]) > 2, "the zygotes were not found"
    memory = {pid: rss_of(pid) for pid in before["descriptors"]}

    answers += run(stack, REQUESTS - first)

    assert len({answer[0] for answer in answers}) == REQUESTS, "an execution answered two requests"
    inodes = [answer[1] for answer in answers]
    if "none" not in inodes:
        assert len(set(inodes)) == REQUESTS, "a process answered two requests"
    assert {answer[3] for answer in answers} == {"0" if lib.cgroup2_mount() else "1"}
    assert min(int(answer[2]) for answer in answers) >= 2

    wait_for(lambda: not any(processes_of(uid) for uid in USERS.values()), "the applications to end")
    wait_for(lambda: descriptors(stack) == before["descriptors"], "the descriptors to be as before")
    wait_for(lambda: lib.mounts() == before["mounts"], "the mounts to be as before")
    wait_for(lambda: lib.cgroups_of([stack.broker.pid]) == before["cgroups"], "the control groups to be as before")
    wait_for(lambda: len(keepers(stack.broker.pid)) <= KEPT_MAX, "keepers that nobody needs to end")
    assert temporary_files() == before["files"]
    assert stack_files(stack) == before["own files"]
    zombies = [pid for pid in before["descriptors"] if lib.children_of(pid)[1]]
    wait_for(lambda: not [pid for pid in zombies if lib.children_of(pid)[1]], "zombies to be waited for")
    if lib.sanitized():
        pytest.skip("all but memory is tested: the programs are built with a sanitizer")
    growth = {lib.command_of(pid): rss_of(pid) - was for pid, was in memory.items()}
    assert all(more < 2 * MEGABYTE for more in growth.values()), growth


def test_the_log_has_no_line_about_a_failure(stack):
    bad = re.findall(r"(?im)^.*(?:error|failed|cannot|could not).*$", stack.broker_log() + stack.bridge_log())
    assert bad == []
