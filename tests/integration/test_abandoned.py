# SPDX-License-Identifier: Apache-2.0
"""The web server goes away in the middle of a request: what the application was about to write it still writes."""

import contextlib
import os

import fcgi
import pytest
import stack as lib
from stack import processes_of, wait_for

SYSTEM = ["/usr", "/bin", "/lib", "/lib64", "/etc/alternatives"]
COLD = {
    "ScriptDirectory": "/www",
    "BindReadOnlyPaths": [*SYSTEM, "@BASE@/www:/www"],
    "BindPaths": "@BASE@/data:/data",
    "RuntimeMaxSec": "60",
}
WARM = {
    **COLD,
    "Type": "fastcgi",
    "Warm": "yes",
    "ExecStart": "/usr/bin/php-cgi -n -d cgi.force_redirect=0 -d enable_post_data_reading=0",
    "PrivateTmp": "no",
}
SERVICES = {"cold": COLD, "warm": WARM}
SCRIPTS = {"cold": "/www/lock.py", "warm": "/www/lock.php"}

# Each takes a lock, works for QUERY_STRING seconds, and gives the lock back, as a wiki does when it saves a page.
PYTHON = """#!/usr/bin/python3
import os, sys, time
os.mkdir("/data/lock")
time.sleep(float(os.environ["QUERY_STRING"]))
sys.stderr.write("still at it\\n")
sys.stderr.flush()
os.rmdir("/data/lock")
sys.stdout.write("Content-Type: text/plain\\r\\n\\r\\n" + "x" * 100)
sys.stdout.flush()
os.mkdir("/data/answered")
"""
PHP = """<?php
mkdir("/data/lock");
usleep((int)(1000000 * (float)$_SERVER["QUERY_STRING"]));
error_log("still at it");
rmdir("/data/lock");
echo str_repeat("x", 100);
flush();
mkdir("/data/answered");
"""


def prepare(base):
    for name in ("www", "data"):
        (base / name).mkdir()
    (base / "www").chmod(0o755)
    (base / "data").chmod(0o777)
    for name, text in (("lock.py", PYTHON), ("lock.php", PHP)):
        (base / "www" / name).write_text(text)
        (base / "www" / name).chmod(0o755)


@pytest.fixture(scope="module", params=["3s"])
def stack(request):
    one = lib.Stack(SERVICES, prepare=prepare, bridge_options=[f"--abort-timeout={request.param}"])
    yield one
    one.stop()


@pytest.fixture(params=["cold", "warm"])
def service(request):
    return request.param


def has(stack, name):
    return (stack.base / "data" / name).is_dir()


def ask(stack, service, query, user, **params):
    return stack.request(service, query, user=user, script=SCRIPTS[service], **params)


def fresh(stack, service):
    """A user whose requests are served as the service's name says, and who has asked for nothing yet."""
    user, uid = lib.fresh_user()
    empty(stack)

    def is_ready():
        assert ask(stack, service, "0", user).status == 200
        empty(stack)
        return service == "cold" or f"application zygote of uid {uid}: ready" in stack.broker_log()

    wait_for(is_ready, "a zygote")
    return user, uid


def empty(stack):
    for name in ("lock", "answered"):
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(stack.base / "data" / name)


def abandon(stack, service, query, user, **params):
    """Has it take its lock, and closes the connection; the body has ended only where there is no `method`."""
    with stack.begin(service, query, user=user, script=SCRIPTS[service], **params) as connection:
        connection.send(fcgi.encode_record(fcgi.STDIN, 1, b"half") if params else fcgi.encode_record(fcgi.STDIN, 1))
        wait_for(lambda: has(stack, "lock"), "the lock")


def goes_on(uid):
    """Beside the zygote, and what it has forked ahead, somebody sleeps."""
    for pid in processes_of(uid):
        with contextlib.suppress(OSError):
            if open(f"/proc/{pid}/syscall").read().split()[0] in ("35", "230", "115", "101"):
                return True
    return False


def test_whoever_waits_is_answered(stack, service):
    user, _ = fresh(stack, service)
    assert ask(stack, service, "0.1", user).body == b"x" * 100
    assert has(stack, "answered") and not has(stack, "lock")


def test_it_gives_its_lock_back_when_nobody_waits_any_more(stack, service):
    user, uid = fresh(stack, service)
    before = stack.bridge_log().count("stderr: still at it")
    abandon(stack, service, "1", user)
    wait_for(lambda: not has(stack, "lock"), "the end of the lock")
    wait_for(lambda: not goes_on(uid), "the end of the application")
    assert ask(stack, service, "0", user).status == 200
    if service == "cold":
        assert stack.bridge_log().count("stderr: still at it") > before, "what it says is logged"


def test_its_output_is_closed(stack, service):
    """Python dies by the exception, PHP ends where it notices that nobody listens: neither comes behind its output."""
    user, uid = fresh(stack, service)
    abandon(stack, service, "0.5", user)
    wait_for(lambda: not has(stack, "lock") and not goes_on(uid), "the end of the application")
    if service == "cold":
        wait_for(lambda: not processes_of(uid), "the end of the application")
    assert not has(stack, "answered")


def test_it_has_so_long_and_no_longer(stack, service):
    user, uid = fresh(stack, service)
    abandon(stack, service, "50", user)
    assert goes_on(uid)
    wait_for(lambda: not goes_on(uid), "the end of the application")
    assert has(stack, "lock"), "it was killed"
    assert "killed: it goes on for longer than --abort-timeout=" in stack.bridge_log()


@pytest.mark.parametrize("stack", ["0"], indirect=True)
def test_it_is_killed_at_once_where_it_has_no_time(stack, service):
    user, uid = fresh(stack, service)
    abandon(stack, service, "1", user)
    wait_for(lambda: not goes_on(uid), "the end of the application")
    assert has(stack, "lock"), "it was killed"


def test_one_that_has_half_of_a_body_is_killed_at_once(stack, service):
    """It would take the end that it sees for the end of the body."""
    user, uid = fresh(stack, service)
    abandon(stack, service, "1", user, method="POST", CONTENT_LENGTH="100")
    wait_for(lambda: not goes_on(uid), "the end of the application")
    assert has(stack, "lock"), "it was killed"
