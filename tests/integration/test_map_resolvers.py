# SPDX-License-Identifier: Apache-2.0
"""Identities that depend on the name service or on what is allotted, end to end, and all that can go wrong with these.

A look-up that hangs here hangs for ever: who is answered meanwhile has not waited for it. The names of users are those
of apps/nss_sandboxdtest.c.
"""

import contextlib
import os
import re
import select
import shutil
import signal
import threading
import time
from pathlib import Path

import fcgi
import pytest
import stack as lib
from name_service import NameService
from stack import wait_for
from test_map import at_rest, await_launches, helpers, identity, logged_end, outcome, own
from test_path import check_own_page

APP = {"ScriptDirectory": "/apps", "BindReadOnlyPaths": "@BASE@/apps:/apps", "RuntimeMaxSec": "120"}
FIRST, LAST = 2000000, 2000999  # DynamicUID=
RANGE = {"DynamicUID": f"{FIRST}-{LAST}"}
FOR_EVER = {"NameServiceTimeoutSec": "60s"}  # the most there is; none of these tests takes so long
WORKERS = 8  # of sandboxd-names

RULES = """
user    any         any          any %user
system  any         any          any %user allow-system
middle  alice       any          any 32001:32001
middle  hang-known  any          any 32002:32002
middle  @group-7    any          any 32003:32003
middle  @group-8    192.0.2.0/24 any %user
middle  any         any          any 32004:32004
few     alice       any          any 32001:32001
few     any         any          any %user
dynamic any         any          any dynamic
plain   any         any          any 32005:32005
"""
SERVICES = {name: APP for name in ("user", "system", "middle", "dynamic", "plain")}
SERVICES.update(few={**APP, "MaxConnections": "3"})


def rules_for(services):
    return {"1.map": "".join(rule + "\n" for rule in RULES.splitlines() if rule.split(" ")[0] in ("", *services))}


def unix(uid, *more):
    """The account user-N of the tests' name service, as the process should have it."""
    return uid, uid, (50000 + uid % 10, 50100, *more)


@pytest.fixture(scope="module")
def stack(app, names):
    one = lib.Stack(SERVICES, maps={"1.map": RULES}, main={**RANGE, **FOR_EVER}, programs=[app], enter=names.prefix)
    yield one
    one.stop()


@pytest.fixture
def make(make_stack, names):
    """Stacks of one test's own, with settings of sandboxd.conf."""

    def start(services=("user", "dynamic", "plain"), prepare=None, **main):
        return make_stack(
            {name: SERVICES[name] for name in services},
            maps=rules_for(services),
            main={**RANGE, **main},
            enter=names.prefix,
            prepare=prepare,
        )

    return start


def in_threads(work, count=8):
    """Runs `work` in threads; the first failure is the test's."""
    failures = []

    def guarded(number):
        try:
            work(number)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(lib.BOUND * 3)
        assert not thread.is_alive(), "a client is stuck"
    if failures:
        raise failures[0]


def ends(stack, since, users, count):
    """Waits for the log's lines about so many refused requests of users with such names; returns the reasons."""
    reasons = lambda: re.findall(rf'user="(?:{users}).*reason=(.*)', stack.broker_log()[since:])  # noqa: E731
    wait_for(lambda: len(reasons()) >= count, f"{count} lines of the log")
    assert len(reasons()) == count
    return set(reasons())


def is_answered(connections):
    return bool(select.select([one.socket for one in connections], [], [], 0)[0])


def reload(stack, main=None, maps=None):
    """Writes another sandboxd.conf or other maps, and waits until they are in force."""
    since = len(stack.broker_log())
    lib.write_configuration(stack.base / "config", {}, maps or {}, main)
    stack.drop_notifications()
    stack.broker.send_signal(signal.SIGHUP)
    stack.logged(r"configuration \d+ in force", since)


def restart(stack, how=signal.SIGTERM, options=()):
    stack.expect_broker_gone = True
    stack.broker.send_signal(how)
    assert stack.broker.wait(lib.BOUND) == (0 if how == signal.SIGTERM else -how)
    stack.start_broker(options)


