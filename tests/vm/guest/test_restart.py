# SPDX-License-Identifier: Apache-2.0
"""Restarts under load: what clients of nginx see of them."""

import contextlib
import os
from pathlib import Path

import pytest

import vm


def restart(load, unit, times):
    """Restarts the unit, each time until more requests have been answered by another process than before."""
    for _ in range(times):
        pid = vm.main_pid(unit)
        vm.systemctl("restart", unit)
        assert vm.main_pid(unit) != pid
        load.wait_for_more(8)


def test_restarting_the_broker_loses_no_request():
    with vm.Load("/app?slow:200") as load:
        restart(load, "sandboxd", 2)
    load.assert_only(200)


def test_a_request_that_outlasts_the_drain_gets_503():
    request = vm.Background("/app?slow:100000", "alice")
    vm.wait_for(lambda: vm.processes_of(vm.ALICE), "the request to run")
    vm.systemctl("restart", "sandboxd")
    assert vm.processes_of(vm.ALICE) == []
    assert request.outcome().status == 503


# Not every web server repeats a POST request that got no answer: nginx does not.
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/app", "/kept"])
def test_restarting_the_bridge_loses_no_request(path, method):
    with vm.Load(f"{path}?slow:200", method=method, body=b"x" if method == "POST" else None) as load:
        restart(load, "fcgi-bridge", 3)
    load.assert_only(200)


def sockets_of_nginx():
    """The sockets that nginx's worker holds, as inodes: a connection keeps its own as long as it lives."""
    links = set()
    for worker in vm.children_of(vm.main_pid("nginx")):
        for path in Path(f"/proc/{worker}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                links.add(os.readlink(path))
    return {link for link in links if link.startswith("socket:")}


def test_idle_connections_outlive_the_restart_of_the_bridge():
    vm.systemctl("restart", "nginx")
    assert vm.get("/").status == 403, "the worker is there"
    before = sockets_of_nginx()

    def kept():
        more = sockets_of_nginx() - before
        return more if len(more) == 1 else None

    assert vm.get("/kept?unread", "alice").status == 200
    connection = vm.wait_for(kept, "nginx to have one connection more than it had")
    vm.systemctl("restart", "fcgi-bridge")
    assert vm.get("/kept?unread", "alice", method="POST", body=b"x").status == 200
    assert vm.wait_for(kept, "nginx to have one connection more than it had") == connection


def test_a_request_that_runs_outlives_the_restart_of_the_bridge():
    request = vm.Background("/app?slow:5000", "alice")
    vm.wait_for(lambda: vm.processes_of(vm.ALICE), "the request to run")
    vm.systemctl("restart", "fcgi-bridge")
    assert request.outcome().text == "slept\n"
