# SPDX-License-Identifier: Apache-2.0
"""A static C CGI program, cold: ours against fcgiwrap, and against fcgiwrap running bubblewrap."""

import contextlib
import json
import os
import statistics
import subprocess

import benchmark
from benchmark import HERE, Contender, harness

SERVICE = {
    "ExecStart": "/apps/hello",
    "BindReadOnlyPaths": "@BASE@/apps:/apps",
    "FrontEndUser": "root",
    "MaxConnections": "256",
}
PROBE = {**SERVICE, "ExecStart": "/apps/probe"}
MAPS = {"bench.map": "any any any any 30001:30001\n"}
MAIN = {"MaxConnections": "512"}

def start_fcgiwrap(base, name, processes):
    """fcgiwrap with as many processes as it takes to keep both cores busy, as the same unprivileged identity."""
    path = base / f"{name}.sock"
    drop = ["setpriv", "--reuid", "30001", "--regid", "30001", "--clear-groups"]
    run = base / f"run-{name}"
    run.mkdir()
    os.chown(run, 30001, 30001)
    path = run / "socket"
    process = subprocess.Popen(
        [*drop, "fcgiwrap", "-c", str(processes), "-s", f"unix:{path}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True)
    harness.wait_for(path.exists, f"fcgiwrap's socket {path}")
    return process, path


def check_ours(port):
    """The probe of ours: confined, and every request another process."""
    facts = json.loads(benchmark.fetch(f"http://127.0.0.1:{port}/probe?json"))
    assert facts["uid"] == [30001] * 3, facts["uid"]
    assert facts["no_new_privs"] == 1 and int(str(facts["cap_eff"]), 16) == 0, facts
    assert facts["pid"] == 2, facts["pid"]


@contextlib.contextmanager
def contenders(base, connections):
    apps = base / "apps"
    apps.mkdir()
    apps.chmod(0o755)
    base.chmod(0o755)
    benchmark.compile_static(HERE / "apps/hello.c", apps / "hello")
    benchmark.compile_static(HERE / "apps/bwrap-hello.c", apps / "bwrap-hello", f'-DHELLO_DIRECTORY="{apps}"')
    with contextlib.ExitStack() as cleanup:
        ours = harness.Stack(
            {"hello": SERVICE, "probe": PROBE}, MAPS, MAIN, programs=[apps / "hello", harness.BUILD / "probe"]
        )
        cleanup.callback(ours.stop)
        found = [Contender("ours", "sandboxd, confined", ours.door("hello"), "/apps/hello")]
        for name, label, program in (
            ("fcgiwrap", "fcgiwrap, unconfined", "hello"),
            ("bwrap", "fcgiwrap running bwrap", "bwrap-hello"),
        ):
            process, path = start_fcgiwrap(base, name, connections)
            cleanup.callback(benchmark.end, process)
            found.append(Contender(name, label, path, apps / program))
        probe = Contender("probe", "", ours.door("probe"), "/apps/probe")
        port = cleanup.enter_context(benchmark.web_server(base, [*found, probe]))
        check_ours(port)
        for contender in found:
            benchmark.check_hello(contender, port)
        yield found, port


GOALS = {("fcgiwrap", "throughput"): 1.1, ("fcgiwrap", "p50"): 0.9, ("bwrap", "throughput"): 5.0}


def run(base, options):
    """Returns the rows of latest.json, and the lines of a table of absolute figures."""
    with contenders(base, options.connections) as (found, port):
        results = benchmark.run_rounds(found, port, options)
    lines = ["| contender | requests/s | p50 ms | p99 ms |", "| --- | --- | --- | --- |"]
    for contender in found:
        medians = [statistics.median(results[contender.name][m]) for m in ("throughput", "p50", "p99")]
        lines.append("| {} | {:.0f} | {:.2f} | {:.2f} |".format(contender.label, *medians))
    rows = [
        benchmark.row("static C CGI, cold", contender.label, metric, results["ours"][metric],
                      results[contender.name][metric], GOALS.get((contender.name, metric)))
        for contender in found[1:]
        for metric in ("throughput", "p50", "p99")
    ]
    return rows, lines
