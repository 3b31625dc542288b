# SPDX-License-Identifier: Apache-2.0
"""Python, warm: a CGI script and a WSGI application, against fcgiwrap executing them."""

import contextlib
import shutil

import benchmark
import checks
import cold
import peers
from benchmark import HERE, Contender

SERVICE = {
    "Warm": "yes",
    "WarmUpRequest": "/",
    "BindReadOnlyPaths": ["/usr /lib -/lib64", "@BASE@/apps:/apps"],
    "FrontEndUser": "root",
    "MaxConnections": "256",
}
SERVICES = {
    "script": {**SERVICE, "Type": "python", "ExecStart": "/usr/bin/python3 /apps/hello.py"},
    "wsgi": {**SERVICE, "Type": "wsgi", "ExecStart": "/usr/bin/python3 /apps/wsgi_hello.py application"},
}
# service: name of the work, name of the peer, what the peer executes, goal.
WORKS = {
    "script": ("Python CGI script, warm", "fcgiwrap running it", "hello.py", 8),
    "wsgi": ("Python WSGI hello, warm", "fcgiwrap running it through wsgiref", "wsgi_cgi.py", 10),
}


def run(base, options):
    apps = base / "apps"
    apps.mkdir(mode=0o755)
    programs = [apps / name for name in ("hello.py", "wsgi_hello.py", "wsgi_cgi.py")]
    for program in programs:
        shutil.copy(HERE / "apps" / program.name, program)
        program.chmod(0o755)
    rows, lines = [], []
    with contextlib.ExitStack() as cleanup:
        ours, group = benchmark.start_ours(cleanup, SERVICES, cold.MAPS, programs)
        pairs = {}
        for service, (work, against, program, _) in WORKS.items():
            pairs[service] = [
                Contender(service, "sandboxd, confined", ours.door(service), "/apps/hello.py", checks.warm, group),
                peers.fcgiwrap(cleanup, base, f"fcgiwrap-{service}", against, apps / program, options.connections),
            ]
        port = cleanup.enter_context(benchmark.web_server(base, sum(pairs.values(), [])))
        for service, (work, _, _, goal) in WORKS.items():
            goals = {(f"fcgiwrap-{service}", "throughput"): goal}
            found, absolute = benchmark.run_all(work, pairs[service], port, options, goals)
            rows += found
            lines += ["", *absolute]
    return rows, lines[1:]
