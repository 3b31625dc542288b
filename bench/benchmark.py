# SPDX-License-Identifier: Apache-2.0
"""What every benchmark here needs: web server and load, and ratios of rounds that took turns."""

import contextlib
import os
import random
import re
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

PARAMS = {
    "REQUEST_METHOD": "$request_method",
    "QUERY_STRING": "$query_string",
    "SERVER_NAME": "$server_name",
    "SERVER_PROTOCOL": "$server_protocol",
    "REMOTE_ADDR": "$remote_addr",
    "SCRIPT_NAME": "$uri",
}

NGINX = """
worker_processes 2; daemon off; pid {base}/nginx.pid; error_log {base}/nginx.log warn;
user root;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    fastcgi_temp_path {base}/tmp-f; client_body_temp_path {base}/tmp-b; proxy_temp_path {base}/tmp-p;
    uwsgi_temp_path {base}/tmp-u; scgi_temp_path {base}/tmp-s;
    server {{
        listen 127.0.0.1:{port};
{locations}
    }}
}}
"""


class Contender:
    """A front door under a path of the web server's, and the script that is asked for there."""

    def __init__(self, name, label, door, script, **params):
        self.name, self.label, self.door, self.script, self.params = name, label, door, script, params

    def location(self):
        params = {**PARAMS, "SCRIPT_FILENAME": self.script, **self.params}
        lines = "".join(f" fastcgi_param {name} {value};" for name, value in params.items())
        return f"        location /{self.name} {{ fastcgi_pass unix:{self.door};{lines} }}\n"


def fetch(url):
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=30) as response:
        return response.read()


def check_hello(contender, port):
    answer = fetch(f"http://127.0.0.1:{port}/{contender.name}")
    assert re.fullmatch(rb"hello from \d+\n", answer), (contender.name, answer)
    return answer


def milliseconds(text):
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def measure(contender, port, seconds, connections, *options):
    output = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *options, f"http://127.0.0.1:{port}/{contender.name}"],
        check=True, capture_output=True, text=True,
    ).stdout
    assert "Non-2xx" not in output and "Socket errors" not in output, (contender.name, output)
    return {
        "throughput": float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)),
        "p50": milliseconds(re.search(r"\n\s+50%\s+(\S+)", output).group(1)),
        "p99": milliseconds(re.search(r"\n\s+99%\s+(\S+)", output).group(1)),
    }


def ratio(ours, theirs):
    """The median of the rounds' ratios, with a 95% bootstrap interval (2,000 resamples of the rounds)."""
    ratios = [a / b for a, b in zip(ours, theirs)]
    generator = random.Random(1)
    medians = sorted(statistics.median(generator.choices(ratios, k=len(ratios))) for _ in range(2000))
    return statistics.median(ratios), medians[49], medians[1949]


def compile_static(source, target, *flags):
    subprocess.run(["cc", "-std=gnu11", "-O2", "-static", *flags, "-o", str(target), str(source)], check=True)
    target.chmod(0o755)


def listens(port):
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def end(process):
    """Ends a server and the processes that it forked: each was started as a session of its own."""
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=30)


@contextlib.contextmanager
def web_server(base, contenders):
    """nginx with a path for each contender; gives its port."""
    port = harness.free_port()
    locations = "".join(c.location() for c in contenders)
    (base / "nginx.conf").write_text(NGINX.format(base=base, port=port, locations=locations))
    nginx = subprocess.Popen(["nginx", "-c", str(base / "nginx.conf"), "-p", str(base)], start_new_session=True)
    try:
        harness.wait_for(lambda: listens(port), "nginx")
        yield port
    finally:
        end(nginx)


def run_rounds(found, port, options):
    results = {c.name: {"throughput": [], "p50": [], "p99": []} for c in found}
    for contender in found:
        measure(contender, port, 1, options.connections)  # warm-up, not counted
    for number in range(options.rounds):
        for contender in found if number % 2 == 0 else reversed(found):
            for metric, value in measure(contender, port, options.seconds, options.connections).items():
                results[contender.name][metric].append(value)
    return results


def row(work, against, metric, ours, theirs, goal=None):
    """An entry of latest.json."""
    value, low, high = ratio(ours, theirs)
    return {"work": work, "against": against, "metric": metric, "ratio": round(value, 3), "low": round(low, 3),
            "high": round(high, 3), "goal": goal}


def table(rows):
    lines = ["| work | against | metric | ratio | 95% interval | goal |", "| --- | --- | --- | --- | --- | --- |"]
    for r in rows:
        lines.append("| {work} | {against} | {metric} | {ratio:.2f} | {low:.2f}–{high:.2f} | {} |".format(
            r["goal"] or "", **r))
    return lines
