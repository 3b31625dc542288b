# SPDX-License-Identifier: Apache-2.0
"""Warm one-shots, end to end: what a child of an application zygote is, may do, and leaves behind."""

import concurrent.futures
import contextlib
import os
import re
import signal
import subprocess
import threading
import time

import pytest
import stack as lib
from stack import processes_of, wait_for

SYSTEM = ["/usr", "/bin", "/lib", "/lib64"]
WARM = {
    "Type": "fastcgi",
    "Warm": "yes",
    "WarmSpare": "3",
    "ExecStart": "/apps/warm",
    "ScriptDirectory": "/apps",
    "PrivateTmp": "no",
    "BindReadOnlyPaths": [*SYSTEM, "@BASE@/apps:/apps"],
    "MaxConnections": "32",
    "RuntimeMaxSec": "60",
}
PHP = {**WARM, "ExecStart": "/usr/bin/php-cgi -d cgi.force_redirect=0", "ScriptDirectory": "/www"}
PHP["PrivateTmp"] = "identity"
PHP["BindReadOnlyPaths"] = [*SYSTEM, "/etc/php", "/etc/alternatives", "@BASE@/www:/www"]
SERVICES = {
    "warm": WARM,
    "hurried": {**WARM, "RuntimeMaxSec": "2"},
    "narrow": {**WARM, "MaxConnections": "2"},
    "few": {**WARM, "WarmSpare": "1", "WarmChildrenMax": "2", "RuntimeMaxSec": "5"},
    "idle": {**WARM, "WarmIdleSec": "1"},
    "thread": {**WARM, "ExecStart": "/apps/warm thread"},
    "socket": {**WARM, "ExecStart": "/apps/warm socket"},
    "die": {**WARM, "ExecStart": "/apps/warm die"},
    "shared": {**WARM, "ExecStart": "/apps/warm shared"},
    "up": {**WARM, "WarmUpRequest": ["/warm?random", "/warm?poke"], "ExecStart": "/apps/warm shared"},
    "bad-up": {**WARM, "WarmUpRequest": "/missing"},
    "php": PHP,
    "site": {
        **WARM,
        "Type": "wsgi",
        "ExecStart": "/usr/bin/python3 /apps/site.py",
        "ScriptDirectory": None,
        "WarmUpRequest": ["/", "/up?x=1"],
    },
    "php-cold": {**PHP, "Warm": "no", "PrivateTmp": "yes"},
    "opcache": {**PHP, "WarmUpRequest": "/hello.php"},
}
PARENT = "<?php header('X-Parent: ' . posix_getppid());"
VERSION = PARENT + " echo getmypid(), ' {}';"
HELLO = PARENT + (
    " echo getmypid(), ' ', mt_rand(), ' ', random_int(0, PHP_INT_MAX), ' ', lcg_value(), ' ', uniqid('', true);"
)
LENGTHS = "<?php for ($i = 0; isset($_SERVER[\"HTTP_X$i\"]); $i++) echo strlen($_SERVER[\"HTTP_X$i\"]), ' ';"
SITE = """
import os
import sys
from wsgiref.validate import validator

paths = []


class Proxy:  # as Flask has: it says that it is what it stands for, and cannot be referred to weakly
    __slots__ = ()
    __class__ = property(lambda self: type(sys.stderr))


proxy = [Proxy()]


@validator
def application(environ, start_response):
    paths.append(environ["SCRIPT_NAME"] + ":" + environ["PATH_INFO"])
    with os.popen("echo $LC_CTYPE") as pipe:
        children = pipe.read().strip()
    body = f"{os.getpid()} {paths} {os.environ.get('LC_CTYPE')} {children}".encode()
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), ("X-Parent", str(os.getppid()))]
    start_response("200 OK", headers)
    return [body]
"""


def compile_warm(target):
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra"]
    source = lib.APPS / "warm_probe.c"
    subprocess.run(["cc", *flags, "-o", target, source, "-lfcgi", "-lcap", "-lpthread"], check=True)
    target.chmod(0o755)