# %user


@pytest.mark.parametrize(
    "user, expected",
    [
        ("user-7", unix(40007)),
        ("user-18", unix(40018)),
        ("slow-100-user-7", unix(40007)),
        ("noshell-7", unix(40007)),  # nobody asks for a shell here
        ("case", (39500, 39500, (50042,))),
        ("many-62-user-1", unix(40001, *range(100000, 100062))),
        ("many-63-user-1", 403),  # more groups than an identity has
        ("many-300-user-1", 503),  # more than are looked at: not what the directory says, so nothing
        ("Case", 403),
        ("CASE", 403),
        ("User-7", 403),
        ("nobody-of-this-name", 403),
        ("member-7", 403),
        ("fail-user-7", 503),
        ("failgroups-user-7", 503),
        ("crash-user-7", 503),
        (None, 403),
    ],
)
def test_the_account_of_the_user_s_name(stack, user, expected):
    for _ in range(2):  # asked, and from the cache
        assert outcome(stack.request("user", user=user)) == expected


def test_why_there_is_no_account_is_logged(stack):
    since = len(stack.broker_log())
    assert stack.request("user", user="Case").status == 403
    logged_end(stack, since, r'user="Case" .*identity=- rule=\S+:2 .*reason=there is no account of the user\'s name')
    check_own_page(stack.request("user", user="fail-user-7"), 503)
    logged_end(stack, since, r'user="fail-user-7" .*reason=account: Connection refused')


@pytest.mark.parametrize(
    "ids, without, allowed",
    [
        ((60500, 60500), 403, own(60500)),
        ((33000, 60500), 403, (33000, 60500, ())),
        ((500, 500), 403, 403),  # below MinUID=
        ((33000, 27), 403, 403),
        ((0, 0), 403, 403),
        ((33000, 0), 403, 403),
        ((65534, 33000), 403, 403),
        ((4294967295, 33000), 403, 403),
        ((33000, 65534), 403, 403),
        ((FIRST + 50, 33000), 403, 403),  # the range of DynamicUID=
        ((33000, FIRST + 50), 403, 403),
        ((33000, 33001), (33000, 33001, ()), (33000, 33001, ())),
    ],
)
def test_identities_that_no_name_service_gives(stack, names, ids, without, allowed):
    name = f"account-{ids[0]}-{ids[1]}"
    names.set_table({name: ids})
    assert outcome(stack.request("user", user=name)) == without
    assert outcome(stack.request("system", user=name)) == allowed


@pytest.mark.parametrize("account", ["sandboxd-allot", "sandboxd-names", "sandboxd-zygote", "sandboxd-config", "root"])
def test_the_project_s_own_accounts_are_nobody_s(make, account):
    """Even where a system account may be used, down to 1."""
    one = make(["system", "user"], MinUID="1", MinGID="1")
    since = len(one.broker_log())
    assert one.request("system", user=account).status == 403
    found = logged_end(one, since, f'user="{account}" .*reason=.*').group()
    assert "no account" not in found, "it was not found: this shows nothing"
    assert outcome(one.request("system", user="daemon")) == own(1)
    assert one.request("user", user="daemon").status == 403


def test_a_shell_can_be_required(make):
    one = make(["user", "plain"], RequireShell="yes")
    assert outcome(one.request("user", user="user-9")) == unix(40009)
    assert outcome(one.request("user", user="emptyshell-9")) == unix(40009)
    since = len(one.broker_log())
    assert one.request("user", user="noshell-9").status == 403
    logged_end(one, since, r"identity=40009:40009 .*reason=.*shell")
    assert outcome(one.request("plain")) == own(32005), "numbers have no shell"


