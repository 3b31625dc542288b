# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that run inside the virtual machine, and the gate: no denial that no test announced."""

import subprocess
import time
from pathlib import Path

import pytest

import vm
from audit import AuditLog

CONFIGURATION = Path("/etc/sandboxd")
UNITS = ("sandboxd", "fcgi-bridge", "nginx")


@pytest.fixture(scope="session")
def audit():
    log = AuditLog()
    yield log
    vm.systemctl("stop", *(f"{unit}.service" for unit in UNITS))
    log.check("after the last test")
    assert log.lost() == 0, "the kernel has lost records of the audit log: denials may have been among them"


@pytest.fixture(autouse=True)
def no_denials(audit):
    audit.check("before this test, since the one before, or since boot")
    yield
    audit.check("in this test")


@pytest.fixture
def expect_avc(audit):
    """with expect_avc(source="httpd_t", tclass="service", perm="start"): what the block does is denied."""
    return audit.expect


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows what the units have logged beside a failure."""
    report = (yield).get_result()
    if report.failed:
        command = ["journalctl", "--no-pager", "--lines=40", f"--since=@{call.start - 1:.0f}"]
        command += [f"--unit={unit}" for unit in UNITS]
        done = subprocess.run(command, capture_output=True, text=True)
        report.sections.append(("journal", done.stdout + done.stderr))


@pytest.fixture
def since():
    return time.time()


@pytest.fixture
def configure():
    """
    configure(NAME, TEXT) writes a file of /etc/sandboxd and has the broker read it. Afterwards all files are as they
    were, and the broker has read them.
    """
    before = {}

    def write(name, text):
        path = CONFIGURATION / name
        before.setdefault(path, path.read_text() if path.exists() else None)
        path.write_text(text)
        vm.run("restorecon", str(path))
        vm.reload()

    yield write
    for path, text in before.items():
        path.unlink() if text is None else path.write_text(text)
    vm.reload()
