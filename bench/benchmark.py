# SPDX-License-Identifier: Apache-2.0
"""What every benchmark here needs: contenders behind one web server, rounds that take turns, ratios of them."""

import contextlib
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "integration"))

import stack as harness  # noqa: E402

import load  # noqa: E402

# What a web server says of a request, as in Debian's fastcgi.conf; the script is each contender's own.
PARAMS = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SERVER_SOFTWARE": "nginx",
    "REQUEST_METHOD": "$request_method",
    "REQUEST_URI": "$request_uri",
    "QUERY_STRING": "$query_string",
    "CONTENT_TYPE": "$content_type",
    "CONTENT_LENGTH": "$content_length",
    "SERVER_NAME": "$server_name",
    "SERVER_ADDR": "$server_addr",
    "SERVER_PORT": "$server_port",
    "SERVER_PROTOCOL": "$server_protocol",
    "REMOTE_ADDR": "$remote_addr",
    "REMOTE_PORT": "$remote_port",
    "SCRIPT_NAME": "$uri",
    "REDIRECT_STATUS": "200",
}

NGINX = """
worker_processes 2; daemon off; pid {base}/nginx.pid; error_log {base}/nginx.log warn;
user root;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    fastcgi_temp_path {base}/tmp-f; client_body_temp_path {base}/tmp-b; proxy_temp_path {base}/tmp-p;
    uwsgi_temp_path {base}/tmp-u; scgi_temp_path {base}/tmp-s;
    server {{
        listen 127.0.0.1:{port};
{locations}
    }}
}}
"""

SATURATION_SHARE = 0.7
TAIL = "p99/p50 at 70% of own saturation"
RANDOM_TAIL = "p99/p50 at 70% of own saturation, Poisson"
CPU = load.CPU


class Contender:
    """
    A front door under a path of the web server's, and the script that is asked for there.

    name: in paths; label: in tables, for a peer the "against"; check: of checks.py; group: load.Group of its processes.
    uid: whom it runs as; held: the query that makes it wait, so that it can be looked at.
    work: what the comparison with it is called, where that is not the work's own name. query: of the requests.
    probe: a script that can be asked so, where `script` cannot. Other parameters are FastCGI's.
    """

    def __init__(self, name, label, door, script, check=None, group=None, work=None, query="", probe=None, workers=None,
                 uid=30001, held="hold", **params):
        self.name, self.label, self.door, self.script, self.params = name, label, door, script, params
        self.check, self.group, self.work, self.query, self.probe = check, group, work, query, probe
        self.workers, self.uid, self.held = workers, uid, held

    @property
    def target(self):
        return f"/{self.name}" + (f"?{self.query}" if self.query else "")

    def url(self, port):
        return f"http://127.0.0.1:{port}{self.target}"

    def ask_held(self, port):
        return fetch(f"http://127.0.0.1:{port}/{self.name}{'-probe' if self.probe else ''}?{self.held}")

    def _location(self, path, script):
        params = {**PARAMS, "SCRIPT_FILENAME": script, **self.params}
        if "BENCH_SCRIPT" in params and script == self.probe:
            params.update(SCRIPT_FILENAME=self.script, BENCH_SCRIPT=script)
        lines = "".join(f" fastcgi_param {name} {value};" for name, value in params.items())
        return f"        location = /{path} {{ fastcgi_pass unix:{self.door};{lines} }}\n"

    def locations(self):
        probe = self._location(f"{self.name}-probe", self.probe) if self.probe else ""
        return self._location(self.name, self.script) + probe


def fetch(url):
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=60) as response:
        return response.read()


def compile_static(source, target, *flags):
    subprocess.run(["cc", "-std=gnu11", "-O2", "-static", *flags, "-o", str(target), str(source)], check=True)
    target.chmod(0o755)


def compile_open_loop(base):
    target = base / "open-loop"
    apps = HERE / "apps"
    command = ["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-o", target, apps / "open-loop.c", apps / "answer.c", "-lm"]
    subprocess.run([str(word) for word in command], check=True)
    return target


