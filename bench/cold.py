# SPDX-License-Identifier: Apache-2.0
"""A static C CGI program, cold: ours against fcgiwrap, and against fcgiwrap running bubblewrap."""

import benchmark
import checks
import peers
from benchmark import HERE, Contender

WORK = "static C CGI, cold"
MAPS = {"bench.map": "any any any any 30001:30001\n"}
SERVICE = {
    "ExecStart": "/apps/hello",
    "BindReadOnlyPaths": "@BASE@/apps:/apps",
    "FrontEndUser": "root",
    "MaxConnections": "256",
}
GOALS = {("fcgiwrap", "throughput"): 1.1, ("fcgiwrap", "p50"): 0.9, ("bwrap", "throughput"): 5}


def compile_hello(base):
    """In a folder that everybody may read."""
    apps = base / "apps"
    apps.mkdir(mode=0o755)
    benchmark.compile_static(HERE / "apps/hello.c", apps / "hello")
    return apps


def run(base, options):
    """Returns the rows of latest.json, and the lines of a table of absolute figures."""
    apps = compile_hello(base)
    benchmark.compile_static(HERE / "apps/bwrap-hello.c", apps / "bwrap-hello", f'-DHELLO_DIRECTORY="{apps}"')

    def start(cleanup, number):
        folder = base / str(number)
        folder.mkdir(mode=0o755)
        ours, group = benchmark.start_ours(cleanup, {"hello": SERVICE}, MAPS, [apps / "hello"])
        found = [
            Contender("ours", "sandboxd, confined", ours.door("hello"), "/apps/hello", checks.cold, group),
            peers.fcgiwrap(cleanup, folder, "fcgiwrap", "fcgiwrap", apps / "hello", options.connections),
            # As somebody else: the orphans that bubblewrap leaves to PID 1 count among the processes of its uid, which
            # LimitNPROC= limits, until they are reaped.
            peers.fcgiwrap(cleanup, folder, "bwrap", "fcgiwrap running bwrap", apps / "bwrap-hello",
                           options.connections, checks.bubblewrap, uid=peers.OTHER_UID),
        ]
        return found, cleanup.enter_context(benchmark.web_server(folder, found))

    return benchmark.run_anew(WORK, start, options, GOALS)
