# SPDX-License-Identifier: Apache-2.0
"""Application zygotes that were taken over: what they say to the broker, and what they leave out."""

import contextlib
import os
import random
import re
import subprocess
import threading
import time
from pathlib import Path

import fcgi
import pytest
import stack as lib
import test_warm
from stack import processes_of, wait_for
from test_warm import WARM, ask, fields, warmed, zygotes

ROGUE = {**WARM, "WarmSpare": "2", "MaxConnections": "4", "RuntimeMaxSec": "2"}
BEHAVIOURS = ["huge", "negative", "stale", "mute", "deaf", "troubled", "dirty", "chatty", "beyond"]
SERVICES = {"warm": WARM, "patient": {**WARM, "RuntimeMaxSec": "30", "WarmSpare": "1", "MaxConnections": "8"}}
SERVICES |= {how: {**ROGUE, "ExecStart": f"/apps/rogue {how}"} for how in BEHAVIOURS}


def prepare(base):
    test_warm.prepare(base)
    target = base / "apps" / "rogue"
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-static", "-Wall", "-Wextra", f"-I{lib.REPOSITORY}"]
    subprocess.run(["cc", *flags, "-o", target, lib.APPS / "warm_rogue.c"], check=True)
    target.chmod(0o755)


@pytest.fixture(scope="module")
def stack():
    one = lib.Stack(SERVICES, prepare=prepare, broker_options=["--debug"])
    yield one
    assert one.broker.poll() is None, "the broker lives"
    one.stop()


def said(stack, service, text):
    return [line for line in zygotes(stack, service) if text in line]


def rogue_ready(stack, service):
    """Two requests, which are served cold, and a zygote is there."""
    for _ in range(2):
        assert fields(ask(stack, service, script="/apps/warm"))["cold"] == "1"
    return wait_for(lambda: said(stack, service, ": ready"), "the rogue to be ready")


def ask_rogue(stack, service):
    """Its answer: a door may have to learn from one more cold answer that connections are wanted."""
    response = ask(stack, service)
    return ask(stack, service) if response.status == 200 else response


def groups(stack):
    """The leaves of application zygotes that there are."""
    top = Path(lib.cgroup2_mount())
    return list(top.glob(f"**/sandboxd.{stack.broker.pid}/*/warm.*/request.*"))


def test_a_request_of_which_no_end_is_told_ends_with_its_zygote(stack):
    rogue_ready(stack, "mute")
    assert ask_rogue(stack, "mute").status == 504
    ended = wait_for(lambda: said(stack, "mute", "ended"), "the zygote to be ended")
    assert "does not say so" in ended[0], ended
    wait_for(lambda: re.search("service=mute .*outcome=timeout", stack.broker_log()), "the request's end in the log")
    assert fields(ask(stack, "mute"))["cold"] == "1"


def test_a_zygote_whose_children_take_nothing_is_renewed(stack):
    rogue_ready(stack, "deaf")
    assert ask_rogue(stack, "deaf").status == 504
    wait_for(lambda: said(stack, "deaf", "renewed"), "the renewal")
    wait_for(lambda: len(said(stack, "deaf", ": ready")) > 1, "another one")


@pytest.mark.parametrize("how", ["huge", "negative"])
def test_a_zygote_that_claims_all_memory_sends_nobody_away(stack, how):
    user, uid = lib.fresh_user()
    warmed(stack, "warm", user=user)
    for _ in range(2):
        assert fields(ask(stack, how))["cold"] == "1"
    wait_for(lambda: said(stack, how, "WarmMemoryMax="), "its refusal")
    assert not [line for line in said(stack, "warm", "WarmMemoryMax=") if f"uid {uid}:" in line]
    assert "cold" not in fields(ask(stack, "warm", user=user))


def test_zygotes_that_nobody_asked_are_not_renewed_over_and_over(stack):
    for _ in range(2):
        assert fields(ask(stack, "stale"))["cold"] == "1"
    wait_for(lambda: said(stack, "stale", ": ready"), "the first")
    time.sleep(1)
    assert len(said(stack, "stale", ": ready")) <= 2