def listens(port):
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def end(process):
    """Ends a server and the processes that it forked: each was started as a session of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=30)


@contextlib.contextmanager
def web_server(base, contenders):
    """nginx with a path for each contender; gives its port."""
    port = harness.free_port()
    locations = "".join(c.locations() for c in contenders)
    (base / "nginx.conf").write_text(NGINX.format(base=base, port=port, locations=locations))
    nginx = subprocess.Popen(["nginx", "-c", str(base / "nginx.conf"), "-p", str(base)], start_new_session=True)
    try:
        harness.wait_for(lambda: listens(port), "nginx")
        yield port
    finally:
        end(nginx)


def start_group(cleanup, name):
    group = load.Group(name)
    cleanup.callback(group.remove)
    return group


def start_ours(cleanup, services, maps, programs=(), main=None, prepare=None):
    """The stack, and its control group."""
    group = start_group(cleanup, f"ours-{next(iter(services))}")
    with group.starting():
        ours = harness.Stack(services, maps, main or {"MaxConnections": "512"}, programs=programs, prepare=prepare)
    cleanup.callback(ours.stop)
    return ours, group


def turns(found, rounds):
    """A B C, C B A, A B C, …"""
    for number in range(rounds):
        for contender in found if number % 2 == 0 else reversed(found):
            yield number, contender


def collect(results, name, figures):
    for metric, value in figures.items():
        results.setdefault(name, {}).setdefault(metric, []).append(value)


def run_rounds(found, port, options, connections=None, between=lambda: None, rounds=None, results=None):
    """Adds what each contender reached in each round to `results`, and returns it."""
    connections = connections or options.connections
    results = {} if results is None else results
    for contender in found if options.warm_up else ():
        load.closed_loop(contender, port, options.warm_up, connections)
    for _, contender in turns(found, rounds or options.rounds):
        between()
        collect(results, contender.name, load.closed_loop(contender, port, options.seconds, connections))
    return results


def run_tails(ours, port, options, results, between=lambda: None):
    """Adds to `results` our tails at a share of the throughput that we had, with even arrivals and with random ones."""
    rate = SATURATION_SHARE * statistics.median(results[ours.name]["throughput"])
    for number in range(options.tail_rounds):
        for metric, seed in ((TAIL, 0), (RANDOM_TAIL, number + 1)):
            between()
            got = load.open_loop(options.open_loop, ours, port, rate, options.tail_seconds, seed)
            figures = {metric: got["p99"] / got["p50"]}
            if not seed:
                figures |= {"open p50": got["p50"], "open p99": got["p99"], "late": got["sent_late_p99"]}
            collect(results, ours.name, figures)


def middle(values):
    """The median, with a 95% bootstrap interval (2,000 resamples of the rounds)."""
    generator = random.Random(1)
    medians = sorted(statistics.median(generator.choices(values, k=len(values))) for _ in range(2000))
    return statistics.median(values), medians[49], medians[1949]


def row_of(work, against, metric, values, goal=None):
    """An entry of latest.json from what each round gave."""
    value, low, high = (float(f"{number:.4g}") for number in middle(values))
    return {"work": work, "against": against, "metric": metric, "ratio": value, "low": low, "high": high, "goal": goal}


def row(work, against, metric, ours, theirs, goal=None):
    """…from the figures of two that took turns: their ratio in each round."""
    return row_of(work, against, metric, [a / b for a, b in zip(ours, theirs)], goal)


def compare(work, found, results, goals):
    """Rows of found[0] against each of the others. goals: {(name, metric): goal}."""
    ours = results[found[0].name]
    rows = []
    for peer in found[1:]:
        for metric in ("throughput", "p50", "p99", CPU):
            rows.append(row(peer.work or work, peer.label, metric, ours[metric], results[peer.name][metric],
                            goals.get((peer.name, metric))))
    for metric, goal in ((TAIL, 3), (RANDOM_TAIL, None)):
        if metric in ours:
            rows.append(row_of(work, "itself", metric, ours[metric], goal))
    return rows


def absolutes(work, found, results):
    """The lines of a table of medians; they are this machine's and this minute's only."""
    columns = {"requests/s": ("throughput", 0), "p50 ms": ("p50", 2), "p99 ms": ("p99", 2),
               "CPU ms per request": (CPU, 3), "at 70%: p50 ms": ("open p50", 2), "p99 ms ": ("open p99", 2),
               "p99/p50": (TAIL, 2), "Poisson p99/p50": (RANDOM_TAIL, 2), "sent late, p99 ms": ("late", 3)}
    columns = {name: which for name, which in columns.items() if any(which[0] in results[c.name] for c in found)}
    lines = [f"| {work} | " + " | ".join(columns) + " |", "| --- |" + " --- |" * len(columns)]
    for contender in found:
        got = results[contender.name]
        cells = [f"{statistics.median(got[m]):.{digits}f}" if m in got else "" for m, digits in columns.values()]
        lines.append(f"| {contender.label} | " + " | ".join(cells) + " |")
    return lines


def measure(found, port, options, results, rounds, between=lambda: None, tails=True):
    """Checks the contenders, lets them take turns, and adds what was found to `results`."""
    for contender in found:
        contender.check(contender, port)
    run_rounds(found, port, options, between=between, rounds=rounds, results=results)
    if tails:
        run_tails(found[0], port, options, results, between)
    found[0].check(found[0], port)  # it is still what it was


def run_all(work, found, port, options, goals, between=lambda: None, tails=True):
    """Measures the contenders, and returns the rows of latest.json and a table of absolutes."""
    results = {}
    measure(found, port, options, results, options.rounds, between, tails)
    return compare(work, found, results, goals), absolutes(work, found, results)


def run_anew(work, start, options, goals):
    """
    As run_all(), but `start(cleanup, number)`, which gives contenders and port, is called for every two rounds. Where the
    memory of a process happens to lie makes it some per cent faster or slower than its like, for as long as it lives.
    """
    results, left = {}, options.rounds
    while left > 0:
        rounds = min(2, left)
        left -= rounds
        with contextlib.ExitStack() as cleanup:
            found, port = start(cleanup, left)
            measure(found, port, options, results, rounds, tails=left == 0)
    return compare(work, found, results, goals), absolutes(work, found, results)
