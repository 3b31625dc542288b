# SPDX-License-Identifier: Apache-2.0
"""Before timing: is each contender what it is said to be? The kernel is asked about the very process that answered.

The applications wait a moment when they are asked with the query "hold". Meanwhile /proc tells of every process of the
contender, and the answer tells which of them it was.
"""

import concurrent.futures
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import stack as harness

TIMES = 50
TRIES = 10
UID = 30001


@dataclass
class Seen:
    """A process, as the kernel describes it from outside: ids are the machine's, `inner` its own idea of its pid."""

    pid: int
    inner: int
    parent: int
    uids: set
    seccomp: int
    no_new_privs: int
    capabilities: int
    root: tuple
    start: int


def root_of(pid):
    root = os.stat(f"/proc/{pid}/root/.")
    return root.st_dev, root.st_ino


def look_at(pid):
    """None where there is no such process, or it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
        start = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        root = root_of(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    if status["State"].startswith(("Z", "X")):
        return None
    return Seen(
        pid, int(status["NSpid"].split()[-1]), int(status["PPid"]), set(map(int, status["Uid"].split())),
        int(status["Seccomp"]), int(status["NoNewPrivs"]), int(status["CapEff"], 16), root, start,
    )


def look_while_asking(contender, port, pool):
    """The process that answered one request; None where it was gone before anybody looked."""
    seen = {}
    answer = pool.submit(contender.ask_held, port)
    while not answer.done():
        for pid in contender.group.pids():
            found = look_at(pid)
            if found:
                seen[pid] = found
        time.sleep(0.002)
    inner = int(re.fullmatch(rb"hello from (\d+)\n", answer.result()).group(1))
    candidates = [found for found in seen.values() if found.inner == inner and contender.uid in found.uids]
    return max(candidates, key=lambda found: found.start, default=None)


def who_answers(contender, port, pool):
    for _ in range(TRIES):
        found = look_while_asking(contender, port, pool)
        if found:
            return found
    raise AssertionError(f"{contender.label}: nobody sees the processes that answer")


def observe(contender, port, times=TIMES):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return [who_answers(contender, port, pool) for _ in range(times)]


def confined(seen, uid=UID):
    """Ours: no privilege, no way to get any, a filter, a root of its own, and the identity that was asked for."""
    for one in seen:
        assert one.seccomp == 2 and one.no_new_privs == 1 and one.capabilities == 0, one
        assert one.uids == {uid} and one.root != root_of("self"), one


def unconfined(seen):
    for one in seen:
        assert one.seccomp == 0 and one.uids == {UID} and one.root == root_of("self"), one


def fresh(seen):
    """Every request another process."""
    pids = [one.pid for one in seen]
    assert len(set(pids)) == len(pids), f"a process served twice: {sorted(pids)}"


def forked_ahead(one):
    """Whether it is a child of its application's zygote. Otherwise it is the broker's, or its own init's."""
    return harness.command_of(one.parent).split(" ")[0].rpartition("/")[2] not in ("sandboxd", "sandboxd-zygote")


def cold(contender, port):
    """Ours: confined, and each request a process of its own that nothing was there of before."""
    seen = observe(contender, port)
    confined(seen, contender.uid)
    fresh(seen)
    assert not [one for one in seen if forked_ahead(one)], "processes that a zygote of an application had forked"


def warm(contender, port):
    """Ours: confined, each request a process of its own, and all of them children of one: the zygote."""

    def zygote_answers():
        return all(forked_ahead(one) for one in observe(contender, port, 2))

    harness.wait_for(zygote_answers, f"{contender.label}: requests to be served warm")
    seen = observe(contender, port)
    confined(seen)
    fresh(seen)
    parents = {one.parent for one in seen}
    assert len(parents) == 1, f"{contender.label}: not all are children of one zygote: {parents}"


def one_shot(contender, port):
    """A peer without confinement that makes a process for each request: fcgiwrap, php-fpm with max_requests=1."""
    seen = observe(contender, port)
    unconfined(seen)
    fresh(seen)


def bubblewrap(contender, port):
    seen = observe(contender, port)
    fresh(seen)
    for one in seen:
        assert one.no_new_privs == 1 and one.capabilities == 0 and one.root != root_of("self"), one
        assert one.inner != one.pid, f"no PID namespace: {one}"


def persistent(contender, port):
    """A peer whose processes serve many requests."""
    seen = observe(contender, port)
    unconfined(seen)
    pids = {one.pid for one in seen}
    assert len(pids) <= contender.workers, f"{len(pids)} processes, and {contender.workers} workers"