def test_an_account_that_changes_is_what_it_was_for_as_long_as_is_configured(make, names):
    """Nothing is kept, and then everything for a minute."""
    one = make(["user"], NameServiceCacheSec="0")
    for table, expected in (
        ({}, 403),
        ({"carol": (33010, 33010)}, own(33010)),
        ({"carol": (33011, 33012)}, (33011, 33012, ())),
        ({}, 403),
        ({"carol": (33013, 33013)}, own(33013)),
    ):
        names.set_table(table)
        assert outcome(one.request("user", user="carol")) == expected
    reload(one, {**RANGE, "NameServiceCacheSec": "1h"})
    assert outcome(one.request("user", user="carol")) == own(33013)
    names.set_table({"carol": (33014, 33014)})
    assert outcome(one.request("user", user="carol")) == own(33013)
    reload(one, {**RANGE, "NameServiceCacheSec": "0"})
    assert outcome(one.request("user", user="carol")) == own(33014)


# @group


@pytest.mark.parametrize(
    "user, address, expected",
    [
        ("user-7", "192.0.2.1", own(32003)),
        ("user-17", "192.0.2.1", own(32003)),
        ("member-7", "192.0.2.1", own(32003)),
        ("user-8", "192.0.2.1", unix(40008)),
        ("user-8", "198.51.100.1", own(32004)),
        ("member-8", "192.0.2.1", 403),  # in the group, and without the account: no further rule is looked at
        ("member-8", "198.51.100.1", own(32004)),
        ("user-6", "192.0.2.1", own(32004)),
        ("member-6", "192.0.2.1", own(32004)),
        ("nobody-of-this-name", "192.0.2.1", own(32004)),
        ("-7", "192.0.2.1", 403),  # a name that is not fit to be looked up may be somebody's of the group
        (None, "192.0.2.1", own(32004)),
        ("alice", "192.0.2.1", own(32001)),
        ("fail-user-7", "192.0.2.1", 503),  # it may be in the group: neither the next rule nor another identity
        ("failgroups-user-6", "198.51.100.1", 503),
        ("crash-user-6", "192.0.2.1", 503),
    ],
)
def test_groups_in_the_middle_of_a_map(stack, user, address, expected):
    assert outcome(stack.request("middle", user=user, REMOTE_ADDR=address)) == expected


def test_nobody_is_looked_up_where_the_rules_before_decide(stack):
    """The look-up would hang."""
    assert outcome(stack.request("middle", user="hang-known")) == own(32002)
    assert outcome(stack.request("plain", user="hang-plain")) == own(32005)
    assert outcome(stack.request("dynamic", user="hang-dynamic"))[0] >= FIRST


def test_answers_are_not_mixed_up(stack):
    """Many different users at the same time, whose answers come in another order than they were asked for."""
    numbers, lock, wrong = iter(range(240)), threading.Lock(), []

    def work(_):
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            slow = f"slow-{number * 37 % 50}-" if number % 3 == 0 else ""
            got = outcome(stack.request("user", user=f"{slow}user-{number}"))
            if got != unix(40000 + number):
                wrong.append((number, got))

    in_threads(work)
    assert not wrong, wrong[:5]


# A name service that does not answer


def test_who_does_not_need_the_name_service_does_not_wait_for_it(stack):
    """As many hang as leave one worker, and then more than there are workers."""
    assert outcome(stack.request("user", user="user-1")) == unix(40001)  # in the cache from now on
    allot = outcome(stack.request("dynamic", user="dora"))
    rest = at_rest(stack.broker.pid)
    since = len(stack.broker_log())
    held = []
    with contextlib.ExitStack() as opened:
        for count, fresh in ((WORKERS - 1, unix(40300)), (WORKERS * 4, None)):
            while len(held) < count:
                held.append(opened.enter_context(stack.begin("user", "report", user=f"hang-{len(held)}")))
            wait_for(lambda: hanging_workers(stack) == min(count, WORKERS), "the workers to hang")
            for _ in range(10):
                assert outcome(stack.request("user", user="user-1")) == unix(40001)
                assert outcome(stack.request("plain")) == own(32005)
                assert outcome(stack.request("middle", user="alice")) == own(32001)
                assert outcome(stack.request("dynamic", user="dora")) == allot
            if fresh:
                assert outcome(stack.request("user", user="user-300")) == fresh
            assert not is_answered(held), "one that hangs is answered"
    # The clients are gone, and nothing of their requests is left.
    ends(stack, since, "hang-", len(held))
    wait_for(lambda: lib.descriptors_of(stack.broker.pid) == rest, "the descriptors to be as before")
    kill_helper(stack, "sandboxd-names")  # its workers would be busy for a minute
    wait_for(lambda: outcome(stack.request("user", user="user-301")) == unix(40301), "accounts to be looked up again")


