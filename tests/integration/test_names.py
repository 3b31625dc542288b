# SPDX-License-Identifier: Apache-2.0
"""sandboxd-names: what it answers, and that a name service that is slow or dead delays only those who need it."""

import os
import signal
import time

import pytest

import questions
import stack
from questions import FOUND, SECOND, UNAVAILABLE, UNKNOWN, Resolver

WORKERS = 8
QUESTIONS = 1024
TIME_UP = "the name service did not answer in time"
LOST = "the process that asked the name service ended"
PROGRAM = stack.BUILD / "sandboxd-names"


@pytest.fixture
def make_resolver(names, tmp_path):
    """Starts resolvers for one test, and proves at its end that they ended well and left nothing behind."""
    resolvers = []

    def make(status=0, **arguments):
        one = Resolver(PROGRAM, tmp_path / f"log{len(resolvers)}", names.prefix, **arguments)
        resolvers.append((one, status))
        return one

    yield make
    for one, status in resolvers:
        workers = workers_of(one) if one.process.poll() is None else []
        assert one.stop() == status, one.log()
        assert not [pid for pid in workers if is_alive(pid)], "workers are left"


@pytest.fixture
def resolver(make_resolver):
    return make_resolver()


def workers_of(resolver):
    """The pids of its living workers."""
    return [pid for pid in stack.children_of(resolver.pid)[0] if is_alive(pid)]


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


# Numbers of system calls, on x86-64 and where there is the generic table.
PAUSE, RECVMSG = {34, 73}, {47, 212}


def call_of(pid):
    """The system call that a process waits in (proc(5), syscall), or None."""
    with open(f"/proc/{pid}/syscall") as call:
        number = call.read().split()[0]
    return int(number) if number.isdigit() else None


def calls_of(resolver):
    return {call_of(pid) for pid in workers_of(resolver)}


def waits_in_pause(resolver):
    """A worker whose look-up hangs."""
    return next((pid for pid in workers_of(resolver) if call_of(pid) in PAUSE), None)


# What it answers


@pytest.mark.parametrize(
    "name, uid, groups, has_shell",
    [
        ("user-7", 40007, (40007, 50007, 50100), 1),
        ("user-12", 40012, (40012, 50002, 50100), 1),
        ("noshell-7", 40007, (40007, 50007, 50100), 0),
        ("emptyshell-7", 40007, (40007, 50007, 50100), 1),  # passwd(5): /bin/sh
        ("case", 39500, (39500, 50042), 1),
        ("slow-200-user-7", 40007, (40007, 50007, 50100), 1),
        ("huge-user-7", 40007, (40007, 50007, 50100), 1),
        ("root", 0, (0,), 1),  # refused by the broker, not here
    ],
)
def test_found(resolver, name, uid, groups, has_shell):
    answer = resolver.ask(name)
    assert (answer.status, answer.uid, answer.gid, answer.has_shell) == (FOUND, uid, uid, has_shell)
    assert answer.groups == groups and answer.detail == ""


@pytest.mark.parametrize(
    "name, groups",
    [
        ("nobody-of-this-name", ()),
        ("member-7", (50007, 50100)),  # no account, and so no group of its own
        ("many-254-member-7", (50007, 50100, *range(100000, 100254))),
        # A directory that does not tell cases apart: not the account, but its groups, the one of its own among them.
        ("Case", (39500, 50042)),
        ("CASE", (39500, 50042)),
        ("User-7", ()),
    ],
)
def test_unknown(resolver, name, groups):
    answer = resolver.ask(name)
    assert (answer.status, answer.uid, answer.gid, answer.has_shell) == (UNKNOWN, 0, 0, 0)
    assert answer.groups == groups and answer.detail == ""


@pytest.mark.parametrize(
    "name, detail",
    [
        ("fail-user-1", "account: Connection refused"),
        ("tryagain-user-1", "account: Resource temporarily unavailable"),
        ("failgroups-user-1", "groups: Connection refused"),
        ("failgroups-nobody-of-this-name", "groups: Connection refused"),
        ("many-254-user-1", "groups: there are more than an answer holds, 256"),
        ("many-255-member-1", "groups: there are more than an answer holds, 256"),
        ("many-3000-user-1", "groups: there are more than an answer holds, 256"),
        ("crash-user-1", LOST),
    ],
)
def test_unavailable(resolver, name, detail):
    answer = resolver.ask(name)
    assert (answer.status, answer.detail, answer.groups) == (UNAVAILABLE, detail, ())
    assert resolver.ask("user-1").status == FOUND


