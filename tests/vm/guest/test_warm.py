# SPDX-License-Identifier: Apache-2.0
"""Warm services with systemd and SELinux: what a child of an application zygote is, may do, and leaves behind."""

import contextlib
import ctypes
import re
import time
from pathlib import Path

import pytest
from test_selinux import CAROL, DAVE, attempt

import vm

ALICE = "system_u:system_r:user_webapp_t:s0:c1"
LIBRARY = Path("/usr/lib/sandboxd/warm/sandboxd-warm.so")
LIMITED = Path("/etc/sandboxd/services.d/warmlimited.service")
CLOCK_NANOSLEEP = "230"  # on this machine, x86-64
LANDLOCK_CREATE_RULESET, LANDLOCK_VERSION = 444, 1


@pytest.fixture(scope="module", autouse=True)
def no_zygotes_afterwards():
    """Other tests count the processes of an identity."""
    yield
    vm.systemctl("restart", "sandboxd")


def fields(answer):
    assert answer.status == 200, f"{answer.status}: {answer.text}"
    return dict(line.split("=", 1) for line in answer.text.splitlines() if "=" in line)


def report(path, user):
    """What the process says that has served such a request."""
    if path == "/warm":
        return fields(vm.get("/warm?report", user))
    return vm.get(path if path.startswith("/warmphp/") else f"{path}?report", user).json


def warmed(path, user):
    """Asks until a child of an application zygote, which is PID 2, answers. Cold ones are children of the broker."""

    def warm():
        seen = report(path, user)
        return seen if int(seen["ppid"]) == 2 else None

    return vm.wait_for(warm, f"a warm answer of {path}")


def sleeper(uid):
    """The process that sleeps on purpose; spare children wait in recvmsg(2)."""
    for pid in vm.processes_of(uid):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/syscall").read_text().split()[0] == CLOCK_NANOSLEEP:
                return pid
    return None


@contextlib.contextmanager
def sleeping(path, user, uid):
    """A warm request that goes on until the end of the block. Yields the pid of its process."""
    warmed("/warmphp/self.php" if path.endswith(".php") else path.partition("?")[0], user)
    request = vm.Background(path, user)
    try:
        yield vm.wait_for(lambda: sleeper(uid), f"{path} to be served")
    finally:
        request.abort()
    vm.wait_for(lambda: not sleeper(uid), f"the end of {path}")


