# SPDX-License-Identifier: Apache-2.0
"""What contexts cost, as ratios: prints them, and asserts only that what was measured ran as it should."""

import contextlib
import re
import statistics
import time
from pathlib import Path

import vm

MAIN = Path("/etc/sandboxd/sandboxd.conf")
ROUNDS, REQUESTS = 6, 60


def say(capsys, text):
    with capsys.disabled():
        print(f"\ncost: {text}")


def test_a_question_to_the_policy(capsys):
    """The front end's question, answered by the cache and by the kernel."""
    front_end, label = "system_u:system_r:httpd_t:s0", "system_u:object_r:sandboxd_service_t:s0"
    figures = vm.run("build-vm/avc", front_end, label)
    assert re.fullmatch(r"hit \d+ ns, miss \d+ ns, ratio [\d.]+\n", figures)
    say(capsys, f"a question to the policy: {figures.strip()}")


def seconds_for(connection, context):
    report = vm.ask(connection, "/app?report", "alice").json
    assert report["context"] == context
    start = time.monotonic()
    for _ in range(REQUESTS):
        assert vm.ask(connection, "/app?slow:0", "alice").status == 200
    return time.monotonic() - start


def test_executing_in_a_context(capsys, audit):
    """
    Whole requests, one after the other, with contexts and without, in turn. SELinux is permissive meanwhile, in both:
    without a context the policy would refuse the execution.
    """
    before = MAIN.read_text()
    seconds = {"off": [], "auto": []}
    contexts = {"off": "system_u:system_r:sandboxd_zygote_t:s0", "auto": "system_u:system_r:user_webapp_t:s0:c1"}
    try:
        vm.run("setenforce", "0")
        for number in range(ROUNDS):
            for mode in ("off", "auto") if number % 2 else ("auto", "off"):
                MAIN.write_text(before.replace("SELinux=require", f"SELinux={mode}"))
                vm.reload()
                with contextlib.closing(vm.connect()) as connection:
                    seconds[mode].append(seconds_for(connection, contexts[mode]))
    finally:
        MAIN.write_text(before)
        vm.reload()
        vm.run("setenforce", "1")
    denied = audit.fresh()
    assert denied and all("permissive=1" in denial.record for denial in denied)
    ratios = [auto / off for auto, off in zip(seconds["auto"], seconds["off"])]
    say(capsys, f"a request in a context, against one without: {statistics.median(ratios):.2f} times as long "
        f"({min(ratios):.2f} to {max(ratios):.2f})")
