# SPDX-License-Identifier: Apache-2.0
"""Configuration: what `sandboxctl check` accepts and refuses, and what `explain` and `run` tell."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import stack as lib
from stack import BUILD
from test_path import APP

HEAD = """[Service]
FrontDoor=/run/fcgi-bridge/wiki.sock
FrontEndUser=root
ScriptDirectory=/usr/lib/cgi-bin
BindReadOnlyPaths=/usr
"""
NEXT = HEAD.count("\n") + 1  # the line of the first key that a test adds
MAP = "wiki any any any 30010:30010\n"


@pytest.fixture
def folder():
    path = Path(tempfile.mkdtemp(prefix="sandboxd-test-config.", dir="/run"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def sandboxctl(command, folder, *arguments, prefix=()):
    return subprocess.run(
        [*prefix, BUILD / "sandboxctl", command, f"--config={folder}", f"--libexec-dir={BUILD}", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=lib.BOUND,
    )


def check(folder, service=HEAD, table=MAP, main=None, more=None):
    services = {"wiki": service, **(more or {})}
    lib.write_configuration(folder, services, {"10.map": table}, main)
    return sandboxctl("check", folder)


def accepted(done):
    assert done.returncode == 0, done.stdout + done.stderr


def refused(done, *patterns):
    text = done.stdout + done.stderr
    assert done.returncode not in (0, None) and done.returncode > 0, text
    for pattern in patterns:
        assert re.search(pattern, text), f"{pattern!r} is not in:\n{text}"


GOOD = [
    "",
    "# a comment\n; another\n\n",
    "BindReadOnlyPaths=/bin /lib:/lib\nBindReadOnlyPaths=-/no/such/path",
    "BindPaths=/var/tmp:/data",
    "BindReadOnlyPaths=\nBindReadOnlyPaths=/usr /etc/ssl",
    "PrivateTmp=yes\nTemporarySize=8M",
    "PrivateTmp=true",
    "PrivateNetwork=no",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    "RestrictAddressFamilies=none",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=@system-service ~@privileged @resources",
    "SystemCallFilter=@system-service\nSystemCallFilter=~ptrace",
    "CapabilityBoundingSet=",
    "ExecStart=/usr/bin/php-cgi -d 'a b' \"c d\"",
    'Environment=A=B "C=D E"\nPassEnvironment=WIKI_FARM OTHER',
    "UMask=0027\nNice=5",
    "LimitNOFILE=256\nLimitNPROC=32\nLimitAS=512M\nLimitFSIZE=1G\nLimitCPU=10\nLimitCORE=0\nLimitSTACK=8M",
    "LimitDATA=infinity\nLimitMEMLOCK=0",
    "MaxConnections=8\nRuntimeMaxSec=30",
    "RuntimeMaxSec=2min",
    "FrontDoor=127.0.0.1:9000\nTrustNetworkFrontEnd=127.0.0.1/32",
    "FrontDoor=[::1]:9000\nTrustNetworkFrontEnd=::1",
    "FrontEndUser=nobody",
    "WorkingDirectory=/usr",
]


@pytest.mark.parametrize("text", GOOD)
def test_a_good_service_is_accepted(folder, text):
    accepted(check(folder, HEAD + text + "\n"))


BAD = [
    ("PrivateTpm=yes", r"PrivateTpm[^\n]*\n?[^\n]*PrivateTmp="),
    ("ExecStrat=/bin/true", r"ExecStrat[^\n]*\n?[^\n]*ExecStart="),
    ("SystemCallFiltre=@system-service", r"SystemCallFiltre[^\n]*\n?[^\n]*SystemCallFilter="),
    ("privatetmp=yes", r"privatetmp[^\n]*\n?[^\n]*PrivateTmp="),
    ("XyzzyPlugh=1", "XyzzyPlugh"),
    ("User=alice", r"User=[^\n]*\n?[^\n]*maps/"),
    ("Group=alice", r"Group=[^\n]*\n?[^\n]*maps/"),
    ("PrivateTmp=maybe", "PrivateTmp|maybe"),
    ("CapabilityBoundingSet=CAP_NET_ADMIN", "CapabilityBoundingSet"),
    ("SystemCallFilter=frobnicate", "frobnicate"),
    ("SystemCallFilter=@frobnicate", "@frobnicate"),
    ("SystemCallFilter=@system-service ~frobnicate", "frobnicate"),
    ("RestrictAddressFamilies=AF_FROB", "AF_FROB"),
    ("ExecStart=bin/php", "ExecStart|absolute|bin/php"),
    ('ExecStart=/bin/php "unfinished', "ExecStart|quot"),
    ("ScriptDirectory=srv/cgi", "ScriptDirectory|absolute"),
    ("ScriptDirectory=/usr/../etc", r"ScriptDirectory|\.\."),
    ("BindReadOnlyPaths=usr", "BindReadOnlyPaths|absolute"),
    ("BindPaths=/a:/b:/c", "BindPaths|/a:/b:/c"),
    ("RootDirectory=root", "RootDirectory|absolute"),
    ("FrontDoor=wiki.sock", "FrontDoor|wiki.sock"),
    ("FrontDoor=127.0.0.1", "FrontDoor|127.0.0.1"),
    ("FrontDoor=127.0.0.1:99999", "FrontDoor|99999"),
    ("FrontDoor=example.org:80", "FrontDoor|example.org"),
    ("FrontEndUser=no-such-account-here", "no-such-account-here"),
    ("TrustNetworkFrontEnd=10.0.0.0/33", "10.0.0.0/33"),
    ("TrustNetworkFrontEnd=localhost", "localhost"),
    ("UMask=0999", "UMask|0999"),
    ("UMask=77777", "UMask|77777"),
    ("Nice=20", "Nice|20"),
    ("LimitNOFILE=many", "LimitNOFILE|many"),
    ("LimitNOFILE=-1", "LimitNOFILE|-1"),
    ("LimitAS=99999999999999999999", "LimitAS|9999"),
    ("RuntimeMaxSec=0", "RuntimeMaxSec"),
    ("RuntimeMaxSec=-1", "RuntimeMaxSec"),
    ("RuntimeMaxSec=soon", "RuntimeMaxSec|soon"),
    ("MaxConnections=0", "MaxConnections"),
    ("MaxConnections=4294967296", "MaxConnections"),
    ("TemporarySize=big", "TemporarySize|big"),
    ("Environment=NOVALUE", "NOVALUE|Environment"),
    ("Environment==x", "Environment"),
    ("PassEnvironment=LD_PRELOAD=x", "PassEnvironment|LD_PRELOAD"),
    ("Environment=REMOTE_USER=forged", "REMOTE_USER"),
    ("Environment=SANDBOXD_X=1", "SANDBOXD_X"),
    ("TemporarySize=0", "TemporarySize"),
    ("TemporarySize=infinity", "TemporarySize"),
    ("SELinuxContext=nonsense", "SELinuxContext|nonsense"),
    ("this is no key", "."),
    ("[Unit]", "Unit"),
]


@pytest.mark.parametrize("line, pattern", BAD, ids=[line for line, _ in BAD])
def test_a_bad_line_is_refused_by_file_and_line(folder, line, pattern):
    if line == "[Unit]":  # a section may be refused where it begins or at its first key
        done = check(folder, HEAD + "[Unit]\nDescription=x\n")
        refused(done, rf"services\.d/wiki\.service:({NEXT}|{NEXT + 1})\b", pattern)
    else:
        refused(check(folder, HEAD + line + "\nNice=1\n"), rf"services\.d/wiki\.service:{NEXT}\b", pattern)


WITHOUT_DOOR = HEAD.replace("FrontDoor=/run/fcgi-bridge/wiki.sock\n", "")


@pytest.mark.parametrize("door", ["", "FrontDoor=\n", "FrontDoor=/run/x.sock\nFrontDoor=\n"])
def test_a_service_without_a_door_has_the_one_of_its_name(folder, door):
    assert "FrontDoor" not in WITHOUT_DOOR
    done = check(folder, WITHOUT_DOOR + door, more={"zoo": HEAD})  # which names wiki's
    refused(done, "zoo.service", r"unix:/run/fcgi-bridge/wiki\.sock belongs to service wiki")
    accepted(check(folder, WITHOUT_DOOR + door, more={"zoo": WITHOUT_DOOR}))


def test_the_default_door_is_a_unix_door_and_needs_a_front_end(folder):
    refused(check(folder, WITHOUT_DOOR.replace("FrontEndUser=root\n", "")), "wiki.service", "FrontEndUser")


def test_a_unix_door_without_a_front_end_is_refused(folder):
    refused(check(folder, HEAD.replace("FrontEndUser=root\n", "")), "wiki.service", "FrontEndUser")


def test_a_service_with_nothing_to_execute_is_refused(folder):
    done = check(folder, HEAD.replace("ScriptDirectory=/usr/lib/cgi-bin\n", ""))
    refused(done, "wiki.service", "ExecStart")


def test_two_services_on_one_door_are_refused_with_both_places(folder):
    done = check(folder, more={"blog": HEAD.replace("ScriptDirectory", "PrivateTmp=no\nScriptDirectory")})
    refused(done, r"(wiki|blog)\.service:2\b", r"/run/fcgi-bridge/wiki\.sock", "wiki", "blog")


def test_a_bind_or_root_where_an_application_may_write_is_refused(folder):
    writable = HEAD + "BindPaths=/srv/data\n"
    other = HEAD.replace("wiki.sock", "blog.sock")
    for line in ("BindReadOnlyPaths=/srv/data/cache", "BindPaths=/srv/data/x/y:/z", "RootDirectory=/srv/data/root"):
        done = check(folder, writable, more={"blog": other + line + "\n"})
        refused(done, r"blog\.service", "/srv/data", "wiki")
    accepted(check(folder, writable, more={"blog": other + "BindPaths=/srv/data\nBindReadOnlyPaths=/srv/database\n"}))


def test_a_file_that_is_no_service_is_ignored_or_named(folder):
    lib.write_configuration(folder, {"wiki": HEAD}, {"10.map": MAP})
    (folder / "services.d" / "README").write_text("not a service\n")
    accepted(sandboxctl("check", folder))


@pytest.mark.parametrize("key", ["MemoryMax=64M", "TasksMax=10", "CPUWeight=50"])
def test_a_limit_that_needs_a_controller_is_refused_where_there_is_none(folder, key):
    top = lib.cgroup2_mount()
    needed = {"MemoryMax": "memory", "TasksMax": "pids", "CPUWeight": "cpu"}[key.split("=")[0]]
    if top and needed in (top / "cgroup.controllers").read_text().split():
        pytest.skip(f"this machine has the cgroup v2 controller {needed!r}: its absence cannot be tested")
    refused(check(folder, HEAD + key + "\n"), rf"wiki\.service:{NEXT}\b", key.split("=")[0], "cgroup")


GOOD_RULES = [
    "wiki any any any 30010:30010",
    "* alice 10.0.0.0/8 any 30010:30010",
    "any anonymous 2001:db8::/32 *.example.org deny",
    'wiki "any" any any 30010:30010',
    "wiki any 192.0.2.7 www.example.org 4294967293:30010",
    "# nothing but a comment",
    "",
]


@pytest.mark.parametrize("rule", GOOD_RULES)
def test_a_good_rule_is_accepted(folder, rule):
    accepted(check(folder, table=f"{rule}\n{MAP}"))


BAD_RULES = [
    ("wiki any any any 0:0", "0"),
    ("wiki any any any 0:30010", "0"),
    ("wiki any any any 30010:0", "0"),
    ("wiki any any any root", "root|0:0"),
    ("wiki any any any 999:30010", "999"),
    ("wiki any any any 30010:999", "999"),
    ("wiki any any any daemon", "daemon|1:1"),
    ("wiki any any any 4294967295:30010", "4294967295"),
    ("wiki any any any 30010:4294967295", "4294967295"),
    ("wiki any any any -1:-1", "-1"),
    ("wiki any any any 4294967296:30010", "4294967296"),
    ("wiki any any any 4294997306:30010", "4294997306"),
    ("wiki any any any 30010", "30010"),
    ("wiki any any any 30010:", "30010:"),
    ("wiki any any any 0x753a:30010", "0x753a"),
    ("wiki any any any fcgi-bridge", r"fcgi-bridge|\d+:\d+"),
    ("wiki any any any sandboxd-zygote", r"sandboxd-zygote|\d+:\d+"),
    ("wiki any any any sandboxd-config", r"sandboxd-config|\d+:\d+"),
    ("wiki any any any no-such-account-here", "no-such-account-here"),
    ("wiki any any 30010:30010", "."),
    ("wiki any any any", "."),
    ("wiki any any any 30010:30010 a:b:c:d extra", "."),
    ("wiki any 10.0.0.0/33 any 30010:30010", "10.0.0.0/33"),
    ("wiki any 1.2.3 any 30010:30010", "1.2.3"),
    ("wiki any ::1::/8 any 30010:30010", "::1::/8"),
    ('wiki "alice any any 30010:30010', "."),
    ("no-such-service any any any 30010:30010", "no-such-service"),
]


@pytest.mark.parametrize("rule, pattern", BAD_RULES, ids=[rule for rule, _ in BAD_RULES])
def test_a_bad_rule_is_refused_by_file_and_line(folder, rule, pattern):
    done = check(folder, table=f"# comment\n\n{rule}\n{MAP}")
    refused(done, r"maps/10\.map:3\b", pattern)


def test_min_uid_and_min_gid_move_the_line(folder):
    accepted(check(folder, table="wiki any any any 500:500 allow-system\n", main={"MinUID": "500", "MinGID": "500"}))
    refused(check(folder, main={"MinUID": "40000"}), r"10\.map:1\b", "30010")
    refused(check(folder, main={"MinGID": "40000"}), r"10\.map:1\b", "30010")


def test_the_project_s_own_accounts_are_refused_even_by_number(folder):
    for name in ("fcgi-bridge", "sandboxd-zygote", "sandboxd-config"):
        uid, gid = lib.account(name)
        main = {"MinUID": "1", "MinGID": "1"}
        refused(check(folder, table=f"wiki any any any {uid}:30010\n", main=main), r"10\.map:1\b")


@pytest.mark.parametrize(
    "main, pattern",
    [
        ("[Sandboxd]\nMaxConnection=3\n", "sandboxd.conf:2.*MaxConnection"),
        ("[Sandboxd]\nMinUID=0\n", "sandboxd.conf:2"),
        ("[Sandboxd]\nSELinux=perhaps\n", "sandboxd.conf:2"),
        ("[Sandbox]\nMinUID=1000\n", "sandboxd.conf:[12]"),
        ("MinUID=1000\n", "sandboxd.conf:1"),
    ],
)
def test_a_bad_main_file_is_refused_by_file_and_line(folder, main, pattern):
    refused(check(folder, main=main), pattern)


def test_selinux_required_is_refused_without_it(folder):
    if os.path.exists("/sys/fs/selinux/enforce"):
        pytest.skip("this kernel runs SELinux: its absence cannot be tested")
    done = check(folder, main={"SELinux": "require"})
    if done.returncode == 0:  # check may be for another machine; the broker itself must refuse
        services, maps = {"wiki": {**APP, "FrontDoor": f"{folder}/wiki.sock"}}, {"10.map": MAP}
        with pytest.raises(AssertionError, match="(?s)the broker ended.*SELinux"):
            lib.Stack(services, maps, main={"SELinux": "require"})
    else:
        refused(done, "SELinux")


PARTS = ["services.d/wiki.service", "maps/10.map", "sandboxd.conf", "services.d", "maps", "."]


@pytest.mark.parametrize("name", PARTS)
def test_a_file_or_folder_that_others_may_write_is_refused(folder, name):
    for mode, owner in ((0o022, 0), (0o002, 0), (0o020, 0), (0, 30010)):
        accepted(check(folder, main={"MinUID": "1000"}))
        path = folder / name
        path.chmod(path.stat().st_mode | mode)
        os.chown(path, owner, 0)
        refused(sandboxctl("check", folder), re.escape(path.name or str(folder)))
        os.chown(path, 0, 0)
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_configuration_that_is_missing_is_refused(folder):
    refused(sandboxctl("check", folder / "nowhere"), "nowhere")


def test_all_mistakes_are_told_at_once(folder):
    done = check(folder, HEAD + "PrivateTpm=yes\nUser=x\n", table="wiki any any any 0:0\n")
    refused(done, rf"wiki\.service:{NEXT}\b", rf"wiki\.service:{NEXT + 1}\b", r"10\.map:1\b")


def test_the_broker_does_not_start_with_a_bad_configuration(app):
    with pytest.raises(AssertionError, match=r"(?s)the broker ended.*bad\.service:\d+"):
        lib.Stack({"bad": {**APP, "PrivateTpm": "yes"}}, programs=[app])


TABLE = """# rules for the wiki
wiki  alice      10.0.0.0/8   any            30011:30012
wiki  anonymous  any          any            deny
wiki  any        any          *.example.org  30013:30013
"""


@pytest.mark.parametrize(
    "arguments, line, identity",
    [
        (["--user", "alice", "--address", "10.1.2.3"], 2, r"30011.*30012"),
        (["--user", "", "--address", "10.1.2.3"], 3, "deny|denied|denies"),
        (["--user", "bob", "--address", "10.1.2.3", "--host", "www.Example.org"], 4, "30013.*30013"),
    ],
)
def test_explain_names_the_rule_and_the_identity(folder, arguments, line, identity):
    lib.write_configuration(folder, {"wiki": HEAD}, {"10.map": TABLE})
    done = sandboxctl("explain", folder, "--service", "wiki", *arguments)
    text = done.stdout + done.stderr
    assert re.search(rf"maps/10\.map:{line}\b", text), text
    assert re.search(identity, text), text


def test_explain_says_when_no_rule_matches(folder):
    lib.write_configuration(folder, {"wiki": HEAD}, {"10.map": TABLE})
    arguments = ["--service", "wiki", "--user", "bob", "--address", "10.1.2.3"]
    done = sandboxctl("explain", folder, *arguments)
    assert not re.search(r"10\.map:\d", done.stdout + done.stderr)
    assert re.search("(?i)no rule|none", done.stdout + done.stderr), done
    refused(sandboxctl("explain", folder, "--service", "nowhere", *arguments[2:]), "nowhere")


@pytest.fixture
def runnable(folder, app):
    (folder / "apps").mkdir()
    shutil.copy(app, folder / "apps" / "app")
    service = {
        "FrontDoor": "/run/fcgi-bridge/wiki.sock",
        "FrontEndUser": "root",
        "ScriptDirectory": "/apps",
        "BindReadOnlyPaths": f"{folder}/apps:/apps",
        "PrivateTmp": "yes",
    }
    if lib.sanitized():  # see Stack
        service["LimitAS"] = "infinity"
    lib.write_configuration(folder / "config", {"wiki": service}, {"10.map": TABLE + MAP})
    return folder / "config"


def test_run_shows_the_identity_from_inside(runnable):
    arguments = ["--service", "wiki", "--user", "alice", "--address", "10.9.9.9", "--", "/apps/app"]
    done = sandboxctl("run", runnable, *arguments)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout[done.stdout.index("{") :])
    assert seen["uid"] == [30011] * 3 and seen["gid"] == [30012] * 3
    assert (seen["seccomp"], seen["no_new_privs"], seen["cap_bounding"]) == (2, 1, 0)
    assert seen["pid"] == 2 and seen["proc"] == 0


def test_run_refuses_who_has_no_rule(runnable):
    arguments = ["--service", "wiki", "--user", "", "--address", "10.9.9.9", "--", "/apps/app"]
    done = sandboxctl("run", runnable, *arguments)
    assert done.returncode != 0 and '"uid"' not in done.stdout


def test_run_passes_the_exit_status_on(runnable):
    base = ["--service", "wiki", "--user", "alice", "--address", "10.9.9.9", "--"]
    assert sandboxctl("run", runnable, *base, "/apps/none").returncode != 0


def test_run_refuses_a_caller_who_is_not_root(runnable):
    arguments = ["--service", "wiki", "--user", "alice", "--address", "10.9.9.9", "--", "/apps/app"]
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    done = sandboxctl("run", runnable, *arguments, prefix=prefix)
    assert done.returncode > 0 and '"uid"' not in done.stdout
    assert re.search("root|uid 0", done.stdout + done.stderr)