def number_of(pid):
    """In its own PID namespace."""
    return int(re.search(r"^NSpid:.*\t(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE).group(1))


# What it is


def test_a_child_has_the_context_of_its_identity():
    seen = warmed("/warmwsgi", "alice")
    assert (seen["context"], seen["uid"], seen["gid"]) == (ALICE, [vm.ALICE] * 3, [vm.ALICE] * 3)
    assert seen["served"] == 2, "the warm-up request, once more as a rehearsal, and nobody's"
    with sleeping("/warmwsgi?sleep:300", "alice", vm.ALICE) as pid:
        zygote = vm.parent_of(pid)
        assert vm.context_of(pid) == vm.context_of(zygote) == ALICE
        assert vm.context_of(vm.parent_of(zygote)) == "system_u:system_r:sandboxd_zygote_t:s0", "its init"


def test_a_child_of_a_fastcgi_application_is_confined():
    seen = warmed("/warm", "alice")
    assert (seen["uid"], seen["seccomp"], seen["no_new_privs"], seen["dumpable"]) == (str(vm.ALICE), "2", "1", "0")
    assert seen["capabilities"] == "=" and seen["served"] == "0"
    with sleeping("/warm?sleep:300", "alice", vm.ALICE) as pid:
        assert vm.context_of(pid) == ALICE


def test_php_is_warm_and_confined():
    seen = warmed("/warmphp/self.php", "alice")
    assert (seen["uid"], seen["sapi"]) == (vm.ALICE, "cgi-fcgi")
    with sleeping("/warmphp/hold.php", "alice", vm.ALICE) as pid:
        assert vm.context_of(pid) == ALICE


def test_a_file_that_changes_renews_the_zygote():
    """Whether it may watch them, the policy says."""
    warmed("/warmphp/self.php", "bob")
    since = time.time()
    Path("/srv/www/php/self.php").touch()
    vm.wait_for_log("sandboxd", "a file has changed: /srv/www/php", since)
    vm.wait_for_log("sandboxd", "uid 30002: ready", since)
    assert "not all of its files" not in vm.journal("sandboxd", since)


def test_each_request_has_a_process_of_its_own():
    warmed("/warmwsgi", "bob")
    assert len({report("/warmwsgi", "bob")["pid"] for _ in range(8)}) == 8


# What two identities of one uid can do to each other


def test_two_identities_of_one_uid_have_zygotes_of_their_own(expect_avc):
    assert warmed("/warmwsgi", "carol")["context"] == CAROL
    assert warmed("/warmwsgi", "dave")["context"] == DAVE
    for folder in ("/data", "/tmp"):
        assert vm.get(f"/warmwsgi?create:{folder}/of-carol-warm", "carol").text == "created"
        assert vm.get(f"/warmwsgi?cat:{folder}/of-carol-warm", "carol").text == "mine", "another request of hers"
    with expect_avc(source="user_webapp_t", target="user_webapp_data_t", tclass="file"):
        assert vm.get("/warmwsgi?cat:/data/of-carol-warm", "dave").text == "failed: EACCES"
    assert vm.get("/warmwsgi?cat:/tmp/of-carol-warm", "dave").text == "failed: ENOENT"
    assert warmed("/warmwsgi", "carol")["context"] == CAROL


# What a child can do to its zygote and to others of it


def test_this_kernel_has_no_scopes_for_signals():
    """Where it has, the test below would not be one of the last filter."""
    version = ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_VERSION)
    assert 1 <= version < 6


@pytest.mark.parametrize("victim", ["sibling", "zygote"])
def test_a_child_reaches_neither_a_sibling_nor_its_zygote(victim):
    with sleeping("/warm?sleep:300", "carol", vm.SHARED) as pid:
        target = pid if victim == "sibling" else vm.parent_of(pid)
        assert attempt("signal-to", target, CAROL) == "done", "uid and context do not stand in the way"
        seen = fields(vm.get(f"/warm?attack:{number_of(target)}", "carol"))
        for what in ("signal", "tgkill", "priority", "limit", "ptrace", "readv"):
            assert seen[what] == "EPERM", seen
        assert seen["pidfd"] != "done"
        assert sleeper(vm.SHARED) == pid


def test_a_child_makes_no_namespace():
    warmed("/warm", "alice")
    assert fields(vm.get("/warm?clone3", "alice"))["clone3"] == "ENOSYS"


# Control groups


def limits(group):
    return {name: (group / name).read_text().strip() for name in ("memory.max", "pids.max", "cpu.weight")}


def test_each_child_has_a_group_of_its_own_with_limits():
    with sleeping("/warmlimited?sleep:300", "alice", vm.ALICE) as pid:
        group, zygote = vm.cgroup_of(pid), vm.cgroup_of(vm.parent_of(pid))
        assert group != zygote and group.parent == zygote.parent and "sandboxd.service" in group.parts
        assert limits(group) == {"memory.max": str(48 << 20), "pids.max": "12", "cpu.weight": "44"}
        service = group.parent.parent
        assert "warmlimited" in service.name
        assert limits(service) == {"memory.max": str(400 << 20), "pids.max": "64", "cpu.weight": "33"}


def test_memory_beyond_the_limit_ends_the_child_alone():
    with sleeping("/warmlimited?sleep:300", "alice", vm.ALICE) as pid:
        zygote = vm.parent_of(pid)
        assert vm.get("/warmlimited?memory:16", "alice").text == "had it"
        assert vm.get("/warmlimited?memory:200", "alice").status == 502
        assert sleeper(vm.ALICE) == pid and vm.parent_of(pid) == zygote
        assert report("/warmlimited", "alice")["ppid"] == 2, "the zygote goes on"


def test_tasks_beyond_the_limit_are_refused_and_what_is_left_is_killed():
    warmed("/warmlimited", "bob")
    assert vm.get("/warmlimited?forks", "bob").text == "11"
    vm.wait_for(lambda: not sleeper(vm.BOB), "the end of what it has started")
    assert report("/warmlimited", "bob")["ppid"] == 2


def test_limits_of_a_service_alone(configure):
    """Its application zygotes are in it; no request has a limit of its own."""
    text = "".join(line for line in LIMITED.read_text().splitlines(True) if not line.startswith("Request"))
    configure("services.d/warmlimited.service", text)
    with sleeping("/warmlimited?sleep:300", "alice", vm.ALICE) as pid:
        service = vm.cgroup_of(pid).parent.parent
        assert limits(service) == {"memory.max": str(400 << 20), "pids.max": "64", "cpu.weight": "33"}


def test_a_deadline_ends_the_child_alone():
    warmed("/warmlimited", "alice")
    request = vm.Background("/warmlimited?sleep:300", "alice")
    zygote = vm.parent_of(vm.wait_for(lambda: sleeper(vm.ALICE), "it to be served"))
    assert request.outcome().status == 504
    assert not sleeper(vm.ALICE)
    with sleeping("/warmlimited?sleep:300", "alice", vm.ALICE) as pid:
        assert vm.parent_of(pid) == zygote


def test_what_a_request_leaves_behind_is_killed():
    warmed("/warmwsgi", "alice")
    assert vm.get("/warmwsgi?stay", "alice").text == "done"
    vm.wait_for(lambda: not sleeper(vm.ALICE), "the end of what it has left")
    assert report("/warmwsgi", "alice")["ppid"] == 2


# Ends


def groups():
    """The folders of brokers in the unit's control group."""
    unit = vm.CGROUPS / vm.show("sandboxd", "ControlGroup").lstrip("/")
    return {path.name for path in unit.iterdir() if path.is_dir()}


def test_a_restart_of_the_broker_leaves_nothing():
    warmed("/warmphp/self.php", "alice")
    with sleeping("/warmwsgi?sleep:300", "carol", vm.SHARED) as pid:
        zygote = vm.parent_of(pid)
        vm.systemctl("restart", "sandboxd")
        assert not vm.processes_of(vm.SHARED) and not vm.processes_of(vm.ALICE)
        assert not Path(f"/proc/{zygote}").exists()
    assert groups() == {f"sandboxd.{vm.main_pid('sandboxd')}"}
    assert warmed("/warmwsgi", "carol")["context"] == CAROL


def test_a_killed_broker_leaves_nothing():
    warmed("/warmwsgi", "carol")
    before = vm.main_pid("sandboxd")
    vm.run("kill", "-KILL", str(before))
    vm.wait_for(lambda: vm.main_pid("sandboxd") not in (0, before) and vm.state("sandboxd") == "active", "the next one")
    vm.wait_for(lambda: not vm.processes_of(vm.SHARED), "the end of the zygote and its children")
    vm.wait_for(lambda: groups() == {f"sandboxd.{vm.main_pid('sandboxd')}"}, "the end of their groups")
    assert warmed("/warmwsgi", "carol")["context"] == CAROL


# What the policy forbids


def test_without_the_library_it_is_cold_and_the_log_says_why(expect_avc):
    vm.systemctl("restart", "sandboxd")
    since = time.time()
    try:
        vm.run("chcon", "--type", "sandboxd_conf_t", str(LIBRARY))
        # It cannot be loaded, and then the application asks a socket on which nobody listens.
        library = expect_avc(source="user_webapp_t", target="sandboxd_conf_t", tclass="file")
        with expect_avc(source="user_webapp_t", target="sandboxd_t", perm="accept"), library:
            for _ in range(3):
                assert fields(vm.get("/warm?report", "alice"))["cold"] == "1"
            vm.wait_for_log("sandboxd", "requests run cold", since)
        assert "cannot be preloaded" in vm.journal("sandboxd", since)
        assert fields(vm.get("/warm?report", "alice"))["cold"] == "1"
    finally:
        vm.run("restorecon", str(LIBRARY))
        vm.systemctl("restart", "sandboxd")
    warmed("/warm", "alice")
