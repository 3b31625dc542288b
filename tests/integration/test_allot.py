# SPDX-License-Identifier: Apache-2.0
"""sandboxd-allot: what it has answered is kept, whatever happens to it, and nothing is given twice."""

import contextlib
import itertools
import os
import pwd
import random
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

import questions
import stack as lib
from questions import CATEGORIES, EXHAUSTED, FOUND, UID, UNAVAILABLE, Resolver, question

ACCOUNT = "sandboxd-allot"
PROGRAM = lib.BUILD / "sandboxd-allot"
FIRST, LAST = 100000, 1999999
ROUNDS = 60


class Keepers:
    """A store and the keepers that a test starts on it."""

    def __init__(self, logs):
        self.logs = logs
        self.directory = Path(tempfile.mkdtemp(prefix="sandboxd-test-allot."))
        self.database = self.directory / "allotted.db"
        self.journal = self.directory / "allotted.db-journal"
        self.running = []
        shutil.chown(self.directory, ACCOUNT, ACCOUNT)

    def start(self, *before):
        log = self.logs / f"keeper{len(list(self.logs.iterdir()))}"
        account = (f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups")
        keeper = Resolver(PROGRAM, log, prefix=before, account=account, arguments=[str(self.directory)])
        self.running.append(keeper)
        return keeper

    def stop(self, keeper):
        self.running.remove(keeper)
        return keeper.stop()

    def wait(self, keeper):
        self.running.remove(keeper)
        keeper.close()
        return keeper.wait()

    def has_hot_journal(self):
        """Whether a transaction was cut off in the midst: https://www.sqlite.org/fileformat.html, 3."""
        return self.journal.exists() and self.journal.read_bytes()[:8].hex() == "d9d505f920a163d7"

    def lines(self):
        """What --list prints, as root."""
        done = subprocess.run([PROGRAM, "--list", self.directory], capture_output=True, timeout=lib.BOUND)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def list(self):
        """The same: name to uid, and uid to pair; the order is checked, and that nothing is there twice."""
        names, pairs, keys = {}, {}, []
        for line in self.lines():
            kind, uid, what = line.split(b"\t")
            keys.append((int(uid), kind == b"categories"))
            if kind == b"name":
                names[what.decode()] = int(uid)
            else:
                assert kind == b"categories"
                pairs[int(uid)] = tuple(int(category.removeprefix(b"c")) for category in what.split(b","))
        assert keys == sorted(set(keys))
        assert len(names) + len(pairs) == len(keys) and len(set(pairs.values())) == len(pairs)
        return names, pairs


@pytest.fixture
def keepers(machine, tmp_path):
    mine = Keepers(tmp_path)
    yield mine
    for keeper in list(mine.running):
        assert mine.stop(keeper) == 0, keeper.log()
    shutil.rmtree(mine.directory)


def ask_uid(keeper, name, first=FIRST, last=LAST):
    return keeper.ask(name, kind=UID, first=first, last=last)


class Locked(AssertionError):
    """The store was another's for as long as the keeper waits."""


def check_unlocked(answer):
    if answer.status == UNAVAILABLE and "locked" in answer.detail:
        raise Locked(answer)


def uid_of(keeper, name, **arguments):
    answer = ask_uid(keeper, name, **arguments)
    check_unlocked(answer)
    assert answer.status == FOUND, (answer, keeper.log())
    return answer.uid


def pair_of(keeper, uid, first=0, last=1023):
    answer = keeper.ask(kind=CATEGORIES, uid=uid, first=first, last=last)
    check_unlocked(answer)
    assert answer.status == FOUND, (answer, keeper.log())
    assert answer.first < answer.second
    return answer.first, answer.second


def is_sanitized(keeper):
    return "sanitizer build" in keeper.log()


def test_answers(keepers):
    keeper = keepers.start()
    assert [uid_of(keeper, name) for name in ("alice", "Alice", "alice", "\u00e9")] == [
        FIRST, FIRST + 1, FIRST, FIRST + 2]
    assert [pair_of(keeper, uid) for uid in (1000, 1001, 1002, 1000)] == [(0, 1), (0, 2), (1, 2), (0, 1)]
    full = ask_uid(keeper, "late", last=FIRST + 2)
    assert (full.status, full.detail, full.uid) == (EXHAUSTED, "all 3 uids of DynamicUID= are allotted", 0)
    full = keeper.ask(kind=CATEGORIES, uid=1003, first=0, last=2)
    assert (full.status, full.detail) == (EXHAUSTED, "all 3 category pairs of MCSCategories= are allotted")
    other = keeper.ask("alice")
    assert other.status == UNAVAILABLE and other.detail
    assert keepers.stop(keeper) == 0
    again = keepers.start()
    assert uid_of(again, "Alice", first=5, last=6) == FIRST + 1
    assert pair_of(again, 1002, first=7, last=8) == (1, 2)
    assert keepers.list() == ({"alice": FIRST, "Alice": FIRST + 1, "\u00e9": FIRST + 2},
                              {1000: (0, 1), 1001: (0, 2), 1002: (1, 2)})


def test_questions_that_wait_are_answered_in_order(keepers):
    keeper = keepers.start()
    numbers = [keeper.send(f"user{i}", kind=UID, first=FIRST, last=LAST) for i in range(30)]
    answers = [keeper.receive() for _ in numbers]
    assert [answer.number for answer in answers] == numbers
    assert [answer.uid for answer in answers] == list(range(FIRST, FIRST + 30))


@pytest.mark.parametrize("packet", [
    b"x",
    question(1, "alice", kind=UID, first=1, last=2)[:-1],
    question(1, "alice", kind=UID, first=1, last=2) + b"\0",
    question(1, "alice", kind=UID, first=1, last=2, magic=1),
    question(1, "al\nice", kind=UID, first=1, last=2),
    question(0, "alice", kind=UID, first=1, last=2),
    question(1, "alice", kind=7, first=1, last=2),
])
def test_a_malformed_question_ends_it(keepers, packet):
    keeper = keepers.start()
    assert uid_of(keeper, "alice") == FIRST
    keeper.write(packet)
    while answer := keeper.receive():  # a whole question may be in front
        assert answer.number == 1 and len(packet) > questions.QUESTION.size
    assert keepers.wait(keeper) == 1
    assert "of one build" in keeper.log()


def test_what_it_runs_as(keepers):
    keeper = keepers.start()
    uid_of(keeper, "alice")
    status = dict(line.split(":", 1) for line in Path(f"/proc/{keeper.pid}/status").read_text().splitlines())
    account = pwd.getpwnam(ACCOUNT)
    assert set(status["Uid"].split()) == {str(account.pw_uid)} and set(status["Gid"].split()) == {str(account.pw_gid)}
    assert int(status["CapEff"], 16) == 0 and int(status["NoNewPrivs"]) == 1
    assert os.stat(f"/proc/{keeper.pid}/mem").st_uid == 0, "it is dumpable"
    made = os.stat(keepers.database)
    assert made.st_mode & 0o7777 == 0o600 and made.st_uid == account.pw_uid
    assert os.listdir(keepers.directory) == ["allotted.db"]


def test_it_reaches_no_file_elsewhere(keepers, tmp_path):
    """Its account could write there: what holds is Landlock."""
    elsewhere = Keepers(tmp_path)
    keepers.database.symlink_to(elsewhere.database)
    keeper = keepers.start()
    answer = ask_uid(keeper, "alice")
    if is_sanitized(keeper):
        assert answer.status == FOUND
    else:
        assert answer.status == UNAVAILABLE
        assert os.listdir(elsewhere.directory) == []
    shutil.rmtree(elsewhere.directory)


def ask_until_killed(keeper, known, prefix, delay):
    """Asks for new names and pairs as fast as they come, four questions ahead; records in `known` what was answered."""
    killer = threading.Timer(delay, os.kill, (keeper.pid, 9))
    asked = {}

    def receive():
        answer = keeper.receive()
        if answer:
            assert answer.status == FOUND, (answer, keeper.log())
            key = asked.pop(answer.number)
            known[key] = answer.uid if isinstance(key, str) else (answer.first, answer.second)
        return answer

    killer.start()
    with contextlib.suppress(BrokenPipeError):
        for serial in itertools.count():
            if serial % 2:
                asked[keeper.send(f"r{prefix}-{serial}", kind=UID, first=FIRST, last=LAST)] = f"r{prefix}-{serial}"
            else:
                uid = prefix * 1000 + serial
                asked[keeper.send(kind=CATEGORIES, uid=uid, first=0, last=1023)] = uid
            if len(asked) == 4 and not receive():
                break
    while receive():  # sent before it was killed
        pass
    killer.join()


def test_what_was_answered_outlives_kill_9(keepers):
    known, journals = {}, 0
    chance = random.Random()
    for number in range(1, ROUNDS + 1):
        keeper = keepers.start()
        assert uid_of(keeper, "always") == FIRST
        ask_until_killed(keeper, known, number, chance.uniform(0, 0.05))
        assert keepers.wait(keeper) == -9
        if keepers.journal.exists() and keepers.journal.stat().st_size:
            journals += 1
            if number % 2:  # else the next keeper plays it back
                keepers.list()
                assert not keepers.has_hot_journal()
    print(f"{len(known)} answers, {journals} journals left behind")
    assert journals, "no kill hit a transaction: this shows nothing"
    keeper = keepers.start()
    for key, value in known.items():
        assert (uid_of(keeper, key) if isinstance(key, str) else pair_of(keeper, key)) == value
    assert known, "nothing was answered: this shows nothing"
    assert len(set(known.values())) == len(known), "given twice"
    names, pairs = keepers.list()
    assert {**names, **pairs}.items() >= known.items()
    # At most what was asked and not answered is there besides.
    assert len(names) + len(pairs) <= len(known) + 1 + 4 * ROUNDS


def until_unlocked(ask, keeper, key):
    """Asks again while the other keeper has the store: SQLite's waiting is not fair, and it is bounded."""
    for _ in range(30):
        with contextlib.suppress(Locked):
            return ask(keeper, key)
    raise AssertionError(f"{key}: locked again and again")


def test_two_keepers_on_one_store(keepers):
    """They ask at the same time, for the same names and for their own."""
    two = [keepers.start(), keepers.start()]
    uids, pairs, failures = [{}, {}], [{}, {}], []

    def ask(which):
        try:
            for i in range(150):
                name = f"common{i}" if i % 3 else f"own{which}-{i}"
                uids[which][name] = until_unlocked(uid_of, two[which], name)
                uid = 1000 + i if i % 3 else 10000 * (which + 1) + i
                pairs[which][uid] = until_unlocked(pair_of, two[which], uid)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=ask, args=(which,)) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for given in uids, pairs:
        both = {**given[0], **given[1]}
        assert len(both) == 200 and len(set(both.values())) == 200
        assert all(given[0][key] == given[1][key] for key in given[0].keys() & given[1].keys())
    assert keepers.list() == ({**uids[0], **uids[1]}, {**pairs[0], **pairs[1]})