def prepare(base):
    compile_warm(base / "apps" / "warm")
    (base / "apps" / "site.py").write_text(SITE)
    (base / "apps" / "site.py").chmod(0o644)
    (base / "www").mkdir()
    (base / "www").chmod(0o755)
    pages = {"hello.php": HELLO, "version.php": VERSION.format("one"), "lengths.php": LENGTHS}
    pages |= {"writable.php": HELLO, "unreadable.php": HELLO}
    for name, text in pages.items():
        (base / "www" / name).write_text(text)
        (base / "www" / name).chmod({"writable.php": 0o666, "unreadable.php": 0o600}.get(name, 0o644))


@pytest.fixture(scope="module")
def stack():
    one = lib.Stack(SERVICES, prepare=prepare, broker_options=["--debug"])
    yield one
    one.stop()


def ask(stack, service, query="report", user="alice", script=None, **arguments):
    script = script or ("/www/hello.php" if service in ("php", "opcache") else "/apps/warm")
    if service == "site":
        arguments |= {"SCRIPT_NAME": "", "PATH_INFO": "/page"}
    return stack.request(service, query, user=user, script=script, **arguments)


def fields(response):
    """The lines "name=value" of an answer; those that come several times as a list."""
    assert response.status == 200, (response, response.stdout[:300], response.stderr[:300])
    found = {}
    for line in response.body.decode().splitlines():
        name, _, value = line.partition("=")
        found.setdefault(name, []).append(value)
    return {name: values if name in ("fd", "environ") else values[0] for name, values in found.items()}


def zygotes(stack, service):
    """What the broker said of application zygotes of a service."""
    lines = stack.broker_log().splitlines()
    return [line for line in lines if f"service={service} application zygote" in line]


def is_warm(response):
    """By what the process says: its parent is the zygote, PID 2, and the C program knows when it is a CGI."""
    assert response.status == 200, (response, response.stdout[:300], response.stderr[:300])
    parent = response.header("x-parent")
    return parent == "2" if parent else not response.body.startswith(b"cold=1")


def warmed(stack, service, user="alice", script=None):
    """Asks until an application zygote answers; gives that answer."""

    def warm():
        response = ask(stack, service, user=user, script=script)
        return response if is_warm(response) else None

    return wait_for(warm, f"a warm answer of {service}; the log:\n{stack.broker_log()[-3000:]}")


# What a child is


def test_the_first_request_is_cold_and_later_ones_are_warm(stack):
    assert fields(ask(stack, "warm", user="bob"))["cold"] == "1"
    response = fields(warmed(stack, "warm", user="bob"))
    assert "cold" not in response
    assert (response["uid"], response["gid"]) == ("30011", "30012")


def test_a_child_is_as_confined_as_a_cold_process(stack):
    seen = fields(warmed(stack, "warm"))
    assert (seen["uid"], seen["gid"]) == ("30010", "30010")
    assert (seen["seccomp"], seen["no_new_privs"], seen["dumpable"]) == ("2", "1", "0")
    assert seen["capabilities"] == "="
    assert seen["ppid"] == "2", "its parent is the zygote, PID 2 of a namespace of its own"


def test_a_child_has_its_connection_and_nothing_of_ours(stack):
    seen = fields(warmed(stack, "warm"))
    kinds = dict(entry.split(":") for entry in seen["fd"])
    assert kinds.pop("2") == "pipe"
    assert kinds.pop("1") in ("pipe", "device")
    assert kinds.pop("0") == "device"
    assert list(kinds.values()) == ["socket"], kinds


def test_every_request_has_a_process_of_its_own(stack):
    warmed(stack, "warm")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: fields(ask(stack, "warm")), range(200)))
    assert len({answer["pid"] for answer in answers}) == 200
    assert {answer["served"] for answer in answers} == {"0"}
    assert not any("cold" in answer for answer in answers)


