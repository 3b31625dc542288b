# SPDX-License-Identifier: Apache-2.0
"""Control groups: what a service file says holds for the very process that ran, and does something."""

from pathlib import Path

import vm

LIMITED = Path("/etc/sandboxd/services.d/limited.service")


def limits(group):
    return {name: (group / name).read_text().strip() for name in ("memory.max", "pids.max", "cpu.weight")}


def test_each_request_has_a_group_of_its_own_beneath_its_service():
    with vm.running("/limited?hold", "alice", vm.ALICE) as first, vm.running("/limited?hold", "bob", vm.BOB) as second:
        one, other = vm.cgroup_of(first), vm.cgroup_of(second)
        assert one != other and one.parent == other.parent
        assert "limited" in one.parent.name and "sandboxd.service" in one.parts
        assert limits(one.parent) == {"memory.max": str(64 << 20), "pids.max": "24", "cpu.weight": "33"}


def test_each_request_can_have_limits_of_its_own(configure):
    configure(
        "services.d/limited.service",
        LIMITED.read_text() + "RequestMemoryMax=32M\nRequestTasksMax=12\nRequestCPUWeight=44\n",
    )
    with vm.running("/limited?hold", "alice", vm.ALICE) as pid:
        group = vm.cgroup_of(pid)
        assert limits(group) == {"memory.max": str(32 << 20), "pids.max": "12", "cpu.weight": "44"}
        assert limits(group.parent) == {"memory.max": str(64 << 20), "pids.max": "24", "cpu.weight": "33"}
        assert vm.get("/limited?memory:16", "bob").text == "had it\n"
        assert vm.get("/limited?memory:48", "bob").status == 502
        assert pid in vm.processes_of(vm.ALICE)


def test_memory_beyond_the_limit_ends_the_request_alone():
    assert vm.get("/limited?memory:16", "alice").text == "had it\n"
    with vm.running("/app?hold", "bob", vm.BOB) as neighbour:
        assert vm.get("/limited?memory:200", "alice").status == 502
        assert neighbour in vm.processes_of(vm.BOB)
    assert vm.get("/app?memory:200", "alice").text == "had it\n", "where there is no limit"


def test_tasks_beyond_the_limit_are_refused():
    with vm.running("/limited?forks", "alice", vm.ALICE) as pid:
        group = vm.cgroup_of(pid).parent
        vm.wait_for(lambda: "max 0" not in (group / "pids.events").read_text(), "the limit to be met")
        assert int((group / "pids.current").read_text()) <= 24
        assert len(vm.processes_of(vm.ALICE)) <= 24