def test_a_locked_store(keepers):
    """Somebody holds it: known names are answered, new ones refused in bounded time."""
    keeper = keepers.start()
    assert uid_of(keeper, "alice") == FIRST
    other = sqlite3.connect(keepers.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    answer = ask_uid(keeper, "bob")
    assert answer.status == UNAVAILABLE and "locked" in answer.detail
    assert 1 < time.monotonic() - begun < 30
    assert uid_of(keeper, "alice") == FIRST
    other.close()
    assert uid_of(keeper, "bob") == FIRST + 1


def test_a_slow_reader_holds_up_nobody(keepers):
    """Of the list, which is longer than a pipe."""
    keeper = keepers.start()
    for i in range(40):
        uid_of(keeper, f"user{i}")
    fill = sqlite3.connect(keepers.database)
    fill.executemany("INSERT INTO uids (uid, name) VALUES (?, ?)",
                     [(FIRST + 1000 + i, b"filler%d" % i) for i in range(10000)])
    fill.commit()
    fill.close()
    reader = subprocess.Popen([PROGRAM, "--list", keepers.directory], stdout=subprocess.PIPE)
    first = reader.stdout.read(1)
    assert uid_of(keeper, "new") == FIRST + 40
    assert (first + reader.stdout.read()).count(b"\n") in (10040, 10041)
    assert reader.wait() == 0


def test_a_full_disk(keepers):
    """A tmpfs of its own, in a mount namespace that nobody else sees."""
    account = pwd.getpwnam(ACCOUNT)
    options = f"size=256k,mode=0700,uid={account.pw_uid},gid={account.pw_gid}"
    keeper = keepers.start("/usr/bin/unshare", "--mount", "--propagation=private", "/bin/sh", "-c",
                           f'mount -t tmpfs -o {options} tmpfs {keepers.directory} && exec "$@"', "sh")
    assert uid_of(keeper, "alice") == FIRST
    inside = Path(f"/proc/{keeper.pid}/root") / keepers.directory.relative_to("/")
    assert (inside / "allotted.db").exists() and not keepers.database.exists()
    with pytest.raises(OSError), (inside / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    for name in "bob", "carol":
        answer = ask_uid(keeper, name)
        assert answer.status == UNAVAILABLE and "full" in answer.detail, answer
        assert uid_of(keeper, "alice") == FIRST
    assert keeper.ask(kind=CATEGORIES, uid=1000, first=0, last=1023).status == UNAVAILABLE
    (inside / "filler").unlink()
    assert uid_of(keeper, "carol") == FIRST + 1
    assert uid_of(keeper, "bob") == FIRST + 2
    assert pair_of(keeper, 1000) == (0, 1)
    assert keeper.log().count("make room on its file system") == 1


def test_trouble_is_logged_once(keepers):
    keepers.database.write_text("alice 100000\n")
    shutil.chown(keepers.database, ACCOUNT)
    keeper = keepers.start()
    for i in range(5):
        assert ask_uid(keeper, f"user{i}").status == UNAVAILABLE
    assert keeper.log().count(f"cannot use {keepers.database}: file is not a database; restore it") == 1
    assert keepers.database.read_text() == "alice 100000\n"
    keepers.database.unlink()
    assert uid_of(keeper, "alice") == FIRST


def test_a_directory_that_is_not_its_own(keepers):
    shutil.chown(keepers.directory, "root")
    keeper = keepers.start()
    answer = ask_uid(keeper, "alice")
    assert answer.status == UNAVAILABLE
    assert "unable to open database file" in keeper.log() and ACCOUNT in keeper.log()
    shutil.chown(keepers.directory, ACCOUNT)


def test_the_list_of_nothing(keepers):
    assert keepers.lines() == []
    assert os.listdir(keepers.directory) == []


def test_no_name_breaks_a_line(keepers):
    keeper = keepers.start()
    assert uid_of(keeper, r"back\slash") == FIRST
    edited = sqlite3.connect(keepers.database)
    edited.execute("INSERT INTO uids (uid, name) VALUES (7, ?)", (b"a\nname\t8\tb\0\x7f\x1b[2J",))
    edited.commit()
    edited.close()
    assert keepers.lines() == [rb"name	7	a\x0aname\x098\x09b\x00\x7f\x1b[2J", rb"name	100000	back\x5cslash"]


@pytest.mark.parametrize("arguments", [
    [], ["a", "b"], ["--help"], ["--list"], ["--list", "/nonexistent"], ["/nonexistent"]])
def test_arguments(machine, arguments):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, timeout=lib.BOUND)
    assert done.returncode == 1 and done.stderr and not done.stdout