def test_the_environment_is_filtered_as_it_is_cold(stack):
    warmed(stack, "warm")
    extra = {"LD_PRELOAD": "/x", "PERL5LIB": "/x", "HTTP_X_LIKE": "it", "UNKNOWN": "x", "REMOTE_USER": "alice"}
    cold = ask(stack, "narrow", user="u30999", **extra)  # its first request
    warm = ask(stack, "warm", **extra)
    assert "cold" in fields(cold) and "cold" not in fields(warm)

    def names(response):
        own = {"FCGI_ROLE"}  # of FastCGI, Specification 6.2
        return {entry.split("=")[0] for entry in fields(response)["environ"]} - own

    assert names(warm) == names(cold)
    assert "HTTP_X_LIKE" in names(warm)
    assert not names(warm) & {"LD_PRELOAD", "PERL5LIB", "UNKNOWN"}
    assert not any(name.startswith("SANDBOXD_WARM") for name in names(warm))


# Bodies, large ones, errors


@pytest.mark.parametrize("length", [0, 1, 65535, 3_000_000])
def test_a_body_arrives_whole(stack, length):
    warmed(stack, "warm")
    data = os.urandom(length)
    seen = fields(ask(stack, "warm", "body", stdin=data, method="POST"))
    total = 0
    for byte in data:
        total = (total * 31 + byte) % 2**64
    assert (seen["length"], seen["sum"]) == (str(length), str(total))


def test_a_large_response_arrives_whole(stack):
    warmed(stack, "warm")
    lines = ask(stack, "warm", "large").body.decode().splitlines()
    assert [int(line) for line in lines[:16384]] == list(range(16384))


def test_standard_error_goes_to_the_request_s_log_both_ways(stack):
    warmed(stack, "warm")
    response = ask(stack, "warm", "errors")
    assert b"through FastCGI" in response.stderr and b"through the pipe" in response.stderr
    wait_for(lambda: "stderr: through the pipe" in stack.bridge_log(), "the line in the bridge's log")


def test_a_script_that_is_not_there_is_a_404(stack):
    warmed(stack, "warm")
    assert ask(stack, "warm", script="/apps/missing").status == 404
    assert ask(stack, "warm", script="/etc/passwd").status == 404
    assert ask(stack, "warm", script="/apps/" + "x" * 300).status == 404


@pytest.mark.parametrize("script", ["/www/missing.php", "/www/writable.php", "/www/unreadable.php", "/www/" + "x" * 300])
def test_a_script_is_refused_as_for_a_cold_request(stack, script):
    warmed(stack, "php")
    warm, cold = ask(stack, "php", script=script), ask(stack, "php-cold", script=script)
    assert (warm.status, warm.headers) == (cold.status, cold.headers)
    body = [re.sub(rb"[0-9a-f]{32}", b"ID", response.body) for response in (warm, cold)]
    assert body[0] == body[1] and b"request ID" in body[0]


def test_a_wsgi_application_that_is_strict_and_has_proxies(stack):
    """Its warm-up requests are whole (PEP 3333); proxies are not asked what they are; LC_CTYPE is as Python has it."""
    response = warmed(stack, "site")
    assert response.body.decode().split(" ", 1)[1] == "[':/', ':/up', ':/up', ':/page'] C.UTF-8 C.UTF-8"


@pytest.mark.parametrize("lengths", [[33_000], [50_000], [9_000] * 6, [1] * 400])
def test_php_reads_large_parameters(stack, lengths):
    """php-cgi takes no pair that straddles two records."""
    names = {f"HTTP_X{number}": "x" * length for number, length in enumerate(lengths)}
    warmed(stack, "php")
    response = ask(stack, "php", script="/www/lengths.php", **names)
    assert response.status == 200
    assert response.body.split() == [str(length).encode() for length in lengths]


def test_a_large_environment_is_served_too(stack):
    warmed(stack, "warm")
    response = ask(stack, "warm", HTTP_COOKIE="x" * 60_000)
    assert any(entry == "HTTP_COOKIE=" + "x" * 60_000 for entry in fields(response)["environ"])


# What a child cannot do


