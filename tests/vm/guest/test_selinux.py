# SPDX-License-Identifier: Apache-2.0
"""Contexts in force, and the broker as an object manager."""

import contextlib
import json
import subprocess
import textwrap
from pathlib import Path

import pytest

import vm

MAP = Path("/etc/sandboxd/maps/10-test.map")
MAIN = Path("/etc/sandboxd/sandboxd.conf")
SERVICE = Path("/etc/sandboxd/services.d/app.service")
ENTRY, PROGRAM = "/usr/lib/sandboxd/sandboxd-entry", "/usr/local/bin/sandboxd-test-app"
CAROL, DAVE = "system_u:system_r:user_webapp_t:s0:c10,c11", "system_u:system_r:user_webapp_t:s0:c12,c13"


@pytest.fixture
def reload():
    """reload(text): puts rules before those of the tests; at the end they are gone again."""

    def put(text):
        MAP.write_text(text)
        vm.reload()

    yield put
    MAP.unlink(missing_ok=True)
    vm.reload()


# The context of what runs


def keeper_of(pid):
    """The first process of the PID namespace."""
    for other in vm.children_of(vm.main_pid("sandboxd")):
        with contextlib.suppress(OSError):
            if vm.namespace_of(other) == vm.namespace_of(pid) and other != pid:
                return other
    return None


@pytest.mark.parametrize(
    ("user", "source", "uid", "context"),
    [
        ("alice", "127.0.0.1", vm.ALICE, "system_u:system_r:user_webapp_t:s0:c1"),
        ("bob", "127.0.0.1", vm.BOB, "system_u:system_r:user_webapp_t:s0:c2"),
        (None, "127.0.0.1", vm.ANONYMOUS, "system_u:system_r:anon_webapp_t:s0:c3"),
        (None, "127.0.0.2", vm.BY_ADDRESS, "system_u:system_r:staff_webapp_t:s0:c4"),
        ("carol", "127.0.0.1", vm.SHARED, CAROL),
        ("dave", "127.0.0.1", vm.SHARED, DAVE),
    ],
)
def test_the_map_decides_the_context(user, source, uid, context):
    with vm.running("/app?hold", user, uid, source) as pid:
        assert vm.context_of(pid) == context
        assert vm.context_of(vm.parent_of(pid)) == "system_u:system_r:sandboxd_t:s0", "the broker"
        assert vm.context_of(keeper_of(pid)) == "system_u:system_r:sandboxd_zygote_t:s0"


@pytest.mark.parametrize("path", ["/cgi/hold.py", "/php/hold.php"])
def test_scripts_run_in_the_context(path):
    with vm.running(path, "alice", vm.ALICE) as pid:
        assert vm.context_of(pid) == "system_u:system_r:user_webapp_t:s0:c1"


def test_each_program_runs_in_its_domain():
    assert vm.get("/app?report", "alice").status == 200
    assert vm.context_of(vm.main_pid("sandboxd")) == "system_u:system_r:sandboxd_t:s0"
    assert vm.context_of(vm.main_pid("fcgi-bridge")) == "system_u:system_r:fcgi_bridge_t:s0"
    contexts = {vm.context_of(pid) for pid in vm.children_of(vm.main_pid("sandboxd"))}
    assert contexts == {"system_u:system_r:sandboxd_zygote_t:s0"}


# Two identities of one uid


def test_categories_keep_files_of_one_uid_apart(expect_avc):
    name = "/data/of-carol"
    assert vm.get(f"/data?create:{name}", "carol").text == "created\n"
    assert vm.get(f"/data?cat:{name}", "carol").text == ""
    with expect_avc(source="user_webapp_t", target="user_webapp_data_t", tclass="file"):
        assert vm.get(f"/data?cat:{name}", "dave").text == "failed: EACCES\n"