def test_as_many_groups_as_an_answer_holds(resolver):
    answer = resolver.ask("many-253-user-1")
    assert (answer.status, answer.groups) == (FOUND, (40001, 50001, 50100, *range(100000, 100253)))


@pytest.mark.parametrize("kind", [questions.UID, questions.CATEGORIES])
def test_other_kinds(resolver, kind):
    answer = resolver.ask("user-1", kind=kind, first=1, last=2)
    assert (answer.status, answer.detail) == (UNAVAILABLE, "the name service is asked about accounts only")


# The cache


def test_cached_for_the_ttl_of_the_question(resolver, names):
    names.set_table({"carol": (41000, 42000)})
    assert (resolver.ask("carol").uid, resolver.ask("carol").gid) == (41000, 42000)
    names.set_table({"carol": (41001, 42000)})
    asked = time.monotonic()
    assert resolver.ask("carol", ttl=600 * SECOND).uid == 41000
    assert resolver.ask("carol", ttl=0).uid == 41001  # asked anew, and kept
    names.set_table({"carol": (41002, 42000)})
    assert resolver.ask("carol", ttl=600 * SECOND).uid == 41001
    stack.wait_for(lambda: time.monotonic() > asked + 1, "a second")
    assert resolver.ask("carol", ttl=SECOND).uid == 41002


def test_unknown_is_cached(resolver, names):
    names.set_table({})
    assert resolver.ask("carol").status == UNKNOWN
    names.set_table({"carol": (41000, 42000)})
    assert resolver.ask("carol", ttl=600 * SECOND).status == UNKNOWN
    assert resolver.ask("carol", ttl=0).status == FOUND


def test_unavailable_is_cached_for_a_short_time(resolver):
    """Not asked anew for each question: then its 300 ms would pass each time, on a worker that a test can see."""
    first = resolver.ask("slow-300-fail-user-1", ttl=600 * SECOND)
    begun = time.monotonic()
    assert resolver.ask("slow-300-fail-user-1", ttl=600 * SECOND) == vars_with(first, number=2)
    assert time.monotonic() - begun < 0.3
    time.sleep(2)
    begun = time.monotonic()
    assert resolver.ask("slow-300-fail-user-1", ttl=600 * SECOND) == vars_with(first, number=3)
    assert time.monotonic() - begun >= 0.3


def vars_with(answer, **changes):
    return questions.Answer(**{**vars(answer), **changes})


def test_equal_questions_share_one_look_up(resolver):
    numbers = [resolver.send("slow-500-user-1") for _ in range(100)]
    other = resolver.send("user-2")
    answers = resolver.receive_all([*numbers, other])
    assert list(answers)[0] == other
    assert {answers[number].uid for number in numbers} == {40001}
    assert len(workers_of(resolver)) == 2


# A name service that does not answer


def test_hanging_look_ups_delay_nobody_else(resolver):
    """As many as leave one worker: all others are answered long before the time of those is up."""
    hanging = [resolver.send(f"hang-{i}", timeout=3600 * SECOND) for i in range(WORKERS - 1)]
    for i in range(50):
        assert resolver.ask(f"user-{i}").uid == 40000 + i
    assert len(workers_of(resolver)) == WORKERS and len(hanging) == WORKERS - 1


def test_more_hang_than_there_are_workers(resolver):
    """Those that wait get their answer at their own time, and then there are workers again."""
    resolver.ask("user-1")
    begun = time.monotonic()
    hanging = {resolver.send(f"hang-{i}", timeout=2 * SECOND): 2 for i in range(WORKERS)}
    waiting = {resolver.send(f"hang-more-{i}", timeout=SECOND): 1 for i in range(20)}
    late = resolver.send("user-2", timeout=600 * SECOND)
    before = stack.wait_for(lambda: len(workers_of(resolver)) == WORKERS and workers_of(resolver), "all workers")
    seen = {}
    for _ in range(len(hanging) + len(waiting) + 1):
        answer = resolver.receive()
        seen[answer.number] = answer
        if answer.number == late:
            assert answer.uid == 40002
            assert time.monotonic() - begun < 30, "something else than their times ended those that hang"
        else:
            assert (answer.status, answer.detail) == (UNAVAILABLE, TIME_UP)
            assert time.monotonic() - begun >= {**hanging, **waiting}[answer.number]
    assert set(seen) == {*hanging, *waiting, late}
    assert set(list(seen)[: len(waiting)]) == set(waiting), "the shorter times are up first"
    stack.wait_for(lambda: not set(before[1:]) & set(workers_of(resolver)), "the end of those that hang")
    # Nobody waits for a name that has just hung.
    assert resolver.ask("hang-0", timeout=3600 * SECOND, ttl=600 * SECOND).detail == TIME_UP
    for i in range(20):
        assert resolver.ask(f"user-{i}").uid == 40000 + i