def hanging_workers(stack):
    """How many workers of sandboxd-names wait in pause(2): 34 on x86-64, 73 as part of ppoll elsewhere (proc(5))."""
    number = 0
    for pid in lib.children_of(helpers(stack)["sandboxd-names"])[0]:
        with contextlib.suppress(OSError):
            number += Path(f"/proc/{pid}/syscall").read_text().split()[0] in ("34", "73")
    return number


def kill_helper(stack, name):
    os.kill(helpers(stack)[name], signal.SIGKILL)
    stack.logged(f"{name} failed")


def test_who_waits_too_long_is_answered_503(make):
    """More than there are workers; the others are answered all the time."""
    one = make(NameServiceTimeoutSec="3s")
    assert outcome(one.request("user", user="user-1")) == unix(40001)
    since, begun = len(one.broker_log()), time.monotonic()
    with contextlib.ExitStack() as opened:
        held = [opened.enter_context(one.begin("user", "report", user=f"hang-{i}")) for i in range(WORKERS * 3)]
        served = 0
        while not is_answered(held):
            assert outcome(one.request("user", user="user-1")) == unix(40001)
            assert outcome(one.request("plain")) == own(32005)
            served += 1
        assert time.monotonic() - begun >= 3, "they have waited"
        assert served > 0, "this shows nothing"
        for connection in held:
            response = connection.read_response()
            check_own_page(response, 503)
            assert int(response.header("retry-after")) > 0
    assert ends(one, since, "hang-", len(held)) == {"the name service did not answer in time"}
    assert outcome(one.request("user", user="user-2")) == unix(40002)


def test_those_who_wait_are_bounded_for_each_service(stack):
    since, rest = len(stack.broker_log()), at_rest(stack.broker.pid)
    with contextlib.ExitStack() as opened:
        held = [opened.enter_context(stack.begin("few", "report", user=f"hang-few-{i}")) for i in range(3)]
        await_launches(stack, rest, 3)
        for user in ("hang-few-3", "user-1", "alice"):
            check_own_page(stack.request("few", user=user), 503)
            logged_end(stack, since, rf'user="{user}" .*reason=MaxConnections= of the service is reached')
        assert outcome(stack.request("user", user="user-1")) == unix(40001)
        assert not is_answered(held)
    wait_for(lambda: stack.request("few", user="alice").status == 200, "places to be free again")


def test_sigterm_while_requests_wait(make):
    """They are answered within bounds, though nobody answers them."""
    one = make(**FOR_EVER)
    with one.begin("user", "report", user="hang-1") as first, one.begin("user", "report", user="hang-2") as second:
        wait_for(lambda: "sandboxd-names" in helpers(one) and hanging_workers(one) == 2, "both to wait")
        one.broker.send_signal(signal.SIGTERM)
        for connection in (first, second):
            check_own_page(connection.read_response(), 503)
        assert one.broker.wait(lib.BOUND) == 0
    assert ends(one, 0, "hang-", 2) == {"sandboxd is stopping"}


def test_sandboxd_names_that_stops_answering_is_replaced(make):
    """However long the name service takes, it says so in time: one that is silent has stopped."""
    one = make(NameServiceTimeoutSec="100ms")
    assert outcome(one.request("user", user="user-1")) == unix(40001)
    pid = helpers(one)["sandboxd-names"]
    os.kill(pid, signal.SIGSTOP)
    since = len(one.broker_log())
    check_own_page(one.request("user", user="user-2"), 503)
    logged_end(one, since, 'user="user-2" .*reason=sandboxd-names failed')
    assert outcome(one.request("plain")) == own(32005)
    wait_for(lambda: outcome(one.request("user", user="user-3")) == unix(40003), "another to answer")
    assert helpers(one)["sandboxd-names"] != pid


