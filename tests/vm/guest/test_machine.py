# SPDX-License-Identifier: Apache-2.0
"""What the other tests take for granted: SELinux enforces, systemd is PID 1, and the gate lets no denial through."""

import subprocess
from pathlib import Path

import pytest

import audit as audit_module
import vm

# What denied() does.
DENIED = {"source": "unconfined_t", "target": "ping_t", "tclass": "process", "perm": "transition"}


def test_selinux_enforces_and_systemd_is_pid_1():
    assert Path("/sys/fs/selinux/enforce").read_text() == "1"
    assert Path("/proc/1/comm").read_text() == "systemd\n"
    assert ":init_t:" in vm.context_of(1)
    assert {"cpu", "memory", "pids"} <= set((vm.CGROUPS / "cgroup.controllers").read_text().split())


def test_no_denial_of_ours_is_let_through():
    assert not [entry for entry in audit_module.KNOWN if audit_module.OURS.search(" ".join(entry))]


def denied():
    """Even the domain that tests run in may not execute any program in any domain."""
    command = ["runcon", "system_u:system_r:ping_t:s0", "/usr/bin/true"]
    assert subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode == 126


def test_the_gate_finds_a_denial_that_is_announced(expect_avc):
    with expect_avc(**DENIED):
        denied()


def test_the_gate_refuses_a_denial_that_is_not_announced(audit):
    denied()
    with pytest.raises(AssertionError, match="denied, and not announced"):
        audit.check("here")


def test_the_gate_refuses_a_denial_beside_the_announced_one(audit):
    with audit.expect(**DENIED):
        denied()
        audit.send(audit.USER_AVC, "avc:  denied  { start } for scontext=u:r:a_t:s0 tcontext=u:r:b_t:s0 tclass=service")
    with pytest.raises(AssertionError, match="type=USER_AVC .*tclass=service"):
        audit.check("here")


def test_the_gate_refuses_an_announcement_without_a_denial(expect_avc):
    with pytest.raises(AssertionError, match="announced, and did not come"):
        with expect_avc(bound=1, **DENIED):
            pass
