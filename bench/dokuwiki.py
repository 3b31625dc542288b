# SPDX-License-Identifier: Apache-2.0
"""A page of Debian's DokuWiki, warm, against php-fpm in both ways and against php-cgi under fcgiwrap."""

import contextlib
import os
import re
import shutil

import benchmark
import checks
import cold
import peers
import php
import php_ini
from benchmark import HERE, Contender

WORK = "DokuWiki page, warm, opcache"
QUERY = "id=start"
DEMO = HERE.parent / "demo" / "wiki"
FOLDERS = ("attic", "cache", "index", "locks", "log", "media", "media_attic", "media_meta", "meta", "pages", "tmp")
# What the page needs beyond what php-cgi has built in: it is the same with all that Debian enables.
EXTENSIONS = ("mbstring", "xml")


# The last is as many as there are requests at once, and two ahead.
CHILDREN = (3, 5, 10)


class Ours:
    """Services of one broker that differ in how many children they have at most, until the best is known."""

    def start(self, cleanup, script, keys, **more):
        services = {f"wiki-{n}": {**keys, "WarmChildrenMax": str(n)} for n in CHILDREN}
        stack, group = benchmark.start_ours(cleanup, services, cold.MAPS)
        self.candidates = [Contender(name, "sandboxd, confined", stack.door(name), script, checks.warm, group,
                                     workers=n, **more) for name, n in zip(services, CHILDREN)]
        return self.candidates

    def choose(self, port, options):
        self.best = peers.best(self.candidates, port, options)
        return self.best

    def line(self):
        return f"sandboxd: {self.best.workers} children, which serve most of {', '.join(map(str, CHILDREN))}."


def own(folder):
    for path, _, names in os.walk(folder):
        for name in (".", *names):
            os.chown(os.path.join(path, name), checks.UID, checks.UID)


def make(base):
    """The demo's wiki in a folder that is at the same place for everybody; one set of pages and caches for all."""
    wiki = base / "wiki"
    # Plugins and templates are symbolic links to a folder of libraries: with them followed it is all in one place.
    shutil.copytree("/usr/share/dokuwiki", wiki / "www", ignore=shutil.ignore_patterns(".htaccess*"))
    preload = wiki / "www/inc/preload.php"
    preload.write_text(preload.read_text().replace("'/etc/dokuwiki/", f"'{wiki}/conf/"))
    shutil.copy(HERE / "apps/hello.php", wiki / "www")
    (wiki / "conf").mkdir()
    for name in os.listdir("/etc/dokuwiki"):
        if re.fullmatch(r".*\.conf|(dokuwiki|license|mediameta|plugins|plugins\.required)\.php", name):
            shutil.copy(f"/etc/dokuwiki/{name}", wiki / "conf")
    local = (DEMO / "local.php").read_text()
    (wiki / "conf/local.php").write_text(local.replace("/var/lib/dokuwiki/data", f"{wiki}/data"))
    for folder in FOLDERS:
        (wiki / "data" / folder).mkdir(parents=True)
    (wiki / "sessions").mkdir()
    shutil.copy(DEMO / "start.txt", wiki / "data/pages")
    for folder in ("data", "sessions"):
        own(wiki / folder)
    return wiki


def same_page(found, port):
    """The same from each, but for what is new each time: tokens, times, addresses of one's own."""
    pages = {}
    for contender in found:
        page = benchmark.fetch(contender.url(port)).decode()
        assert "Edit this page and save it" in page, (contender.label, page[:500])
        page = page.replace(f"/{contender.name}", "/wiki")
        pages[contender.name] = re.sub(r'(name="sectok" value=")[^"]*|(tseed=|t=|\?)\d+', r"\1\2", page)
    first = pages[found[0].name]
    for name, page in pages.items():
        assert len(page) == len(first), f"{name} serves {len(page)} bytes, {found[0].name} {len(first)}:\n{page}"


def start(cleanup, base, wiki, options):
    """Ours and the two kinds of php-fpm, in all numbers of processes, fcgiwrap, and the web server's port."""
    sessions = f"session.save_path={wiki}/sessions\n"
    needed = (php_ini.extensions(*EXTENSIONS), sessions)
    plain = php_ini.write(base / "plain.ini", *needed)
    ini = php_ini.write(base / "opcache.ini", *needed, php_ini.OPCACHE)
    script = wiki / "www/doku.php"
    common = {"query": QUERY, "probe": wiki / "www/hello.php", "SCRIPT_NAME": "/doku.php"}
    keys = php.service(ini, wiki / "www", f"/doku.php?{QUERY}", BindPaths=f"{wiki}/data {wiki}/sessions")
    keys["BindReadOnlyPaths"].append(f"{wiki}/conf")
    ours = Ours()
    all_ours = ours.start(cleanup, script, keys, **common)
    fpm = (php.Fpm("one-shot", "php-fpm max_requests=1, opcache", True),
           php.Fpm("persistent", "php-fpm persistent, opcache", False))
    all_fpm = [one for kind in fpm for one in kind.start(cleanup, base, "wiki", script, ini, **common)]
    # A process that serves one request would compile into a cache of its own: without it, it is faster.
    benchmark.compile_static(HERE / "apps/php-cgi.c", base / "php-cgi", f'-DINI="{plain}"')
    cgi = peers.fcgiwrap(cleanup, base, "cgi", "fcgiwrap running php-cgi", base / "php-cgi", options.connections,
                         work="DokuWiki page, warm", BENCH_SCRIPT=script, **common)
    port = cleanup.enter_context(benchmark.web_server(base, [*all_ours, *all_fpm, cgi]))
    return (ours, *fpm), cgi, port


def tidy(wiki):
    """
    Whoever sends no cookie gets a session; they would be hundreds of thousands. A lock stays where a process was killed
    while it had it, and the next contender would wait three seconds for it.
    """
    for name in os.listdir(wiki / "sessions"):
        os.unlink(wiki / "sessions" / name)
    for name in os.listdir(wiki / "data/locks"):
        with contextlib.suppress(FileNotFoundError):  # it was not left
            os.rmdir(wiki / "data/locks" / name)


def run(base, options):
    wiki = make(base)
    with contextlib.ExitStack() as cleanup:
        kinds, cgi, port = start(cleanup, base, wiki, options)
        ours, one_shot, persistent = (kind.choose(port, options) for kind in kinds)
        found = [ours, one_shot, persistent, cgi]
        same_page(found, port)
        goals = {(one_shot.name, "throughput"): 2, (persistent.name, "throughput"): 0.5, (cgi.name, "throughput"): 18}
        rows, lines = benchmark.run_all(WORK, found, port, options, goals, lambda: tidy(wiki))
    return rows, [*lines, "", *(kind.line() for kind in kinds)]