def test_sandboxd_names_is_killed_while_it_is_asked(stack):
    assert outcome(stack.request("user", user="user-1")) == unix(40001)
    rest = at_rest(stack.broker.pid)
    with contextlib.ExitStack() as opened:
        held = [opened.enter_context(stack.begin("user", "report", user=f"hang-killed-{i}")) for i in range(12)]
        await_launches(stack, rest, 12)
        wait_for(lambda: hanging_workers(stack) == WORKERS, "the workers to hang")
        pid, since = helpers(stack)["sandboxd-names"], len(stack.broker_log())
        workers = lib.children_of(pid)[0]
        assert not is_answered(held)
        os.kill(pid, signal.SIGKILL)
        for connection in held:
            check_own_page(connection.read_response(), 503)
    assert ends(stack, since, "hang-killed-", 12) == {"sandboxd-names failed"}
    assert re.search(r"\]: sandboxd-names failed: ", stack.broker_log()[since:])
    assert outcome(stack.request("plain")) == own(32005)
    wait_for(lambda: outcome(stack.request("user", user="user-77")) == unix(40077), "accounts to be looked up again")
    assert helpers(stack)["sandboxd-names"] != pid
    wait_for(lambda: not any(is_running(one) for one in workers), "the workers of the killed to end")


def test_sandboxd_allot_is_killed_while_it_is_asked(stack):
    emil = outcome(stack.request("dynamic", user="emil"))
    pid, since, rest = helpers(stack)["sandboxd-allot"], len(stack.broker_log()), at_rest(stack.broker.pid)
    os.kill(pid, signal.SIGSTOP)
    with contextlib.ExitStack() as opened:
        held = [
            opened.enter_context(stack.begin("dynamic", "report", user=user)) for user in ("emil", "frida", "gustav")
        ]
        await_launches(stack, rest, 3)
        assert outcome(stack.request("plain")) == own(32005)
        assert outcome(stack.request("user", user="user-1")) == unix(40001)
        assert not is_answered(held)
        os.kill(pid, signal.SIGKILL)
        for connection in held:
            check_own_page(connection.read_response(), 503)
    assert ends(stack, since, "emil|frida|gustav", 3) == {"sandboxd-allot failed"}
    wait_for(lambda: stack.request("dynamic", user="emil").status == 200, "it to be asked again")
    assert outcome(stack.request("dynamic", user="emil")) == emil
    given = [outcome(stack.request("dynamic", user=user)) for user in ("emil", "frida", "gustav")]
    assert given[0] == emil and len(set(given)) == 3


def programs_without(name, other=None):
    """A folder <base>/libexec with all programs but `name`, or with another in its place."""

    def prepare(base):
        shutil.copytree(lib.BUILD, base / "libexec")
        (base / "libexec" / name).unlink()
        if other:
            shutil.copy(other, base / "libexec" / name)

    return prepare


@pytest.mark.parametrize("other, message", [(None, "cannot be started"), ("/usr/bin/false", "failed")], ids=["no", "wrong"])
@pytest.mark.parametrize(
    "name, service, user", [("sandboxd-names", "user", "user-1"), ("sandboxd-allot", "dynamic", "alice")]
)
def test_a_program_that_cannot_be_asked(make, name, service, user, other, message):
    one = make(prepare=programs_without(name, other))
    restart(one, options=[f"--libexec-dir={one.base}/libexec"])
    since = len(one.broker_log())
    for _ in range(3):
        check_own_page(one.request(service, user=user), 503)
        assert outcome(one.request("plain")) == own(32005)
    one.logged(rf"\]: {name} {message}: ", since)
    shutil.copy(lib.BUILD / name, one.base / "libexec" / "new")
    os.rename(one.base / "libexec" / "new", one.base / "libexec" / name)
    wait_for(lambda: one.request(service, user=user).status == 200, "the program that is there now to be asked")


# What these processes are


