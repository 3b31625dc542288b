# SPDX-License-Identifier: Apache-2.0
"""The identity map at size: whole requests under ten rules and under a million; requests while a million are reloaded."""

import contextlib
import os
import random
import signal
import threading

import benchmark
from benchmark import Contender, harness

RULES = 1_000_000
# Who asks: a user, a host and an address that rules of every kind are about, decided by the last rule.
ASKS = {"REMOTE_USER": "user7", "SERVER_NAME": "www7.customer7.example", "REMOTE_ADDR": "10.7.7.7"}
SERVICE = {
    "ExecStart": "/apps/hello",
    "BindReadOnlyPaths": "@BASE@/apps:/apps",
    "FrontEndUser": "root",
    "MaxConnections": "256",
}
THINK = """
-- Each connection waits between two requests, so that the machine is not at its limit and a stall shows.
function delay() return math.random(0, 12) end
"""


def rules(count):
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
            lines.append(f"any user{i} 192.0.2.0/24 any 30002:30002" if i == 7 else f"any user{i} any any 30002:30002")
        elif kind < 6:
            lines.append(f"any somebody {v4} any 30003:30003")
        elif kind < 7:
            lines.append(f"any somebody 2001:db8:{generator.getrandbits(16):x}::/48 any 30003:30003")
        elif kind < 9:
            lines.append(f"any nobody-else any www{i}.customer{i % 50000}.example 30004:30004")
        else:
            lines.append(f"any user{i} any *.customer{i % 50000}.example 30005:30005")
    return "\n".join([*lines, "any any any any 30001:30001"]) + "\n"


@contextlib.contextmanager
def stacks(base):
    """Two of ours, alike but for the number of rules, behind one web server."""
    apps = base / "map-apps"
    apps.mkdir(parents=True)
    apps.chmod(0o755)
    benchmark.compile_static(benchmark.HERE / "apps/hello.c", apps / "hello")
    with contextlib.ExitStack() as cleanup:
        found = {}
        for count in (10, RULES):
            stack = harness.Stack({"hello": SERVICE}, {"bench.map": rules(count)}, {"MaxConnections": "512"},
                                  programs=[apps / "hello"])
            cleanup.callback(stack.stop)
            found[count] = stack
        few, many = (Contender(f"map{n}", f"map {n} rules", found[n].door("hello"), "/apps/hello", **ASKS)
                     for n in (10, RULES))
        port = cleanup.enter_context(benchmark.web_server(base, [few, many]))
        for contender in (few, many):
            benchmark.check_hello(contender, port)
        yield found[RULES], few, many, port


@contextlib.contextmanager
def reloading(stack):
    """Reloads the configuration again and again; gives a function that says how often it took effect."""
    over, counts = threading.Event(), []

    def wait_until_in_force(log):
        """Reads what the broker adds to its log, little by little: whoever measures must not be what is measured."""
        while not over.wait(0.1):
            stack.drop_notifications()
            if b" in force: " in log.read():
                counts.append(1)
                return

    def reload():
        with open(stack.base / "broker.log", "rb") as log:
            log.seek(0, os.SEEK_END)
            while not over.is_set():
                stack.broker.send_signal(signal.SIGHUP)
                wait_until_in_force(log)

    thread = threading.Thread(target=reload)
    thread.start()
    try:
        yield lambda: len(counts)
    finally:
        over.set()
        thread.join()


def run(base, options):
    with stacks(base) as (stack, few, many, port):
        results = benchmark.run_rounds([few, many], port, options)
        rows = [
            benchmark.row("map 1000000 rules", "map 10 rules", metric, results[many.name][metric],
                          results[few.name][metric], goal)
            for metric, goal in (("throughput", 0.98), ("p50", 1.02), ("p99", None))
        ]
        script = base / "think.lua"
        script.write_text(THINK)
        # Long enough that the new map takes over in it.
        seconds = {False: 20, True: 20 if options.quick else 110}
        quiet, during, reloads = [], [], 0
        for number in range(max(2, options.rounds // 3)):
            for busy in (False, True) if number % 2 == 0 else (True, False):
                with reloading(stack) if busy else contextlib.nullcontext() as count:
                    p99 = benchmark.measure(many, port, seconds[busy], options.connections, "-s", str(script))["p99"]
                    (during if busy else quiet).append(p99)
                    reloads += count() if busy else 0
        assert options.quick or reloads > 0, "no reload took effect while it was measured"
        rows.append(benchmark.row("map reload", "the same load without a reload", "p99", during, quiet, 1.2))
        return rows, [f"{reloads} reloads of {RULES} rules took effect in {len(during)} rounds of {seconds[True]} s"]