# Becomes the uid, and goes into the context by the entry program, as a zygote's child does.
ENTER = f"""
import os, sys
os.setgroups([])
os.setresgid({vm.SHARED}, {vm.SHARED}, {vm.SHARED})
os.setresuid({vm.SHARED}, {vm.SHARED}, {vm.SHARED})
with open("/proc/thread-self/attr/exec", "w") as file:
    file.write(sys.argv[1])
os.execve("{ENTRY}", ["bbbS", "{PROGRAM}"], {{"QUERY_STRING": sys.argv[2]}})
"""


def attempt(what, pid, context):
    """What a process of that uid and context can do to another one, with no PID namespace between them."""
    # Standard input and output have to be pipes of plain level, and descriptor 3 the report pipe.
    shell = 'true | python3 -c "$0" "$@" 2>&1 3>&1 | cat'
    done = vm.run("runcon", "--range", "s0", "sh", "-c", shell, ENTER, context, f"{what}:{pid}")
    return done.splitlines()[-1]


@pytest.mark.parametrize(("what", "perm"), [("signal-to", "signal"), ("trace", "ptrace")])
def test_categories_keep_processes_of_one_uid_apart(what, perm, expect_avc):
    with vm.running("/app?hold", "carol", vm.SHARED) as pid:
        if what == "signal-to":
            assert attempt(what, pid, CAROL) == "done", "with the same categories"
        with expect_avc(source="user_webapp_t", target="user_webapp_t", tclass="process", perm=perm):
            assert attempt(what, pid, DAVE) == "EACCES"


# Who may start a service

CLIENT = textwrap.dedent("""
    import socket, sys
    def pair(name, value):
        return bytes([len(name), len(value)]) + name + value
    def record(kind, body):
        return bytes([1, kind, 0, 1, len(body) >> 8, len(body) & 255, 0, 0]) + body
    params = b"".join(pair(*one) for one in [
        (b"REQUEST_METHOD", b"GET"), (b"QUERY_STRING", b"report"), (b"REMOTE_USER", b"alice"),
        (b"SCRIPT_NAME", b"/app"), (b"REMOTE_ADDR", b"127.0.0.1"), (b"SERVER_PROTOCOL", b"HTTP/1.1")])
    door = socket.socket(socket.AF_UNIX)
    door.connect("/run/fcgi-bridge/app.sock")
    door.sendall(record(1, bytes([0, 1, 0, 0, 0, 0, 0, 0])) + record(4, params) + record(4, b"") + record(5, b""))
    while data := door.recv(65536):
        sys.stdout.buffer.write(data)
""")


