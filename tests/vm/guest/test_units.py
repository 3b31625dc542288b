# SPDX-License-Identifier: Apache-2.0
"""What systemd is asked to do with the units: reload, stop, watchdog, and how much they could do when taken over."""

import os
import re
import shutil
import signal
from pathlib import Path

import pytest

import vm

LIMITED = Path("/etc/sandboxd/services.d/limited.service")
RULE = "app alice any any 30050:30050 system_u:system_r:user_webapp_t:s0:c50\n"


def uid_of_alice():
    return vm.get("/app?report", "alice").json["uid"][0]


def test_reload_reads_maps_and_services_anew(configure):
    assert uid_of_alice() == vm.ALICE
    pid = vm.main_pid("sandboxd")
    configure("maps/10-test.map", RULE)
    configure("services.d/limited.service", LIMITED.read_text() + "LimitNOFILE=77\n")
    vm.wait_for(lambda: uid_of_alice() == 30050, "the new map to be in force")
    vm.wait_for(lambda: vm.get("/limited?report", "alice").json["nofile"] == [77, 77], "the new service file")
    assert vm.main_pid("sandboxd") == pid


def test_a_wrong_file_leaves_the_old_configuration_in_force(configure, since):
    assert uid_of_alice() == vm.ALICE
    pid = vm.main_pid("sandboxd")
    configure("maps/10-test.map", RULE + "app nobody-knows\n")
    vm.wait_for_log("sandboxd", "10-test.map:2:", since)
    assert uid_of_alice() == vm.ALICE and vm.main_pid("sandboxd") == pid


@pytest.fixture
def blog(configure):
    """A service with the front door that it has by default."""
    configure(
        "services.d/blog.service",
        "[Service]\nFrontEndUser=www-data\nExecStart=/app\n"
        "BindReadOnlyPaths=/usr/local/bin/sandboxd-test-app:/app\n",
    )
    yield
    vm.systemctl("disable", "--now", "fcgi-bridge@blog.socket")
    vm.systemctl("stop", "fcgi-bridge@blog.service")


def test_a_front_door_for_a_service_is_one_command(blog):
    assert vm.get("/blog?report", "alice").status == 502
    vm.systemctl("enable", "--now", "fcgi-bridge@blog.socket")
    assert vm.get("/blog?report", "alice").json["uid"] == [vm.ALICE] * 3
    assert vm.main_pid("fcgi-bridge@blog") not in (0, vm.main_pid("fcgi-bridge"))


def test_bridges_with_the_same_door_exclude_each_other():
    assert uid_of_alice() == vm.ALICE
    vm.systemctl("start", "fcgi-bridge@default.socket")
    try:
        assert vm.state("fcgi-bridge.socket") == "inactive"
    finally:
        vm.systemctl("start", "fcgi-bridge.socket")
    assert vm.state("fcgi-bridge@default.socket") == "inactive"
    assert uid_of_alice() == vm.ALICE


@pytest.fixture
def impatient():
    """impatient(UNIT): the unit exits after two idle seconds."""
    made = []

    def shorten(unit):
        command = vm.run("systemctl", "cat", f"{unit}.service")
        command = re.search(r"^ExecStart=(.*--idle-exit=)\S+$", command, re.MULTILINE).group(1)
        folder = Path(f"/run/systemd/system/{unit}.service.d")
        folder.mkdir(parents=True)
        made.append((unit, folder))
        (folder / "impatient.conf").write_text(f"[Service]\nExecStart=\nExecStart={command}2\n")
        vm.systemctl("daemon-reload")
        vm.systemctl("restart", unit)

    yield shorten
    for unit, folder in made:
        shutil.rmtree(folder)
        vm.systemctl("daemon-reload")
        vm.systemctl("restart", unit)


@pytest.mark.parametrize("unit", ["sandboxd", "fcgi-bridge"])
def test_idle_exit_and_activation_again(unit, impatient):
    impatient(unit)
    assert uid_of_alice() == vm.ALICE
    vm.wait_for(lambda: vm.state(unit) == "inactive", f"{unit} to exit")
    assert vm.show(unit, "Result") == "success"
    assert uid_of_alice() == vm.ALICE and vm.state(unit) == "active"


def test_a_hung_broker_is_killed_and_started_anew(since):
    assert uid_of_alice() == vm.ALICE
    pid, restarts = vm.main_pid("sandboxd"), int(vm.show("sandboxd", "NRestarts"))
    os.kill(pid, signal.SIGSTOP)
    vm.wait_for(lambda: vm.main_pid("sandboxd") not in (0, pid), "another broker")
    assert int(vm.show("sandboxd", "NRestarts")) == restarts + 1
    vm.wait_for_log("sandboxd", "Watchdog timeout", since)
    assert uid_of_alice() == vm.ALICE


def test_a_hung_bridge_is_killed_and_started_anew(since):
    assert uid_of_alice() == vm.ALICE
    pid = vm.main_pid("fcgi-bridge")
    os.kill(pid, signal.SIGSTOP)
    vm.wait_for(lambda: vm.main_pid("fcgi-bridge") not in (0, pid), "another bridge")
    vm.wait_for_log("fcgi-bridge", "Watchdog timeout", since)
    assert uid_of_alice() == vm.ALICE


def test_nothing_of_a_request_is_left_after_stop():
    with vm.running("/app?family", "alice", vm.ALICE) as pid:
        vm.wait_for(lambda: len(vm.processes_of(vm.ALICE)) >= 3, "the application and its two daemons")
        group = vm.cgroup_of(pid)
        assert "sandboxd.service" in group.parts
        vm.systemctl("stop", "sandboxd.service")
        assert vm.processes_of(vm.ALICE) == []
        assert not group.exists() and vm.state("sandboxd") == "inactive"
    assert uid_of_alice() == vm.ALICE, "the next launch starts it again"


def exposure(unit):
    report = vm.run("systemd-analyze", "security", "--no-pager", unit)
    return float(re.search(rf"Overall exposure level for {unit}.service: ([\d.]+)", report).group(1))


@pytest.mark.parametrize(("unit", "most"), [("fcgi-bridge", 1.0), ("sandboxd", 7.3)])
def test_exposure_as_systemd_sees_it(unit, most, capsys):
    measured = exposure(unit)
    with capsys.disabled():
        print(f"\nsystemd-analyze security {unit}: {measured}")
    assert measured <= most
