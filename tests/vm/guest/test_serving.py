# SPDX-License-Identifier: Apache-2.0
"""Requests through nginx, as sockets of systemd bring the programs up one after the other."""

import socket

import pytest

import vm


def test_first_connection_starts_the_bridge_and_first_launch_the_broker():
    vm.systemctl("stop", "fcgi-bridge.service", "sandboxd.service")
    vm.systemctl("start", "sandboxd.socket", "fcgi-bridge.socket")
    assert (vm.state("fcgi-bridge"), vm.state("sandboxd")) == ("inactive", "inactive")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("/run/fcgi-bridge/app.sock")
        vm.wait_for(lambda: vm.state("fcgi-bridge") == "active", "the bridge to be active")
    assert vm.state("sandboxd") == "inactive"
    assert vm.get("/app?report", "alice").json["uid"] == [vm.ALICE] * 3
    assert vm.state("sandboxd") == "active"


@pytest.mark.parametrize(
    ("user", "source", "uid"),
    [
        ("alice", "127.0.0.1", vm.ALICE),
        ("bob", "127.0.0.1", vm.BOB),
        (None, "127.0.0.1", vm.ANONYMOUS),
        (None, "127.0.0.2", vm.BY_ADDRESS),
    ],
)
def test_the_map_decides_who_runs_it(user, source, uid):
    report = vm.get("/app?report", user, source).json
    assert report["uid"] == [uid] * 3 and report["gid"] == [uid] * 3
    assert report["cap_effective"] == report["cap_bounding"] == 0
    assert report["seccomp"] == 2 and report["no_new_privs"] == 1


def test_who_is_denied_by_the_map_gets_403():
    assert vm.get("/app?report", "mallory").status == 403


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/cgi/hello.py", f"Hello, alice.\nThis script runs as uid {vm.ALICE},"),
        ("/php/who.php", f"Hello, alice, from PHP as uid {vm.ALICE}."),
        ("/wsgi/a", f"Hello, alice, from WSGI as uid {vm.ALICE}. The path is /a"),
    ],
)
def test_real_applications(path, text):
    answer = vm.get(path, "alice")
    assert answer.status == 200 and text in answer.text, (answer.status, answer.text)