def test_a_zygote_in_trouble_is_heard_once(stack):
    for _ in range(2):
        assert fields(ask(stack, "troubled"))["cold"] == "1"
    wait_for(lambda: said(stack, "troubled", "ended"), "its end")
    assert len(said(stack, "troubled", "in trouble")) == 1


@pytest.mark.parametrize("how", ["dirty", "chatty"])
def test_a_flood_of_events_stops_nobody_else(stack, how):
    warmed(stack, "warm")
    for _ in range(2):
        ask(stack, how)
    before = len(groups(stack))
    answers = [ask(stack, "warm") for _ in range(50)]
    assert {answer.status for answer in answers} == {200}
    assert len(groups(stack)) <= before + 16


def test_a_slot_that_nobody_gave_ends_the_zygote(stack):
    rogue_ready(stack, "beyond")
    assert ask_rogue(stack, "beyond").status in (502, 504)
    wait_for(lambda: said(stack, "beyond", "ended"), "its end")


def left_behind(uid):
    """What stays has closed all descriptors, and no child that waits or serves has."""
    found = []
    for pid in processes_of(uid):
        with contextlib.suppress(OSError):
            found += [] if os.listdir(f"/proc/{pid}/fd") else [pid]
    return found


def leaves_of(uid):
    """The numbers of the groups in which its children are."""
    found = []
    for pid in processes_of(uid):
        with contextlib.suppress(OSError):
            found += re.findall(r"/request[.](\d+)$", Path(f"/proc/{pid}/cgroup").read_text(), re.MULTILINE)
    return [int(number) for number in found]


def test_what_requests_leave_behind_does_not_pile_up_in_control_groups(stack):
    user, uid = lib.fresh_user()
    warmed(stack, "warm", user=user)
    before = groups(stack)
    for _ in range(40):
        assert ask(stack, "warm", "stay", user=user).status == 200
    wait_for(lambda: not left_behind(uid), "what they left to be killed")
    assert len(said(stack, "warm", f"uid {uid}: ready")) == 1, "one zygote for all of them"
    # Slots of children that linger after their answer come on top of the spare ones: WARM_LINGERING_MAX.
    assert len(groups(stack)) <= len(before) + 16
    assert max(leaves_of(uid)) >= 40, "each request's group was replaced"


def test_children_that_linger_after_their_answer_take_no_one_s_turn(stack):
    user, _ = lib.fresh_user()
    warmed(stack, "patient", user=user)
    begin = time.monotonic()
    for _ in range(4):
        assert ask(stack, "patient", "linger:20", user=user).status == 200
    assert ask(stack, "patient", user=user).status == 200
    assert time.monotonic() - begin < 15, "it waited for one that lingers"


def test_clients_that_abort_at_the_end_of_their_requests_take_nobody_along(stack):
    """The kill comes when the child has just ended, and its slot is being forked into."""
    user, uid = lib.fresh_user()
    warmed(stack, "warm", user=user)
    end = time.monotonic() + 6

    def abort(seed):
        chance = random.Random(seed)
        while time.monotonic() < end:
            client = stack.begin("warm", "report", user=user, script="/apps/warm")
            time.sleep(chance.uniform(0, 0.006))
            with contextlib.suppress(OSError):
                client.send(fcgi.encode_record(fcgi.ABORT_REQUEST, 1))
            client.close()

    threads = [threading.Thread(target=abort, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    answers = []
    while time.monotonic() < end:
        answers.append(ask(stack, "warm", user=user))
    for thread in threads:
        thread.join()
    assert len(re.findall("outcome=aborted", stack.broker_log())) > 20, "requests were called off"
    assert {answer.status for answer in answers} <= {200, 503}
    assert not [line for line in said(stack, "warm", f"uid {uid}:") if "trouble" in line or "ended" in line]
