# SPDX-License-Identifier: Apache-2.0
"""Each hostile probe succeeds outside the sandbox and fails inside; NN-name.c says what it tries."""

import errno
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import harness
import pytest
import stack as lib
from harness import PROBES, RESULTS, Inside, Outside, attack

WIDE_COLUMN = "inside, every system call asked for"


@pytest.fixture(scope="module")
def world(machine):
    folder = Path(tempfile.mkdtemp(prefix="sandboxd-test-probes."))
    try:
        one = harness.World(folder)
        yield one
        one.close()
    finally:
        shutil.rmtree(folder)


def skip_where_the_control_cannot_work(world, probe):
    if probe.needs == "x32":
        configuration = Path("/proc/config.gz"), Path(f"/boot/config-{os.uname().release}")
        found = [path for path in configuration if path.exists()]
        text = subprocess.run(["zgrep", "-h", "X86_X32_ABI=y", *map(str, found)], capture_output=True).stdout
        if not text:
            pytest.skip("missing: x32 system calls in this kernel (CONFIG_X86_X32_ABI)")
    if probe.name.startswith("23-") and os.statvfs(world.base).f_flag & os.ST_NOSUID:
        pytest.skip(f"missing: setuid on the file system of {world.base}")
    if probe.name.startswith("57-") and harness.file_handle(world.secret) is None:
        pytest.skip(f"missing: file handles on the file system of {world.base}")
    if probe.name.startswith("05-") and os.major(os.stat("/").st_dev) == 0:
        pytest.skip("missing: a block device beneath /")


def contained(probe, line):
    assert line.startswith("contained: "), f"{probe}: {line}"
    reason = line.split(": ", 1)[1]
    assert reason in errno.errorcode.values() or reason in signal.Signals.__members__, line
    assert reason in probe.expect, f"{probe}: {line}, expected {' or '.join(probe.expect)}"


def nothing_runs(*uids):
    for uid in uids:
        lib.wait_for(lambda uid=uid: not lib.processes_of(uid), f"the processes of {uid} to end")


def record(probe, column, line):
    RESULTS.setdefault(probe.name, {})[column] = line


@pytest.mark.parametrize("probe", PROBES, ids=repr)
def test_a_probe_escapes_outside_and_is_contained_inside(world, probe):
    skip_where_the_control_cannot_work(world, probe)
    (_, uid), (_, other) = lib.fresh_user(), lib.fresh_user()
    outside = Outside(world, probe, uid)
    try:
        line = attack(outside, probe, uid, other)
    finally:
        outside.clean_up(uid)
    record(probe, "outside", line)
    assert line.startswith("escaped: "), f"the positive control of {probe} fails: {line}"
    nothing_runs(uid, other)

    (_, uid), (_, other) = lib.fresh_user(), lib.fresh_user()
    line = attack(Inside(world, probe, probe.service, uid), probe, uid, other)
    record(probe, "inside", line)
    contained(probe, line)
    nothing_runs(uid, other)


@pytest.mark.parametrize("probe", [probe for probe in PROBES if probe.wide], ids=repr)
def test_a_probe_is_contained_without_the_help_of_the_system_call_filter(world, probe):
    """The service asks for every group of system calls: identity, namespaces and limits must do."""
    skip_where_the_control_cannot_work(world, probe)
    (_, uid), (_, other) = lib.fresh_user(), lib.fresh_user()
    line = attack(Inside(world, probe, f"wide-{probe.service}", uid), probe, uid, other)
    record(probe, WIDE_COLUMN, line)
    contained(probe, line)
    nothing_runs(uid, other)


def test_there_are_at_least_twenty_probes_and_their_numbers_are_their_own():
    numbers = [probe.name[:2] for probe in PROBES]
    assert len(numbers) >= 20 and len(set(numbers)) == len(numbers)