@pytest.mark.parametrize("victim", ["zygote", "sibling"])
def test_a_child_reaches_neither_zygote_nor_sibling(stack, victim):
    warmed(stack, "warm")
    other = threading.Thread(target=ask, args=(stack, "warm", "sleep:3"))
    other.start()
    wait_for(lambda: sleeper(stack), "a sibling that serves")
    pid = 2 if victim == "zygote" else sleeper(stack)
    seen = fields(ask(stack, "warm", f"attack:{pid}"))
    other.join()
    results = {name: seen[name] for name in ("signal", "tgkill", "ptrace", "readv", "pidfd", "limit")}
    assert all(value in ("EPERM", "ENOSYS", "EBADF", "EACCES") for value in results.values()), results
    assert fields(warmed(stack, "warm"))["uid"] == "30010"


def sleeper(stack):
    """The pid, in its own namespace, of a child that sleeps in nanosleep(2)."""
    for pid in processes_of(30010):
        try:
            status = open(f"/proc/{pid}/status").read()
            number = open(f"/proc/{pid}/syscall").read().split()[0]
        except OSError:
            continue
        if number in ("35", "230", "115", "101"):
            return int(re.search(r"NSpid:.*\t(\d+)", status).group(1))
    return None


def test_a_child_makes_no_namespace(stack):
    warmed(stack, "warm")
    assert fields(ask(stack, "warm", "clone3"))["clone3"] == "ENOSYS"


def test_what_a_child_writes_into_shared_memory_is_gone_with_it(stack):
    warmed(stack, "shared")
    assert [fields(ask(stack, "shared", "poke"))["shared"] for _ in range(6)] == ["1"] * 6
    assert fields(ask(stack, "shared", "peek"))["shared"] == "0"


def test_a_warm_up_request_prepares_the_zygote(stack):
    """Its last one is answered twice: the second time it is seen what it writes to."""
    assert fields(warmed(stack, "up"))["served"] == "3"
    assert [fields(ask(stack, "up", "poke"))["shared"] for _ in range(4)] == ["3"] * 4


def test_two_children_never_draw_the_same(stack):
    warmed(stack, "opcache")
    drawn = [ask(stack, "opcache").body.split() for _ in range(12)]
    for column in range(len(drawn[0])):
        assert len({row[column] for row in drawn}) == len(drawn), drawn


# Ends


def test_everything_that_a_request_started_dies_with_it(stack):
    user, uid = lib.fresh_user()
    warmed(stack, "warm", user=user)
    assert ask(stack, "warm", "stay", user=user).status == 200
    wait_for(lambda: b"stayed" not in names_of(uid), "the grandchild to be killed")
    assert is_warm(ask(stack, "warm", user=user))


def names_of(uid):
    """What the processes of this uid call themselves: prctl(2), PR_SET_NAME."""
    found = []
    for pid in processes_of(uid):
        with contextlib.suppress(OSError):
            found.append(open(f"/proc/{pid}/comm", "rb").read().strip())
    return found


def test_a_crash_costs_its_own_request(stack):
    warmed(stack, "warm")
    assert ask(stack, "warm", "crash").status == 502
    assert ask(stack, "warm").status == 200
    wait_for(lambda: "outcome=signaled detail=11" in stack.broker_log(), "the signal in the log")
    assert ask(stack, "warm", "exit").status in (200, 502)
    wait_for(lambda: "outcome=exited detail=7" in stack.broker_log(), "the status in the log")


def test_children_that_keep_crashing_renew_the_zygote(stack):
    warmed(stack, "warm", user="u30997")

    def renewed():
        assert ask(stack, "warm", "crash", user="u30997").status == 502
        return [z for z in zygotes(stack, "warm") if "uid 30997: renewed" in z]

    wait_for(renewed, "the renewal")
    wait_for(lambda: len([z for z in zygotes(stack, "warm") if "uid 30997: ready" in z]) == 2, "another zygote")
    assert "cold" not in fields(ask(stack, "warm", user="u30997"))