def test_what_comes_late_is_known_to_the_next(resolver, names):
    """The look-up began late, because all workers were busy; it may go on when the question's time is up."""
    names.set_table({"carol": (41000, 42000)})
    busy = [resolver.send(f"slow-1000-user-{i}") for i in range(WORKERS)]  # 2 s: accounts, groups
    late = resolver.send("slow-1750-carol", timeout=5 * SECOND)  # 3.5 s
    answers = resolver.receive_all([*busy, late])
    assert (answers[late].status, answers[late].detail) == (UNAVAILABLE, TIME_UP)
    assert {answers[number].status for number in busy} == {FOUND}
    stack.wait_for(lambda: calls_of(resolver) <= RECVMSG, "workers without work")
    names.set_table({"carol": (41001, 42000)})
    assert resolver.ask("slow-1750-carol", ttl=600 * SECOND).uid == 41000


def test_too_many_questions(resolver):
    hanging = [resolver.send(f"hang-{i}", timeout=3600 * SECOND) for i in range(QUESTIONS)]
    assert not resolver.is_answered()
    surplus = [resolver.send(f"user-{i}") for i in range(10)]
    answers = resolver.receive_all(surplus)
    assert {answer.status for answer in answers.values()} == {UNAVAILABLE}
    assert {answer.detail for answer in answers.values()} == {"too many questions wait for the name service"}
    assert len(hanging) == QUESTIONS and not resolver.is_answered()


