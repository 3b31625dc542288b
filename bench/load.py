# SPDX-License-Identifier: Apache-2.0
"""Load on a contender, closed loop and open loop, and the processor time that it takes of the contender.

Processor time is that of all processes of the contender, taken from its control group's cpu.stat: it counts exactly,
and counts processes that lived for less than a tick, children that nobody waited for, and groups removed since, which
/proc/PID/stat does not. The web server's and the load's own are not in it, nor what the kernel's own threads do later
for processes that have ended.
"""

import contextlib
import json
import os
import re
import subprocess
from pathlib import Path

import stack as harness

OPEN_LOOP_CONNECTIONS = 64
CPU = "CPU per request"  # milliseconds
LONGEST = 16  # seconds for one measurement


def own_group():
    mount = harness.cgroup2_mount()
    assert mount, "no cgroup version 2 is mounted, which counts the contenders' processor time"
    line = next(text for text in Path("/proc/self/cgroup").read_text().splitlines() if text.startswith("0::"))
    return mount / line[3:].strip("/")


class Group:
    """A control group for the processes of one contender, or of several that share them."""

    def __init__(self, name):
        self.home = own_group()
        self.path = self.home / f"bench.{os.getpid()}.{name}"
        self.path.mkdir()

    @contextlib.contextmanager
    def starting(self):
        """What is started meanwhile is in the group."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))
        try:
            yield
        finally:
            (self.home / "cgroup.procs").write_text(str(os.getpid()))

    def pids(self):
        found = []
        for folder, _, _ in os.walk(self.path):
            with contextlib.suppress(OSError):
                found += map(int, Path(folder, "cgroup.procs").read_text().split())
        return found

    def cpu_seconds(self):
        text = (self.path / "cpu.stat").read_text()
        return int(re.search(r"usage_usec (\d+)", text).group(1)) / 1e6

    def remove(self):
        harness.wait_for(lambda: not self.pids(), f"the processes of {self.path} to end")
        for folder, _, _ in os.walk(self.path, topdown=False):
            os.rmdir(folder)


def milliseconds(text):
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def parse_wrk(name, output):
    assert "Non-2xx" not in output and "Socket errors" not in output, (name, output)
    return {
        "throughput": float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)),
        "p50": milliseconds(re.search(r"\n\s+50%\s+(\S+)", output).group(1)),
        "p99": milliseconds(re.search(r"\n\s+99%\s+(\S+)", output).group(1)),
        "requests": int(re.search(r"(\d+) requests in", output).group(1)),
    }


def wrk_command(contender, port, seconds, connections, script=()):
    """`script`: a Lua file and its arguments."""
    chosen = ["-s", str(script[0])] if script else []
    arguments = ["--", *map(str, script[1:])] if len(script) > 1 else []
    return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency", *chosen,
            contender.url(port), *arguments]


def closed_loop(contender, port, seconds, connections, script=()):
    """As many requests as are answered, over `connections` at a time."""
    command = wrk_command(contender, port, seconds, connections, script)
    before = contender.group.cpu_seconds()
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    used = contender.group.cpu_seconds() - before
    figures = parse_wrk(contender.name, output)
    if figures["requests"] < 4 * connections and seconds < LONGEST:
        return closed_loop(contender, port, 2 * seconds, connections, script)  # too few to say anything
    assert figures["requests"] > 0, f"{contender.label} answers nothing within {seconds} s"
    return {**figures, CPU: used * 1000 / figures["requests"]}


def open_loop(program, contender, port, rate, seconds, seed=0):
    """`rate` requests a second, whatever becomes of them; equal distances, or with a seed a Poisson process."""
    # It stands for machines elsewhere: it is not to wait for the processors that it keeps busy.
    command = ["nice", "-n", "-15", program, "-r", f"{rate:.3f}", "-s", str(seconds), "-p", str(port), "-x", str(seed),
               "-c", str(OPEN_LOOP_CONNECTIONS), contender.target]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds + 60)
    assert done.returncode == 0, f"{contender.name} at {rate:.0f} requests/s: {done.stderr}"
    return json.loads(done.stdout)