def test_a_deadline_kills_the_child_and_no_other(stack):
    warmed(stack, "hurried")
    slow = concurrent.futures.ThreadPoolExecutor(1).submit(ask, stack, "hurried", "sleep:50")
    others = [ask(stack, "hurried").status for _ in range(20)]
    assert slow.result().status == 504
    assert set(others) == {200}
    assert "cold" not in fields(ask(stack, "hurried"))


def test_a_client_that_goes_away_ends_its_child(stack):
    user, uid = lib.fresh_user()
    warmed(stack, "warm", user=user)
    client = stack.begin("warm", "sleep:50", user=user, script="/apps/warm")
    wait_for(lambda: sleeper_of(uid), "the child to serve")
    client.close()
    wait_for(lambda: not sleeper_of(uid), "the child to end")
    assert "cold" not in fields(ask(stack, "warm", user=user))


def numbered(number, uid):
    """The process of this uid that has the number in its own PID namespace."""
    for pid in processes_of(uid):
        with contextlib.suppress(OSError):
            if re.search(rf"NSpid:.*\t{number}\n", open(f"/proc/{pid}/status").read()):
                return pid
    raise AssertionError(f"uid {uid} has no process {number}")


def sleepers_of(uid):
    sleepers = []
    for pid in processes_of(uid):
        with contextlib.suppress(OSError):
            if open(f"/proc/{pid}/syscall").read().split()[0] in ("35", "230", "115", "101"):
                sleepers.append(pid)
    return sleepers


def sleeper_of(uid):
    return next(iter(sleepers_of(uid)), None)


def test_more_requests_than_spare_children_wait_for_one(stack):
    warmed(stack, "warm")
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: ask(stack, "warm", "sleep:1"), range(24)))
    assert {answer.status for answer in answers} == {200}


def test_no_more_children_than_allowed_serve_and_the_rest_wait(stack):
    user, uid = lib.fresh_user()
    warmed(stack, "few", user=user)
    most = 0
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(ask, stack, "few", "sleep:1", user=user) for _ in range(6)]
        while not all(one.done() for one in asked):
            most = max(most, len(sleepers_of(uid)))
            time.sleep(0.02)
    assert [one.result().status for one in asked] == [200] * 6
    assert most == 2


def test_a_request_that_waits_too_long_for_a_child_costs_only_itself(stack):
    user, uid = lib.fresh_user()
    warmed(stack, "few", user=user)
    with concurrent.futures.ThreadPoolExecutor(14) as pool:
        statuses = [one.status for one in pool.map(lambda _: ask(stack, "few", "sleep:1", user=user), range(14))]
    assert set(statuses) == {200, 504} and statuses.count(200) > 5
    assert "cold" not in fields(ask(stack, "few", user=user))
    assert not [line for line in zygotes(stack, "few") if f"uid {uid}: renewed" in line], "busy is not neglect"


# Zygotes


@pytest.mark.parametrize("service, reason", [("thread", "thread"), ("socket", "socket")])
def test_what_is_unfit_to_be_forked_runs_cold_and_says_why(stack, service, reason):
    for _ in range(3):
        assert fields(ask(stack, service))["cold"] == "1"
    wait_for(lambda: [z for z in zygotes(stack, service) if "unfit" in z and reason in z], "the reason in the log")
    assert fields(ask(stack, service))["cold"] == "1"


def test_an_application_that_does_not_come_up_runs_cold_and_says_what_it_wrote(stack):
    for _ in range(3):
        assert fields(ask(stack, "die"))["cold"] == "1"
    wait_for(lambda: [z for z in zygotes(stack, "die") if "no licence for today" in z], "what it wrote")
    started = wait_for(lambda: [z for z in zygotes(stack, "die") if "none is started for 1 s" in z], "the pause")
    assert len(started) == 1
    time.sleep(1.1)
    assert fields(ask(stack, "die"))["cold"] == "1"
    wait_for(lambda: [z for z in zygotes(stack, "die") if "none is started for 2 s" in z], "the longer pause")


def test_a_warm_up_request_that_fails_is_told(stack):
    for _ in range(3):
        assert fields(ask(stack, "bad-up"))["cold"] == "1"
    wait_for(lambda: [z for z in zygotes(stack, "bad-up") if "/missing" in z], "the request in the log")


