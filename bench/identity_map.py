# SPDX-License-Identifier: Apache-2.0
"""The identity map at size: requests under ten rules and under a million, and while a million are compiled."""

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import benchmark
import checks
import cold
import load
from benchmark import Contender, harness

RULES = 1_000_000
# Who asks: a user, a host and an address that rules of every kind are about, decided by the last rule.
ASKS = {"REMOTE_USER": "user7", "SERVER_NAME": "www7.customer7.example", "REMOTE_ADDR": "10.7.7.7"}
WHOLE_BOUND = 1900  # seconds for a reload: the broker gives a compiler that yields 1800, and one that does not 90
THINK = """
-- Each connection waits between two requests, so that the machine is not at its limit and a stall shows.
function delay() return math.random(0, 12) end
"""


def rules(service, count):
    """`count` rules, mixed: users, networks of all lengths, hosts, suffixes. The last admits everybody."""
    generator = random.Random(count)
    lines = []
    for i in range(count - 1):
        kind = i % 10
        prefix = generator.randint(12, 32)
        network = (generator.getrandbits(32) >> (32 - prefix)) << (32 - prefix)
        v4 = f"{network >> 24}.{network >> 16 & 255}.{network >> 8 & 255}.{network & 255}/{prefix}"
        if kind < 4:
            # The user of the requests among them, from an address that is not theirs.
            lines.append(f"{service} user{i} {'192.0.2.0/24' if i == 7 else 'any'} any 30002:30002")
        elif kind < 6:
            lines.append(f"{service} somebody {v4} any 30003:30003")
        elif kind < 7:
            lines.append(f"{service} somebody 2001:db8:{generator.getrandbits(16):x}::/48 any 30003:30003")
        elif kind < 9:
            lines.append(f"{service} nobody-else any www{i}.customer{i % 50000}.example 30004:30004")
        else:
            lines.append(f"{service} user{i} any *.customer{i % 50000}.example 30005:30005")
    return "\n".join([*lines, f"{service} any any any 30001:30001"]) + "\n"


@contextlib.contextmanager
def started(base):
    """
    One of ours with two services, alike but for the number of rules for each. Two brokers would differ by more than the
    rules: see benchmark.run_anew().
    """
    apps = cold.compile_hello(base)
    counts = {f"map{count}": count for count in (10, RULES)}
    with contextlib.ExitStack() as cleanup:
        stack, group = benchmark.start_ours(
            cleanup, {name: cold.SERVICE for name in counts},
            {f"{name}.map": rules(name, count) for name, count in counts.items()}, [apps / "hello"],
        )
        found = [Contender(name, f"map {count} rules", stack.door(name), "/apps/hello", checks.cold, group, **ASKS)
                 for name, count in counts.items()]
        port = cleanup.enter_context(benchmark.web_server(base, found))
        for contender in found:
            contender.check(contender, port)
        yield stack, *found, port


class Reload:
    """A reload that was asked for, and the compiler that the broker started for it."""

    def __init__(self, stack):
        self.stack = stack
        assert not compilers(stack), "a compiler runs before a reload is asked for"
        self.log = open(stack.base / "broker.log", "rb")
        self.log.seek(0, os.SEEK_END)
        stack.drop_notifications()
        stack.broker.send_signal(signal.SIGHUP)
        time.sleep(1.5)  # it reads the map's file, and has used what it may use without rests
        running = compilers(stack)
        assert len(running) == 1, f"{len(running)} compilers run after a reload was asked for"
        self.compiler = running[0]
        self.used = ticks(self.compiler)

    def assert_at_work(self):
        """The same compiler still runs, and has computed since."""
        assert compilers(self.stack) == [self.compiler], "the compiler has ended while its influence was measured"
        assert ticks(self.compiler) > self.used, "the compiler did nothing while its influence was measured"

    def says(self, what):
        """Reads what the broker adds to its log, little by little: whoever measures must not be what is measured."""
        self.stack.drop_notifications()
        return what in self.log.read()

    def cancel(self):
        """The broker keeps the configuration that it has."""
        os.kill(self.compiler, signal.SIGKILL)
        harness.wait_for(lambda: self.says(b" refused: "), "the broker to give the reload up")
        self.close()

    def close(self):
        self.log.close()
        harness.wait_for(lambda: not compilers(self.stack), "the compiler to be gone")


def compilers(stack):
    living, _ = harness.children_of(stack.broker.pid)
    return [pid for pid in living if "sandboxd-compile" in harness.command_of(pid)]


def ticks(pid):
    """Processor time, in clock ticks."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


class Reloads:
    """Windows of the same load, with a compiler at work and without."""

    def __init__(self, stack, contender, port, script, options):
        self.stack, self.contender, self.port, self.script, self.options = stack, contender, port, script, options
        self.seconds = 3 if options.quick else 12
        self.quiet, self.busy = [], []

    def command(self, seconds):
        return load.wrk_command(self.contender, self.port, seconds, self.options.connections, [self.script])

    def measure(self):
        return load.closed_loop(self.contender, self.port, self.seconds, self.options.connections, [self.script])["p99"]

    def quiet_window(self):
        assert not compilers(self.stack), "a compiler runs in a window that should be quiet"
        self.quiet.append(self.measure())
        assert not compilers(self.stack), "a compiler runs in a window that should be quiet"

    def busy_window(self):
        reload = Reload(self.stack)
        self.busy.append(self.measure())
        reload.assert_at_work()
        reload.cancel()

    def whole_reload(self):
        """One that is left to finish, with the load on it to the end. Returns how many seconds it took."""
        start = time.monotonic()
        reload = Reload(self.stack)
        wrk = subprocess.Popen(self.command(WHOLE_BOUND), stdout=subprocess.PIPE, text=True)
        try:
            in_force = lambda: time.sleep(0.1) or reload.says(b" in force: ")  # noqa: E731
            harness.wait_for(in_force, "the reload to take effect", WHOLE_BOUND)
            taken = time.monotonic() - start
            wrk.send_signal(signal.SIGINT)  # it reports then
            output, _ = wrk.communicate(timeout=harness.BOUND)
        finally:
            wrk.kill()
            wrk.wait()
        reload.close()
        self.busy.append(load.parse_wrk("a whole reload", output)["p99"])
        return taken


def measure_reloads(reloads, options):
    """A line that says what was done."""
    pairs = max(2, options.rounds // 2)
    for number in range(pairs):
        windows = (reloads.quiet_window, reloads.busy_window)
        for window in windows if number % 2 == 0 else reversed(windows):
            window()
    line = f"{pairs} windows of {reloads.seconds} s while {RULES} rules were compiled, and as many without"
    if options.quick:
        return line + "; none was left to finish, which takes minutes."
    taken = reloads.whole_reload()
    reloads.quiet_window()
    return line + f"; and one compilation to its end, after which the new map was in force: {taken:.0f} s."


def run(base, options):
    with started(base) as (stack, few, many, port):
        results = benchmark.run_rounds([few, many], port, options)
        work = f"map {RULES} rules"
        rows = [
            benchmark.row(work, few.label, metric, results[many.name][metric], results[few.name][metric], goal)
            for metric, goal in (("throughput", 0.98), ("p50", 1.02), ("p99", None))
        ]
        lines = benchmark.absolutes(work, [few, many], results)
        script = base / "think.lua"
        script.write_text(THINK)
        reloads = Reloads(stack, many, port, script, options)
        line = measure_reloads(reloads, options)
        rows.append(benchmark.row("map reload", "the same load without a reload", "p99", reloads.busy, reloads.quiet,
                                  1.2))
        return rows, [*lines, "", line]
