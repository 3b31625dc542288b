# SPDX-License-Identifier: Apache-2.0
"""What we are measured against: Debian's fcgiwrap and php-fpm, as the same unprivileged identity as ours."""

import os
import subprocess

import benchmark
import checks
import load
from benchmark import harness

OTHER_UID = checks.UID + 1
PHP_FPM = "/usr/sbin/php-fpm8.2"
PHP_CGI = "/usr/bin/php-cgi8.2"
WORKERS = (2, 4, 8)

FPM = """
[global]
error_log = {folder}/log
log_level = error
daemonize = no
[www]
listen = {folder}/socket
listen.backlog = 511
pm = static
pm.max_children = {workers}
pm.max_requests = {max_requests}
"""


def start(cleanup, base, name, command, uid=checks.UID):
    """A peer in a control group and with a folder of its own, `command(folder)` of which listens on its "socket"."""
    drop = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups"]
    folder = base / f"peer-{name}"
    folder.mkdir()
    os.chown(folder, uid, uid)
    group = benchmark.start_group(cleanup, name)
    with group.starting(), open(folder / "output", "wb") as output:
        process = subprocess.Popen([*drop, *map(str, command(folder))], stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=output, start_new_session=True)
    cleanup.callback(benchmark.end, process)

    def listens():
        assert process.poll() is None, f"{name} ended: {(folder / 'output').read_text()}"
        return (folder / "socket").exists()

    harness.wait_for(listens, f"the socket of {name}")
    return folder / "socket", group


def fcgiwrap(cleanup, base, name, label, script, processes, check=checks.one_shot, uid=checks.UID, **more):
    """With as many processes as there are connections: each serves one at a time."""
    door, group = start(cleanup, base, name,
                        lambda folder: ["fcgiwrap", "-c", processes, "-s", f"unix:{folder}/socket"], uid)
    return benchmark.Contender(name, label, door, script, check, group, uid=uid, **more)


def php_fpm(cleanup, base, name, label, script, ini, workers, one_shot, **more):
    def command(folder):
        conf = folder / "fpm.conf"
        conf.write_text(FPM.format(folder=folder, workers=workers, max_requests=1 if one_shot else 0))
        # Its lock beside its socket: not in a /tmp that others share.
        return [PHP_FPM, "-n", "-c", ini, "-d", f"opcache.lockfile_path={folder}", "-y", conf, "-F"]

    door, group = start(cleanup, base, name, command)
    check = checks.one_shot if one_shot else checks.persistent
    return benchmark.Contender(name, label, door, script, check, group, workers=workers, **more)


def best(candidates, port, options):
    """Of one peer with different numbers of workers, the one that serves most."""
    served = {c.name: [] for c in candidates}
    for contender in candidates:
        for _ in range(2 * contender.workers):
            benchmark.fetch(contender.url(port))  # the caches fill
    for _, contender in benchmark.turns(candidates, options.tries):
        served[contender.name].append(load.closed_loop(contender, port, 1, options.connections)["throughput"])
    return max(candidates, key=lambda c: sum(served[c.name]))