def test_a_zygote_that_is_killed_is_replaced_and_loses_no_request(stack):
    user, uid = lib.fresh_user()
    warmed(stack, "warm", user=user)
    results = []
    stop = threading.Event()

    def client():
        while not stop.is_set():
            results.append(ask(stack, "warm", user=user).status)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    os.kill(numbered(2, uid), signal.SIGKILL)
    wait_for(lambda: [z for z in zygotes(stack, "warm") if f"uid {uid}: ended" in z], "its end in the log")
    wait_for(lambda: len([z for z in zygotes(stack, "warm") if f"uid {uid}: ready" in z]) == 2, "another one")
    stop.set()
    for thread in threads:
        thread.join()
    lost = [status for status in results if status != 200]
    assert len(lost) <= 4 and set(lost) <= {502}, "what ran in its children dies with it; nothing else"


def test_a_file_that_changes_renews_the_zygote_without_losing_a_request(stack):
    script = stack.base / "www" / "version.php"
    warmed(stack, "php", script="/www/version.php")
    results, stop = [], threading.Event()

    def client():
        while not stop.is_set():
            results.append(ask(stack, "php", script="/www/version.php"))

    thread = threading.Thread(target=client)
    thread.start()
    new = script.with_suffix(".new")
    new.write_text(VERSION.format("two"))
    os.replace(new, script)
    wait_for(lambda: [z for z in zygotes(stack, "php") if "a file has changed" in z], "the renewal in the log")
    wait_for(lambda: results and results[-1].body.endswith(b" two"), "the new answer")
    wait_for(lambda: len([z for z in zygotes(stack, "php") if ": ready" in z]) >= 2, "another zygote")
    stop.set()
    thread.join()
    assert {response.status for response in results} == {200}
    assert {response.body.split()[1] for response in results} <= {b"one", b"two"}


def test_a_zygote_that_nobody_asks_ends(stack):
    user, uid = lib.fresh_user()
    warmed(stack, "idle", user=user)
    wait_for(lambda: not processes_of(uid), "its processes to end")


def test_a_reload_changes_to_new_zygotes_without_losing_a_request(stack):
    warmed(stack, "warm")
    results, stop = [], threading.Event()

    def client():
        while not stop.is_set():
            results.append(ask(stack, "warm").status)

    thread = threading.Thread(target=client)
    thread.start()
    before = stack.broker_log().count(" in force: ")
    stack.broker.send_signal(signal.SIGHUP)
    wait_for(lambda: stack.broker_log().count(" in force: ") > before, "the new configuration")
    warmed(stack, "warm")
    stop.set()
    thread.join()
    assert set(results) == {200}


def test_identities_in_turn_start_no_zygotes(stack):
    before = len(zygotes(stack, "narrow"))
    for uid in range(30500, 30540):
        assert fields(ask(stack, "narrow", user=f"u{uid}"))["uid"] == str(uid)
    assert len(zygotes(stack, "narrow")) == before


def test_one_that_alone_is_too_large_is_not_started_again_and_again(make_stack):
    one = make_stack({"php": PHP}, prepare=prepare, main={"WarmMemoryMax": "1M"})

    def paused():
        assert ask(one, "php").status == 200
        return [z for z in zygotes(one, "php") if "larger than WarmMemoryMax=" in z and "started for 2 s" in z]

    wait_for(paused, "the longer pause in the log")


def test_memory_is_bounded_by_the_one_used_longest_ago(make_stack):
    one = make_stack({"warm": WARM}, prepare=prepare, main={"WarmMemoryMax": "1M"}, broker_options=["--debug"])
    users = [lib.fresh_user() for _ in range(8)]
    for user, _ in users:
        warmed(one, "warm", user=user)
    wait_for(lambda: [z for z in zygotes(one, "warm") if "WarmMemoryMax=" in z], "one to be retired")
    wait_for(lambda: not processes_of(users[0][1]), "the first one's processes to end")
    assert processes_of(users[-1][1])
