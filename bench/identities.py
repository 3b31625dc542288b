# SPDX-License-Identifier: Apache-2.0
"""Many identities: 10,000 in turn against one, cold, and what bridge and broker need of memory, idle and for each."""

import concurrent.futures
import contextlib
import copy
import http.client
import re
import time
from pathlib import Path

import benchmark
import checks
import cold
import load
from benchmark import HERE, Contender

IDENTITIES = 10_000
FIRST = 40_000
CLIENTS = 8
# User u7 is identity 40007:40007; who names nobody is the identity that is looked at.
MAPS = {"bench.map": "".join(f"any u{n} any any {FIRST + n}:{FIRST + n}\n" for n in range(IDENTITIES))
        + "any any any any 30001:30001\n"}
USER = {"REMOTE_USER": "u$arg_user"}


def copy_for(contender, number):
    """The same, as one of the identities."""
    it = copy.copy(contender)
    it.uid, it.held = FIRST + number, f"user={number}&hold"
    return it


@contextlib.contextmanager
def stack(base, apps):
    """Ours; its process that identifies itself; and its web server's port."""
    with contextlib.ExitStack() as cleanup:
        ours, group = benchmark.start_ours(cleanup, {"hello": cold.SERVICE}, MAPS, [apps / "hello"])
        contender = Contender("hello", "sandboxd, confined", ours.door("hello"), "/apps/hello", checks.cold, group,
                              **USER)
        port = cleanup.enter_context(benchmark.web_server(base, [contender]))
        checks.cold(contender, port)
        for number in (0, IDENTITIES // 2, IDENTITIES - 1):
            it = copy_for(contender, number)
            checks.confined(checks.observe(it, port, 1), it.uid)
        yield ours, contender, port


def run(base, options):
    apps = cold.compile_hello(base)
    results, asked = {}, {"many": 0, "one": 0}
    with stack(base, apps) as (_, contender, port):
        for number in range(options.rounds):
            for name in ("many", "one") if number % 2 == 0 else ("one", "many"):
                # Each goes on where it was: an identity comes again only after all others.
                script = (HERE / "apps/in-turn.lua", asked[name], IDENTITIES if name == "many" else 1)
                got = load.closed_loop(contender, port, options.seconds, options.connections, script)
                asked[name] += got["requests"]
                benchmark.collect(results, name, got)
    work = "10,000 identities in turn, cold"
    rows = [benchmark.row(work, "one identity", metric, results["many"][metric], results["one"][metric], goal)
            for metric, goal in (("throughput", 0.9), ("p50", None), ("p99", None), (benchmark.CPU, None))]
    shown = [Contender("many", f"{IDENTITIES} identities, {asked['many']} requests", "", ""),
             Contender("one", "one identity", "", "")]
    return rows, benchmark.absolutes(work, shown, results)


def rollup(ours, *fields):
    """Bytes of bridge and broker together, by proc(5)'s smaps_rollup."""
    total = 0
    for program in (ours.bridge, ours.broker):
        text = Path(f"/proc/{program.pid}/smaps_rollup").read_text()
        total += sum(int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M).group(1)) for field in fields)
    return total * 1024


def private(ours):
    return rollup(ours, "Private_Clean", "Private_Dirty")


def ask_for(port, numbers):
    """One request for each number, several at a time."""

    def work(part):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for number in part:
            connection.request("GET", f"/hello?user={number}")
            answer = connection.getresponse()
            assert answer.status == 200 and answer.read().startswith(b"hello from "), (number, answer.status)
        connection.close()

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(work, [numbers[i::CLIENTS] for i in range(CLIENTS)]))


def at_rest():
    time.sleep(1)


def run_memory(base, options):
    apps = cold.compile_hello(base)
    idle, growth = [], []
    for _ in range(1 if options.quick else 3):
        with stack(base, apps) as (ours, _, port):
            # As many requests at a time as later, so that what they need at once is there already.
            ask_for(port, [IDENTITIES] * 50 * CLIENTS)
            at_rest()
            idle.append(rollup(ours, "Pss") / 1e6)
            before = private(ours)
            ask_for(port, range(IDENTITIES))
            at_rest()
            growth.append((private(ours) - before) / IDENTITIES)
    rows = [
        benchmark.row_of("memory of bridge + broker, idle", "", "PSS, MB", idle, 10),
        benchmark.row_of("memory of bridge + broker, per cold identity", "", "private, bytes", growth, 256),
    ]
    return rows, [
        f"Memory, of {len(idle)} started anew: idle, with {IDENTITIES + 1} rules, after requests by one identity; and what",
        f"it grows by when {IDENTITIES} identities are asked for once each.",
    ]