def test_questions_about_one_name_take_no_place_of_another(resolver):
    """Requests that are called off leave their questions behind, and may come again at once."""
    waiting = [resolver.send("hang-1", timeout=3600 * SECOND) for _ in range(QUESTIONS // WORKERS)]
    assert not resolver.is_answered()
    for _ in range(QUESTIONS):
        assert resolver.ask("hang-1", timeout=3600 * SECOND).detail == "too many questions wait for this name"
    assert resolver.ask("user-1").status == FOUND
    os.kill(waits_in_pause(resolver), signal.SIGKILL)
    assert {answer.status for answer in resolver.receive_all(waiting).values()} == {UNAVAILABLE}
    assert resolver.ask("user-2").status == FOUND


def test_no_time_at_all(resolver):
    assert resolver.ask("hang-1", timeout=0).detail == TIME_UP
    assert resolver.ask("user-1").status == FOUND
    # As long as can be said is as good as for ever, and no error.
    assert resolver.ask("user-2", timeout=2**64 - 1, ttl=2**64 - 1).status == FOUND


# Workers that end


def test_worker_is_killed_with_a_question(resolver):
    resolver.ask("user-1")
    others = workers_of(resolver)
    number = resolver.send("hang-1", timeout=3600 * SECOND)
    victim = stack.wait_for(lambda: waits_in_pause(resolver), "the worker that hangs")
    slow = resolver.send("slow-1000-user-3")
    os.kill(victim, signal.SIGKILL)
    answers = resolver.receive_all([number, slow])
    assert (answers[number].status, answers[number].detail) == (UNAVAILABLE, LOST)
    assert answers[slow].uid == 40003
    assert victim in others and resolver.ask("user-4").uid == 40004


def test_idle_worker_is_killed(resolver):
    resolver.ask("user-1")
    for pid in workers_of(resolver):
        os.kill(pid, signal.SIGKILL)
        stack.wait_for(lambda pid=pid: not is_alive(pid), "its end")
    for i in range(20):
        assert resolver.ask(f"user-{i}").uid == 40000 + i


def test_crashing_look_ups(resolver):
    for i in range(50):
        assert resolver.ask(f"crash-{i}").status == UNAVAILABLE
    assert resolver.ask("user-1").status == FOUND
    assert "signal 6" in resolver.log()


def test_no_worker_can_be_started(make_resolver):
    """As when the machine has no room for another process."""
    if stack.sanitized("sandboxd-names"):
        pytest.skip("LeakSanitizer makes a process at the end")
    resolver = make_resolver(wrap=["bash", "-c", 'ulimit -u 0; exec "$@"', "bash"])
    for i in range(3):
        assert resolver.ask(f"user-{i}").detail == "no look-up can be begun"
    assert "no worker can be started" in resolver.log()


def test_workers_are_confined(resolver):
    resolver.send("hang-1")
    worker = stack.wait_for(lambda: waits_in_pause(resolver), "the worker")
    fds = {int(name) for name in os.listdir(f"/proc/{worker}/fd")}
    assert fds == {0, 1, 2, 3}
    assert os.readlink(f"/proc/{worker}/fd/3") != os.readlink(f"/proc/{resolver.pid}/fd/3")
    for pid in (worker, resolver.pid):
        # proc(5): the files of a process that is not dumpable are root's, so nobody of its account reads its memory.
        assert os.stat(f"/proc/{pid}/environ").st_uid == 0
        assert pid in stack.processes_of(65534)


# The end


def test_what_is_no_question_ends_it(make_resolver):
    good = questions.question(1, "user-1")
    for packet in (
        b"x",
        good[:-1],
        good + b"x",
        b"\0" * len(good),
        questions.question(0, "user-1"),
        questions.question(1, ""),
        questions.question(1, "a\nb"),
        questions.question(1, "user-1", kind=3),
        questions.question(1, "user-1", first=2, last=1),
    ):
        resolver = make_resolver(status=1)
        resolver.send("hang-1")
        worker = stack.wait_for(lambda one=resolver: waits_in_pause(one), "the worker")
        resolver.write(packet)
        assert resolver.wait() == 1
        assert "what is no question" in resolver.log()
        stack.wait_for(lambda pid=worker: not is_alive(pid), "the end of the worker")


@pytest.mark.parametrize("wrong", ["3<&4", "4>&3", "3</dev/null", "4>/dev/null", "3<&-", "4>&-"])
def test_without_pipes(make_resolver, wrong):
    resolver = make_resolver(status=1, wrap=["/bin/bash", "-c", f'exec {wrong}; exec "$@"', "bash"])
    assert resolver.wait() == 1
    assert "no pipes of the broker's" in resolver.log()


def test_end_of_the_broker(resolver):
    for i in range(WORKERS + 5):
        resolver.send(f"hang-{i}")
    workers = stack.wait_for(lambda: len(workers_of(resolver)) == WORKERS and workers_of(resolver), "all workers")
    assert resolver.stop() == 0
    assert not [pid for pid in workers if is_alive(pid)]


def test_workers_end_with_it(make_resolver):
    resolver = make_resolver(status=-signal.SIGKILL)
    for i in range(WORKERS):
        resolver.send(f"hang-{i}")
    workers = stack.wait_for(lambda: len(workers_of(resolver)) == WORKERS and workers_of(resolver), "all workers")
    os.kill(resolver.pid, signal.SIGKILL)
    for pid in workers:
        stack.wait_for(lambda pid=pid: not is_alive(pid), "the end of a worker")


def test_not_as_root(make_resolver):
    resolver = make_resolver(status=1, account=())
    assert resolver.wait() == 1
    assert "not to run as root" in resolver.log()


# Bounds


def test_broker_that_takes_no_answers(resolver):
    """It is asked for no more questions: what we can send is bounded, and each is answered in the end."""
    resolver.ask("user-1")
    os.set_blocking(resolver.questions, False)
    sent, quiet = [], 0
    while quiet < 20:  # the other side may just be about to take one more
        try:
            sent.append(resolver.send("user-1", ttl=600 * SECOND))
            quiet = 0
        except BlockingIOError:
            resolver.number -= 1
            quiet += 1
            time.sleep(0.05)
        assert len(sent) < 20000
    before = processor_ticks_of(resolver.pid)
    time.sleep(1)
    assert processor_ticks_of(resolver.pid) - before < 20, "it waits busily"
    os.set_blocking(resolver.questions, True)
    assert {answer.uid for answer in resolver.receive_all(sent).values()} == {40001}
    assert resolver.ask("user-2").uid == 40002


def processor_ticks_of(pid):
    """User and system time in 1/100 s (proc(5), stat)."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_bounded_over_many_questions(resolver):
    """Descriptors and memory, when there are more names than the cache holds, and once more as many."""

    def ask_many(first, count):
        for start in range(first, first + count, 50):
            numbers = {resolver.send(f"user-{i}", ttl=600 * SECOND): i for i in range(start, start + 50)}
            for number, answer in resolver.receive_all(numbers).items():
                assert answer.uid == 40000 + numbers[number]

    ask_many(0, 10000)
    descriptors, memory = stack.descriptors_of(resolver.pid), stack.rss_of(resolver.pid)
    ask_many(10000, 10000)
    assert stack.descriptors_of(resolver.pid) == descriptors
    assert len(workers_of(resolver)) <= WORKERS
    if not stack.sanitized("sandboxd-names"):
        assert memory < 32 << 20
        assert stack.rss_of(resolver.pid) < memory + (2 << 20)