def check_process(pid, account):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    uid, gid = lib.account(account)
    assert set(status["Uid"].split()) == {str(uid)} and set(status["Gid"].split()) == {str(gid)}
    assert status["Groups"].split() == [] and status["NoNewPrivs"] == "1"
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert os.stat(f"/proc/{pid}/mem").st_uid == 0, "it is dumpable"
    assert Path(f"/proc/{pid}/environ").read_bytes() == b""


def test_the_processes_that_are_asked_hold_nothing_but_what_they_need(make):
    one = make(**FOR_EVER)
    assert one.request("user", user="user-1").status == 200 and one.request("dynamic", user="alice").status == 200
    with one.begin("user", "report", user="hang-1"):
        wait_for(lambda: hanging_workers(one) == 1, "a worker to hang")
        found = helpers(one)
        names, allot = found["sandboxd-names"], found["sandboxd-allot"]
        workers = lib.children_of(names)[0]
        streams = ["/dev/null", "/dev/null", f"{one.base}/broker.log"]
        pipes = ["pipe", "pipe"]
        assert lib.descriptors_of(allot) == sorted([*streams, *pipes, f"{one.base}/state/allotted/allotted.db"])
        loop = ["anon_inode:[eventpoll]", "anon_inode:[timerfd]"]
        more = ["socket", "anon_inode:[pidfd]"] * len(workers)
        assert lib.descriptors_of(names) == sorted([*streams, *pipes, *loop, *more])
        for worker in workers:
            assert lib.descriptors_of(worker) == sorted([*streams, "socket"])
        ends = [(pid, fd) for pid in (names, allot) for fd in (3, 4)] + [(pid, 3) for pid in workers]
        assert len({os.readlink(f"/proc/{pid}/fd/{fd}") for pid, fd in ends}) == len(ends), "two have the same"
        check_process(allot, "sandboxd-allot")
        for pid in (names, *workers):
            check_process(pid, "sandboxd-names")
        store = os.stat(one.base / "state" / "allotted")
        assert (store.st_uid, store.st_mode & 0o777) == (lib.account("sandboxd-allot")[0], 0o700)
        # However the broker ends, they do too.
        restart(one, signal.SIGKILL)
        wait_for(lambda: not [pid for pid in (names, allot, *workers) if is_running(pid)], "their end")


