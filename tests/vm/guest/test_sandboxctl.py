# SPDX-License-Identifier: Apache-2.0
"""sandboxctl, from the shells of administrators: the context of a request, their terminals and their pipes."""

import json
import os
import pty
import subprocess
import tty

import pytest

import vm

ALICES = "system_u:system_r:user_webapp_t:s0:c1"
ADMINISTRATORS = [
    "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023",
    "sysadm_u:sysadm_r:sysadm_t:s0-s0:c0.c1023",
]
JAIL = ["sandboxctl", "run", "--service=cgi", "--user=alice", "--"]
PYTHON = [*JAIL, "/usr/bin/python3", "-I", "-c"]


def by(administrator, *command):
    """A command as that administrator's shell starts it: programs with a domain of their own change into it."""
    return ["runcon", administrator, "/bin/sh", "-c", '"$@"', "sh", *command]


def run(*command, **options):
    return subprocess.run(command, capture_output=True, timeout=vm.BOUND, **{"input": b"", **options})


def report_of(output):
    return json.loads(output[output.index(b"{") :])


def on_terminal(command, typed=b""):
    """What a command shows on a terminal of its own, and its exit status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    tty.setraw(terminal)
    os.write(terminal, typed)
    shown = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # EIO: nobody has it open any more
            data = b""
        if not data:
            break
        shown += data
    os.close(terminal)
    return shown, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("administrator", ADMINISTRATORS)
@pytest.mark.parametrize(
    ("user", "uid", "context"),
    [
        ("alice", vm.ALICE, ALICES),
        ("dave", vm.SHARED, "system_u:system_r:user_webapp_t:s0:c12,c13"),
        ("", vm.ANONYMOUS, "system_u:system_r:anon_webapp_t:s0:c3"),
    ],
)
def test_a_command_has_the_context_of_a_request(administrator, user, uid, context):
    done = run(*by(administrator, "sandboxctl", "run", "--service=app", f"--user={user}", "--", "/app"))
    assert done.returncode == 0, done.stderr
    seen = report_of(done.stdout)
    assert (seen["uid"], seen["context"]) == ([uid] * 3, context)
    assert (seen["seccomp"], seen["no_new_privs"], seen["cap_bounding"]) == (2, 1, 0)


@pytest.mark.parametrize("administrator", ADMINISTRATORS)
def test_on_a_terminal(administrator):
    command = "sandboxctl run --service=app --user=alice -- /app"
    done = run(*by(administrator, "script", "--quiet", "--return", "--command", command, "/dev/null"))
    assert done.returncode == 0, done.stdout
    seen = report_of(done.stdout)
    assert (seen["uid"], seen["context"]) == ([vm.ALICE] * 3, ALICES)


def test_lines_from_a_terminal_reach_the_command():
    program = "line = input(); print('got', line); raise SystemExit(len(line))"
    shown, status = on_terminal([*PYTHON, program], b"eleven chars\n")
    assert b"got eleven chars" in shown and status == 12


def test_the_streams_are_whole_and_apart():
    data = os.urandom(3_000_000)
    program = (
        "import shutil, sys; sys.stderr.write('e' * 300000); "
        "shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer); raise SystemExit(7)"
    )
    done = run(*PYTHON, program, input=data)
    assert done.returncode == 7, done.stderr[-500:]
    assert done.stdout == data and done.stderr == b"e" * 300000


def test_a_command_that_does_not_read():
    done = run(*JAIL, "/bin/sh", "-c", "echo done; exit 3", input=b"x" * 1_000_000)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"done\n", b"")


def test_a_signal_is_in_the_exit_status():
    assert run(*JAIL, "/bin/sh", "-c", "kill -KILL $$").returncode == 128 + 9


def test_files_as_standard_streams(tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"lines\n" * 50_000)
    with source.open("rb") as stdin, target.open("wb") as stdout:
        done = subprocess.run([*JAIL, "/bin/cat"], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert target.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("administrator", ADMINISTRATORS)
def test_explain_and_check(administrator):
    done = run(*by(administrator, "sandboxctl", "explain", "--service=app", "--user=alice"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert f"context: {ALICES}" in lines
    assert any(line.startswith("label: ") and ":sandboxd_service_t:s0;" in line for line in lines)
    done = run(*by(administrator, "sandboxctl", "check"))
    assert (done.returncode, done.stderr) == (0, b"")


def test_check_reads_a_draft_elsewhere():
    vm.run("cp", "-rT", "/etc/sandboxd", "/srv/draft")
    vm.run("restorecon", "-R", "/srv/draft")
    try:
        done = run("sandboxctl", "check", "--config=/srv/draft")
        assert done.returncode == 0, done.stderr
    finally:
        vm.run("rm", "-r", "/srv/draft")


def test_check_by_an_account_without_privilege():
    done = run("setpriv", f"--reuid={vm.ALICE}", f"--regid={vm.ALICE}", "--clear-groups", "sandboxctl", "check")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.fixture
def unlabelled():
    """A copy of sandboxctl that stays in its caller's domain."""
    copy = "/usr/local/bin/sandboxctl-copy"
    vm.run("install", "/usr/bin/sandboxctl", copy)
    vm.run("restorecon", copy)
    yield copy
    vm.run("rm", copy)


def test_without_its_domain_it_refuses_with_the_reason(unlabelled, expect_avc):
    """The shell of these tests has rights that no other has, and even so that is no way into an application's domain."""
    with expect_avc(source="unconfined_t", target="user_webapp_t"):
        done = run(unlabelled, "run", "--service=app", "--user=alice", "--", "/app")
    assert (done.returncode, done.stdout) == (125, b"")
    assert b"step exec" in done.stderr and b"SELINUX in sandboxctl(1)" in done.stderr


def test_without_its_domain_an_administrator_who_is_confined_gets_no_further(unlabelled):
    done = run(*by(ADMINISTRATORS[1], unlabelled, "run", "--service=app", "--user=alice", "--", "/app"))
    assert (done.returncode, done.stdout) == (125, b"")
    assert b"sandboxd-compile" in done.stderr and b"SELINUX in sandboxctl(1)" in done.stderr
