# SPDX-License-Identifier: Apache-2.0
"""Another identity map comes into force while requests run, small and large ones, and broken ones do not."""

import contextlib
import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import pytest
import stack as lib
from stack import wait_for
from test_map import at_rest, await_launches, helpers, identity, outcome, own
from test_path import APP

THREADS = 6
ROUNDS = 20
LARGE = 60_000
FIRST, SECOND = 33000, 33100  # thread N is FIRST + N under one map, SECOND + N under the other


def small(first):
    return "".join(f"cgi t{n} any any {first + n}:{first + n}\n" for n in range(THREADS))


def large(first):
    """As many rules before the ones that decide, of every kind."""
    kinds = (
        "cgi filler{0} any any 34000:34000\n",
        "cgi any 10.{1}.{2}.0/24 any 34001:34001\n",
        "cgi any any h{0}.example.com 34002:34002\n",
        "any any any *.d{0}.example.com 34003:34003\n",
    )
    return "".join(kind.format(n, n // 256, n % 256) for n in range(LARGE // 4) for kind in kinds) + small(first)


@pytest.fixture
def stack(make_stack):
    return make_stack({"cgi": APP}, maps={"1.map": small(FIRST)})


def write(stack, text):
    new = stack.base / "config" / "new"
    new.write_text(text)
    new.chmod(0o644)
    os.rename(new, stack.base / "config" / "maps" / "1.map")


def reload(stack, text):
    """Returns the line that says what came of it."""
    since = len(stack.broker_log())
    write(stack, text)
    stack.drop_notifications()
    stack.broker.send_signal(signal.SIGHUP)
    return stack.logged(r"(configuration \d+ in force: .*|configuration in \S+ refused: .*)\n", since)[1]


class Load:
    """Requests from several threads, as fast as they are answered, until stop(); each answer is checked."""

    def __init__(self, stack):
        self.stack, self.stopped, self.failures, self.served = stack, threading.Event(), [], [0] * THREADS
        self.threads = [threading.Thread(target=self._work, args=(n,)) for n in range(THREADS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join(lib.BOUND * 2)
            assert not thread.is_alive(), "a client is stuck"

    def _work(self, n):
        allowed = own(FIRST + n), own(SECOND + n)
        while not self.stopped.is_set() and not self.failures:
            try:
                got = outcome(self.stack.request("cgi", user=f"t{n}"))
            except Exception as error:
                got = error
            self.served[n] += 1
            if got not in allowed:
                self.failures.append((n, got))

    def check(self):
        assert not self.failures, self.failures

    def wait_more(self):
        """Each thread has been answered anew."""
        before = list(self.served)
        wait_for(
            lambda: self.failures or all(now > was for now, was in zip(self.served, before)), "requests under load"
        )
        self.check()


def everybody(stack):
    """What the six are now: for requests that begin now."""
    return [identity(stack.request("cgi", user=f"t{n}").body)[0] for n in range(THREADS)]


def leavings(stack):
    """(the broker's descriptors, its children), as they are after requests one by one."""
    everybody(stack)
    descriptors = [re.sub(r"(/cgi)\.\d+", r"\1", one) for one in at_rest(stack.broker.pid)]
    children = sorted(lib.command_of(pid).split(" ")[0] for pid in lib.children_of(stack.broker.pid)[0])
    return descriptors, children


def test_no_request_meets_a_reload(stack):
    assert everybody(stack) == [FIRST + n for n in range(THREADS)]
    before = leavings(stack)
    with Load(stack) as load:
        for round in range(ROUNDS):
            first = FIRST if round % 2 else SECOND
            assert "in force" in reload(stack, small(first))
            assert everybody(stack) == [first + n for n in range(THREADS)], "what begins after it is under the new one"
            load.wait_more()
            if round % 5 == 2:
                said = reload(stack, small(FIRST) + "# fine\ncgi  x any any  0:0\n")
                assert "refused" in said and "the one before stays in force" in said
                assert re.search(rf"^{stack.base}/config/maps/1\.map:{THREADS + 2}:\d+: error: 0:0 .*\n"
                                 r"cgi  x any any  0:0\n *\^\n", stack.broker_log(), re.MULTILINE)
                assert everybody(stack) == [first + n for n in range(THREADS)]
    load.check()
    assert f"configuration {ROUNDS + 1} in force" in stack.broker_log()
    reload(stack, small(FIRST))  # what the load had at once goes with the configuration that it ran under
    after = leavings(stack)
    assert after == before
    assert len(lib.zygotes_of(stack.broker.pid)) == 1


def test_reloads_that_overtake_each_other_end_with_the_last(stack):
    """Nobody waits for one to be over before the next."""
    before = leavings(stack)
    for round in range(ROUNDS):
        write(stack, small(SECOND + round))
        stack.drop_notifications()
        stack.broker.send_signal(signal.SIGHUP)
    last = [SECOND + ROUNDS - 1 + n for n in range(THREADS)]
    wait_for(lambda: stack.drop_notifications() or everybody(stack) == last, "the last one")
    assert leavings(stack) == before


@pytest.mark.parametrize(
    "text, place",
    [
        ("cgi t0 any any 0:0\n", r"1:\d+: error"),
        ("cgi t0 any any 33000:33000\n\n  nosuch any any any deny\n", r"3:3: error"),
        ("cgi t0 10.0.0.1/8 any 33000:33000\n", r"1:8: error"),
        ("cgi t0 any any no-such-account\n", r"1:16: error"),
        ("cgi @no-such-group any any 33000:33000\n", r"1:5: error"),
        ("cgi anonymous any any %user\n", r"1:23: error"),
        ("cgi t0 any any dynamic\n", r"1:16: error"),  # without DynamicUID=
        ("cgi t0 any any 33000:33000 Nice=20\n", r"1:28: error"),
        ("cgi t0 any any\n", r"1:\d+: error"),
        ('cgi "t0 any any deny\n', r"1:5: error"),
    ],
)
def test_a_broken_map_is_refused_with_its_place(stack, text, place):
    since = len(stack.broker_log())
    assert "the one before stays in force" in reload(stack, text)
    log = stack.broker_log()[since:]
    assert re.search(rf"^{stack.base}/config/maps/1\.map:{place}: ", log, re.MULTILINE), log
    assert everybody(stack) == [FIRST + n for n in range(THREADS)]
    done = stack.control("check")
    assert done.returncode == 1 and re.search(rf"/maps/1\.map:{place}: ", done.stdout + done.stderr), done


def test_many_rules(stack):
    """They are in force for all who ask meanwhile and afterwards; and small again."""
    write(stack, large(SECOND))
    done = stack.control("check")
    assert done.returncode == 0 and f"{LARGE + THREADS} identity rules, no errors" in done.stdout, done
    before = leavings(stack)
    with Load(stack) as load:
        for first in (SECOND, FIRST):
            said = reload(stack, large(first))
            assert f"{LARGE + THREADS} identity rules" in said
            load.wait_more()
            assert everybody(stack) == [first + n for n in range(THREADS)]
        # One error at the very end.
        said = reload(stack, large(SECOND) + "cgi any any any 1:1\n")
        assert "refused" in said
        assert re.search(rf"^{stack.base}/config/maps/1\.map:{LARGE + THREADS + 1}:\d+: error: .*\n"
                         r"cgi any any any 1:1\n", stack.broker_log(), re.MULTILINE)
        load.wait_more()
        assert everybody(stack) == [FIRST + n for n in range(THREADS)]
    load.check()
    last = LARGE // 4 - 1
    for more, expected in (
        ({"user": f"filler{last}"}, own(34000)),
        ({"REMOTE_ADDR": f"10.{last // 256}.{last % 256}.7"}, own(34001)),
        ({"REMOTE_ADDR": f"10.{(last + 1) // 256}.{(last + 1) % 256}.7"}, 403),
        ({"SERVER_NAME": f"H{last}.example.com"}, own(34002)),
        ({"SERVER_NAME": f"www.d{last}.example.com"}, own(34003)),
        ({"SERVER_NAME": f"d{last}.example.com"}, 403),
        ({}, 403),
    ):
        assert outcome(stack.request("cgi", **more)) == expected, more
    # What explains goes through the rules one by one, and comes to the same.
    write(stack, large(FIRST))
    done = stack.control("map explain", "--service=cgi", "--user=t3", "--address=192.0.2.7")
    assert done.returncode == 0 and f"\ndecision: {stack.base}/config/maps/1.map:{LARGE + 4}\n" in done.stdout
    assert "in force" in reload(stack, small(SECOND))
    assert everybody(stack) == [SECOND + n for n in range(THREADS)]
    assert leavings(stack) == before


def rests(folder, seen):
    """Runs the compiler as in a reload, until it rests or has ended; returns whether it did rest."""
    trace = Path(seen)
    output, rules = (os.memfd_create(name, os.MFD_ALLOW_SEALING) for name in ("index", "map"))
    command = ["strace", "-o", trace, "-e", "trace=clock_nanosleep", "--quiet=all", lib.BUILD / "sandboxd-compile"]
    command += [f"--config={folder}", f"--output-fd={output}", f"--map-fd={rules}", "--yield"]
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}  # LeakSanitizer does not work under strace
    process = subprocess.Popen(command, pass_fds=(output, rules), env=environment)
    try:
        wait_for(lambda: process.poll() is not None or trace.exists() and trace.read_text(), "the compiler")
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            for pid in lib.children_of(process.pid)[0]:
                os.kill(pid, signal.SIGKILL)
        assert process.wait(lib.BOUND) in (0, -signal.SIGKILL)  # strace ends as what it has run
    finally:
        process.kill()
        process.wait()
        os.close(output)
        os.close(rules)
    return "clock_nanosleep" in trace.read_text()


def test_the_compiler_rests_for_a_large_map_and_not_for_many_services(tmp_path):
    """Each service takes milliseconds, for its filters."""
    keys = {"FrontEndUser": "root", "ScriptDirectory": "/usr/lib/cgi-bin", "BindReadOnlyPaths": "/usr"}
    many = {f"s{n}": keys for n in range(400)}
    lib.write_configuration(tmp_path / "many", {"cgi": keys, **many}, {"1.map": small(FIRST)})
    lib.write_configuration(tmp_path / "large", {"cgi": keys}, {"1.map": large(FIRST) * 5})
    assert not rests(tmp_path / "many", tmp_path / "many.trace")
    assert rests(tmp_path / "large", tmp_path / "large.trace")


def test_a_compiler_that_is_killed_changes_nothing(stack):
    write(stack, large(SECOND))
    since = len(stack.broker_log())
    stack.broker.send_signal(signal.SIGHUP)
    compiler = lambda: [  # noqa: E731
        pid for pid in lib.children_of(stack.broker.pid)[0] if "sandboxd-compile" in lib.command_of(pid)
    ]
    wait_for(compiler, "the compiler")
    os.kill(compiler()[0], signal.SIGKILL)
    stack.logged("refused: .*the one before stays in force", since)
    assert everybody(stack) == [FIRST + n for n in range(THREADS)]
    assert "in force" in reload(stack, small(SECOND))
    assert everybody(stack) == [SECOND + n for n in range(THREADS)]


def test_a_request_that_waits_for_an_answer_is_decided_by_the_map_it_began_with(make_stack):
    """It is asked for a uid when the map changes; the uid is given under the old one."""
    one = make_stack(
        {"cgi": APP}, maps={"1.map": "cgi any any any dynamic\n"}, main={"DynamicUID": "2000000-2000099"}
    )
    first = identity(one.request("cgi", user="alice").body)[0]
    allot = helpers(one)["sandboxd-allot"]
    before = at_rest(one.broker.pid)
    os.kill(allot, signal.SIGSTOP)
    with one.begin("cgi", "report", user="alice") as connection:
        await_launches(one, before, 1)
        assert "in force" in reload(one, "cgi any any any 33000:33000\n")
        assert outcome(one.request("cgi", user="alice")) == own(33000)
        os.kill(allot, signal.SIGCONT)
        assert identity(connection.read_response().body)[0] == first


def test_control_groups_of_configurations_that_are_over_do_not_pile_up(stack):
    """Each has had a zygote, which is killed with it; that may take a moment."""
    folders = lambda: [  # noqa: E731
        path for path in lib.cgroups_of([stack.broker.pid]) if re.search(r"/cgi\.\d+$", path)
    ]
    for round in range(30):
        reload(stack, small(SECOND if round % 2 else FIRST))
        everybody(stack)
    assert 1 <= len(folders()) <= 2, folders()