def is_running(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    return False


# dynamic


def allotted(stack):
    """What `sandboxctl map who` says: {user: uid}."""
    done = stack.control("map who")
    assert done.returncode == 0, done
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert all(len(row) == 3 for row in rows), done.stdout
    found = {name: int(uid) for uid, name, _ in rows}
    assert len(found) == len(set(found.values())) == len(rows), "given twice"
    return found


def dynamic_uid(stack, user):
    uid, gid, groups = identity(stack.request("dynamic", user=user).body)
    assert (gid, groups) == (uid, ()) and FIRST <= uid <= LAST
    return uid


def test_a_uid_of_the_user_s_own_is_kept(make):
    one = make()
    users = ["alice", "bob", "Alice", "user-7", "a@example.org", "\u00e9"]
    given = {user: dynamic_uid(one, user) for user in users}
    assert list(given.values()) == list(range(FIRST, FIRST + len(users))), "the lowest that nobody has"
    assert {user: dynamic_uid(one, user) for user in reversed(users)} == given
    assert one.request("dynamic").status == 403, "nobody is logged in"
    assert one.request("dynamic", user="1234").status == 403
    restart(one)
    assert {user: dynamic_uid(one, user) for user in users} == given
    assert dynamic_uid(one, "new") == FIRST + len(users)
    reload(one, RANGE)
    assert {user: dynamic_uid(one, user) for user in users} == given
    assert allotted(one) == {**given, "new": FIRST + len(users)}
    assert one.control("map who", "bob").stdout.split()[3:5] == [str(given["bob"]), "bob"]
    assert one.control("map who", "mallory").returncode == 1


def test_a_range_that_is_used_up_and_one_that_is_moved(make):
    one = make(["dynamic"], DynamicUID=f"{FIRST}-{FIRST + 2}")
    given = {user: dynamic_uid(one, user) for user in ("alice", "bob", "carol")}
    since = len(one.broker_log())
    check_own_page(one.request("dynamic", user="dora"), 502)
    logged_end(one, since, r'user="dora" .*identity=- .*reason=all 3 uids of DynamicUID= are allotted')
    assert {user: dynamic_uid(one, user) for user in given} == given
    reload(one, {"DynamicUID": f"{FIRST}-{FIRST + 3}"})
    assert dynamic_uid(one, "dora") == FIRST + 3
    reload(one, {"DynamicUID": f"{FIRST + 1}-{FIRST + 10}"})
    since = len(one.broker_log())
    assert one.request("dynamic", user="alice").status == 403
    logged_end(one, since, rf'user="alice" .*identity={FIRST}:{FIRST} .*reason=.*DynamicUID=')
    assert dynamic_uid(one, "bob") == given["bob"]
    assert dynamic_uid(one, "emil") == FIRST + 4
    reload(one, RANGE)
    assert dynamic_uid(one, "alice") == given["alice"]
    assert allotted(one) == {**given, "dora": FIRST + 3, "emil": FIRST + 4}


def first_requests(stack, prefix, given, stopped):
    """First requests of new users, until `stopped`; records in `given` who had which uid."""

    def work(thread):
        for number in range(10000):
            if stopped.is_set():
                return
            user = f"{prefix}-{thread}-{number}"
            given[user] = None  # it may be allotted, whether we are told or not
            with contextlib.suppress(OSError, fcgi.ProtocolError):
                response = stack.request("dynamic", user=user)
                if response.status == 200:
                    given[user] = identity(response.body)[0]

    in_threads(work, 6)


def test_no_uid_is_given_twice_when_the_broker_is_killed(make):
    one = make(["dynamic"])
    given = {}
    for round in range(3):
        stopped, known = threading.Event(), len([uid for uid in given.values() if uid])
        load = threading.Thread(target=first_requests, args=(one, f"r{round}", given, stopped))
        load.start()
        count = lambda: len([uid for uid in list(given.values()) if uid])  # noqa: E731
        try:
            wait_for(lambda known=known: count() >= known + 20, "some to have their uid")
            one.expect_broker_gone = True
            one.broker.kill()
            one.broker.wait(lib.BOUND)
        finally:
            stopped.set()
            load.join()
        one.start_broker()
    users = [user for user in given if given[user]] + [user for user in given if not given[user]][:60]
    now = {user: dynamic_uid(one, user) for user in users}
    assert len(set(now.values())) == len(now), "a uid belongs to two users"
    assert not [(user, uid, now[user]) for user, uid in given.items() if uid and now[user] != uid], "one has changed"
    assert {user: uid for user, uid in allotted(one).items() if user in now} == now


def test_a_store_that_is_somebody_else_s_is_not_used(make):
    one = make()
    alice = dynamic_uid(one, "alice")
    store = one.base / "state" / "allotted"
    uid, gid = lib.account("sandboxd-allot")
    for owner, mode in ((30099, 0o700), (uid, 0o750), (uid, 0o707)):
        os.chown(store, owner, gid)
        store.chmod(mode)
        restart(one)
        since = len(one.broker_log())
        for user in ("alice", "bob"):
            check_own_page(one.request("dynamic", user=user), 503)
        one.logged(rf"{store} is not a folder that is sandboxd-allot's alone", since)
        assert outcome(one.request("plain")) == own(32005)
    os.chown(store, uid, gid)
    store.chmod(0o700)
    wait_for(lambda: one.request("dynamic", user="alice").status == 200, "the store to be used again")
    assert dynamic_uid(one, "alice") == alice and dynamic_uid(one, "bob") == alice + 1


def test_a_store_that_is_a_link_is_not_followed(make):
    def elsewhere(base):
        (base / "state").mkdir(mode=0o711)
        (base / "elsewhere").mkdir(mode=0o700)
        os.chown(base / "elsewhere", *lib.account("sandboxd-allot"))
        (base / "state" / "allotted").symlink_to(base / "elsewhere")

    one = make(prepare=elsewhere)
    check_own_page(one.request("dynamic", user="alice"), 503)
    assert os.listdir(one.base / "elsewhere") == []
