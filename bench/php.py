# SPDX-License-Identifier: Apache-2.0
"""A PHP script that says hello, warm, against php-fpm with a new process for each request and without."""

import contextlib
import shutil

import benchmark
import checks
import cold
import peers
import php_ini
from benchmark import HERE, Contender

WORK = "PHP hello, warm"
ALL = "PHP hello, warm, all of Debian's extensions"


def service(ini, scripts, warm_up, **more):
    """A service file for php-cgi, warm, with everything at the place where the peers have it, too."""
    return {
        "Type": "fastcgi",
        "Warm": "yes",
        "WarmUpRequest": warm_up,
        "ExecStart": f"{peers.PHP_CGI} -n -c {ini}",
        "ScriptDirectory": scripts,
        "BindReadOnlyPaths": ["/usr /lib -/lib64", f"{scripts} {ini}"],
        "PrivateTmp": "identity",
        "FrontEndUser": "root",
        "MaxConnections": "256",
        **more,
    }


class Fpm:
    """One kind of php-fpm, in several numbers of workers until the best is known."""

    def __init__(self, name, label, one_shot):
        self.name, self.label, self.one_shot, self.counts = name, label, one_shot, peers.WORKERS

    def start(self, cleanup, base, prefix, script, ini, **more):
        self.candidates = [peers.php_fpm(cleanup, base, f"{prefix}-{self.name}-{n}", self.label, script, ini, n,
                                         self.one_shot, **more) for n in self.counts]
        return self.candidates

    def choose(self, port, options):
        if len(self.candidates) == 1:
            return self.candidates[0]
        best = peers.best(self.candidates, port, options)
        self.counts = (best.workers,)
        return best

    def line(self):
        return f"{self.label}: {self.counts[0]} workers, which serve most of {', '.join(map(str, peers.WORKERS))}."


def one_by_one(ours, peer, port, options):
    """Latency where nothing waits for anything else."""
    found = [ours, peer]
    results = benchmark.run_rounds(found, port, options, connections=1)
    work = f"{WORK}, p50 latency at concurrency 1"
    row = benchmark.row(work, peer.label, "p50", results[ours.name]["p50"], results[peer.name]["p50"], 5)
    return [row], ["", *benchmark.absolutes(work, found, results)]


def run_set(cleanup, base, work, ini, fpm, options):
    scripts, name = base / "scripts", ini.stem
    script = scripts / "hello.php"
    stack, group = benchmark.start_ours(cleanup, {"php": service(ini, scripts, "/hello.php")}, cold.MAPS)
    ours = Contender(f"{name}-ours", "sandboxd, confined", stack.door("php"), script, checks.warm, group)
    all_fpm = [one for kind in fpm for one in kind.start(cleanup, base, name, script, ini)]
    port = cleanup.enter_context(benchmark.web_server(base, [ours, *all_fpm]))
    one_shot, persistent = (kind.choose(port, options) for kind in fpm)
    goals = {(one_shot.name, "throughput"): 4} if work == WORK else {}
    rows, lines = benchmark.run_all(work, [ours, one_shot, persistent], port, options, goals, tails=work == WORK)
    if work != WORK:
        return rows, lines
    more, more_lines = one_by_one(ours, persistent, port, options)
    return rows + more, [*lines, "", *(kind.line() for kind in fpm), *more_lines]


def run(base, options):
    (base / "scripts").mkdir(mode=0o755)
    shutil.copy(HERE / "apps/hello.php", base / "scripts")
    fpm = (Fpm("one-shot", "php-fpm pm=static, max_requests=1", True), Fpm("persistent", "php-fpm persistent", False))
    sets = ((WORK, php_ini.write(base / "needed.ini")), (ALL, php_ini.write(base / "all.ini", php_ini.debian())))
    rows, lines = [], []
    for work, ini in sets[:1] if options.quick else sets:
        with contextlib.ExitStack() as cleanup:
            found, absolute = run_set(cleanup, base, work, ini, fpm, options)
        rows += found
        lines += ["", *absolute]
    return rows, lines[1:]