def ask_as(context):
    command = ["runcon", context, "/usr/bin/python3", "-I", "-c", CLIENT]
    done = subprocess.run(command, stdin=subprocess.PIPE, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_a_front_end_that_the_policy_does_not_name_is_refused(expect_avc):
    assert b'"uid":[30001' in ask_as("system_u:system_r:front_test_t:s0"), "the way is open to whom the policy names"
    wanted = {"source": "stranger_test_t", "target": "sandboxd_service_t", "tclass": "service", "perm": "start"}
    with expect_avc(text="service=app", **wanted):
        assert b"Status: 403" in ask_as("system_u:system_r:stranger_test_t:s0")


def test_the_label_of_the_service_decides(expect_avc):
    """The same front end, and a service that it may not start."""
    try:
        vm.run("chcon", "--type", "sandboxd_conf_t", str(SERVICE))
        vm.reload()
        with expect_avc(target="sandboxd_conf_t", tclass="service", perm="start"):
            assert vm.get("/app?report", "alice").status == 403
    finally:
        vm.run("restorecon", str(SERVICE))
        vm.reload()
    assert vm.get("/app?report", "alice").status == 200


def test_a_front_end_on_the_network_is_judged_by_a_boolean(expect_avc):
    """Without labelled networking it has no context of its own: the kernel calls it unlabeled."""
    with expect_avc(source="unlabeled_t", target="sandboxd_service_t", tclass="service", perm="start"):
        assert vm.get("/network?report", "alice").status == 403
    try:
        vm.run("setsebool", "sandboxd_network_front_end", "on")
        assert vm.get("/network?report", "alice").json["context"] == "system_u:system_r:user_webapp_t:s0:c1"
    finally:
        vm.run("setsebool", "sandboxd_network_front_end", "off")


def test_the_web_servers_domain_is_judged_by_a_boolean(expect_avc):
    try:
        vm.run("setsebool", "sandboxd_httpd_front_end", "off")
        with expect_avc(source="httpd_t", target="sandboxd_service_t", tclass="service", perm="start"):
            assert vm.get("/app?report", "alice").status == 403
    finally:
        vm.run("setsebool", "sandboxd_httpd_front_end", "on")
    assert vm.get("/app?report", "alice").status == 200


# What is refused


def test_a_type_that_the_policy_does_not_know_is_refused_at_load(since):
    try:
        MAP.write_text("# one\napp alice any any 30050:30050 system_u:system_r:no_such_webapp_t:s0\n")
        vm.systemctl("reload", "sandboxd")
        vm.wait_for_log("sandboxd", "10-test.map:2", since)
        assert "no_such_webapp_t" in vm.journal("sandboxd", since)
        assert vm.get("/app?report", "alice").json["uid"][0] == vm.ALICE
    finally:
        MAP.unlink()


def test_a_rule_without_a_context_is_refused_at_load(since):
    try:
        MAP.write_text("app alice any any 30050:30050\n")
        vm.systemctl("reload", "sandboxd")
        vm.wait_for_log("sandboxd", "10-test.map:1", since)
        assert vm.get("/app?report", "alice").json["uid"][0] == vm.ALICE
    finally:
        MAP.unlink()


def test_a_context_that_the_policy_forbids_at_run_time_refuses_the_request(reload, expect_avc, since):
    """The policy knows it, so the map is loaded; the zygote may not go there."""
    reload("app alice any any 30050:30050 system_u:system_r:httpd_t:s0\n")
    with expect_avc(source="sandboxd_zygote_t", target="httpd_t"):
        assert vm.get("/app?report", "alice").status == 502
    vm.wait_for_log("sandboxd", "step exec: ", since)


def test_a_program_that_the_domain_may_not_execute_refuses_the_request(expect_avc, since):
    """One of another domain: the zygote may read it, and it is the entry program that cannot execute it."""
    try:
        vm.run("chcon", "--type", "staff_webapp_content_t", PROGRAM)
        with expect_avc(source="user_webapp_t", target="staff_webapp_content_t", tclass="file"):
            assert vm.get("/app?report", "alice").status == 502
        vm.wait_for_log("sandboxd", "step entry: Permission denied", since)
    finally:
        vm.run("restorecon", PROGRAM)
    assert vm.get("/app?report", "alice").status == 200


def test_an_application_reaches_nothing_but_its_own(expect_avc):
    """The service binds the file, and its mode lets everybody read it."""
    with expect_avc(source="user_webapp_t", target="sandboxd_conf_t", tclass="file"):
        assert vm.get("/data?cat:/secret", "alice").text == "failed: EACCES\n"


# Changes while it runs


def test_a_change_of_mode_is_noticed_and_safe(since):
    assert MAIN.read_text().endswith("SELinux=require\n")
    assert vm.get("/app?report", "alice").status == 200
    try:
        vm.run("setenforce", "0")
        vm.wait_for_log("sandboxd", "enforcing=0", since)
        assert vm.get("/app?report", "alice").status == 403
    finally:
        vm.run("setenforce", "1")
    vm.wait_for_log("sandboxd", "enforcing=1", since)
    assert vm.get("/app?report", "alice").status == 200


def test_a_policy_that_is_loaded_under_load_costs_no_request(since):
    with vm.Load("/app?report") as load:
        for _ in range(2):
            vm.run("load_policy")
            load.wait_for_more(8)
    load.assert_only(200)
    assert json.loads(load.examples[200])["uid"][0] == vm.ALICE
    vm.wait_for_log("sandboxd", "op=load_policy", since)
    assert vm.get("/app?report", "alice").status == 200
