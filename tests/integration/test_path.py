# SPDX-License-Identifier: Apache-2.0
"""The way of a request, end to end: what the application is and gets, what comes back, how it ends."""

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import fcgi
import pytest
import stack as lib
from stack import fresh_user, processes_of, rss_of, wait_for

APP = {"ScriptDirectory": "/apps", "BindReadOnlyPaths": "@BASE@/apps:/apps"}
SYSTEM = ["/usr", "/bin", "/lib", "/lib64"]
SERVICES = {
    "cgi": {**APP, "RuntimeMaxSec": "120", "MaxConnections": "128", "PassEnvironment": "WIKI_FARM"},
    "deadline": {**APP, "RuntimeMaxSec": "1"},
    "few": {**APP, "MaxConnections": "2", "RuntimeMaxSec": "120"},
    "strangers": {**APP, "FrontEndUser": "nobody"},
    "set": {
        **APP,
        "BindReadOnlyPaths": ["@BASE@/apps:/apps", "@BASE@/elsewhere:/elsewhere"],
        "BindPaths": "@BASE@/data:/data",
        "PrivateTmp": "yes",
        "Environment": ['A=B "C=D E"', "PATH=/apps"],
        "UMask": "0027",
        "Nice": "5",
        "LimitNOFILE": "99",
        "WorkingDirectory": "/data",
    },
    "fixed": {**APP, "ExecStart": '/apps/app one "two words"', "ScriptDirectory": None},
    "system": {"ScriptDirectory": "/apps", "BindReadOnlyPaths": [*SYSTEM, "@BASE@/apps:/apps"]},
}


def prepare(base):
    """Scripts and folders beside the application, each for one test."""

    def script(name, text, mode=0o755, owner=0):
        path = base / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        os.chown(path, owner, owner)
        path.chmod(mode)

    script("apps/plain", "#!/bin/sh\n", mode=0o644)
    script("apps/interpreter", "#!/no/such/interpreter\n")
    script("apps/garbage", "this is no program\n")
    script("apps/writable", "#!/bin/sh\nprintf 'Status: 200\\n\\nran\\n'\n", mode=0o757)
    script("apps/group-writable", "#!/bin/sh\nprintf 'Status: 200\\n\\nran\\n'\n", mode=0o775)
    script("apps/of-bob", "#!/bin/sh\nprintf 'Status: 200\\n\\nran\\n'\n", owner=30011)
    script("apps/of-alice", "#!/bin/sh\nprintf 'Status: 200\\n\\nran\\n'\n", owner=30010)
    script("apps/loose/app", "#!/bin/sh\nprintf 'Status: 200\\n\\nran\\n'\n")
    (base / "apps" / "loose").chmod(0o777)
    script("apps/hello.sh", '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\nhello $0 $REMOTE_USER\\n"\n')
    script(
        "apps/sum.py",
        "#!/usr/bin/python3\n"
        "import hashlib, os, sys\n"
        "body = sys.stdin.buffer.read()\n"
        "print('Content-Type: text/plain\\n')\n"
        "print(len(body), hashlib.sha256(body).hexdigest(), os.getuid(), os.getpid())\n",
    )
    for name in ("elsewhere", "apps-evil"):
        (base / name).mkdir()
    for target in ("elsewhere/app", "apps-evil/app"):
        (base / target).write_bytes((base / "apps" / "app").read_bytes())
        (base / target).chmod(0o755)
    os.symlink("/elsewhere/app", base / "apps" / "link")
    (base / "data").mkdir()
    (base / "data").chmod(0o777)


@pytest.fixture(scope="module")
def stack(app):
    one = lib.Stack(SERVICES, programs=[app], prepare=prepare)
    yield one
    one.stop()


def report(response):
    assert response.status == 200, (response, response.stdout[:500])
    return json.loads(response.body)


def environment(response):
    pairs = [item.split("=", 1) for item in report(response)["env"]]
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), f"a variable occurs twice: {sorted(names)}"
    return dict(pairs)


# What the application is


@pytest.mark.parametrize(
    "user, uid, gid", [("alice", 30010, 30010), ("bob", 30011, 30012), (None, 30013, 30013)]
)
def test_the_application_is_who_the_map_says_and_nothing_more(stack, user, uid, gid):
    seen = report(stack.request("cgi", user=user))
    assert seen["uid"] == [uid] * 3
    assert seen["gid"] == [gid] * 3
    assert set(seen["groups"]) <= {gid}
    for name in ("effective", "permitted", "inheritable", "bounding", "ambient"):
        assert seen[f"cap_{name}"] == 0, name
    assert seen["bounding_readable"] == 1
    assert seen["seccomp"] == 2
    assert seen["no_new_privs"] == 1
    if lib.cgroup2_mount():
        assert seen["pid"] >= 2 and seen["ppid"] == 0, "a child of the broker's, in a namespace with a keeper"
    else:
        assert (seen["pid"], seen["ppid"]) == (2, 1), "a child of its init"
    assert seen["fds"] == {"0": ["pipe", os.O_RDONLY], "1": ["pipe", os.O_WRONLY], "2": ["pipe", os.O_WRONLY]}
    assert seen["ignored"] == [] and seen["blocked"] == []
    assert seen["proc"] == 0 and seen["tmp"] == 0


def test_the_application_has_a_session_without_a_terminal(stack):
    seen = report(stack.request("cgi", user="alice"))
    assert seen["pgid"] == 1, "the group of its keeper, or of its init: it leads none, and may call setsid(2)"
    assert seen["sid"] == (0 if lib.cgroup2_mount() else 1)


def test_the_application_can_begin_a_session(stack):
    script = "import os; print('Content-Type: text/plain\\n'); os.setsid(); print(os.getsid(0) == os.getpid())"
    (stack.base / "apps" / "session.py").write_text(f"#!/usr/bin/python3\n{script}\n")
    (stack.base / "apps" / "session.py").chmod(0o755)
    assert stack.request("system", user="alice", script="/apps/session.py").body == b"True\n"


def keeper_of(pid):
    """The first process of its PID namespace, whose own number another namespace gets as soon as it is free."""
    space = os.readlink(f"/proc/{pid}/ns/pid")
    for other in lib.pids():
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{other}/ns/pid") == space and lib._status(other)["NSpid"].split()[-1] == "1":
                return other
    return None


def test_a_namespace_serves_another_request_only_when_nothing_is_left_in_it(make_stack):
    if not lib.cgroup2_mount():
        pytest.skip("each request has one of its own")
    one = make_stack({"cgi": APP})

    def keeper_of_a_request(query):
        user, uid = fresh_user()
        with one.begin("cgi", query, user=user) as connection:
            connection.send(fcgi.encode_record(fcgi.STDIN, 1))
            found = keeper_of(started(uid)[0])
        wait_for(lambda: not processes_of(uid), "the request to end")
        return found

    clean = {keeper_of_a_request("hold") for _ in range(5)}
    assert len(clean) == 1, "kept"
    dirty = [keeper_of_a_request("family") for _ in range(5)]
    assert len(set(dirty)) == 5 and dirty[0] in clean, "each was given up"
    wait_for(lambda: not [pid for pid in dirty if pid in lib.pids()], "their keepers to end")
    assert keeper_of_a_request("hold") not in dirty


def test_a_namespace_is_of_one_zygote(make_stack):
    """Keepers are in their zygote's session, and end with it. Another one has others, after it or beside it."""
    one = make_stack({"cgi": APP, "unix": {**APP, "RestrictAddressFamilies": "AF_UNIX"}})

    def named():
        return [pid for pid in lib.children_of(one.broker.pid)[0] if "sandboxd-zygote" in lib.command_of(pid)]

    for _ in range(3):
        assert one.request("cgi", "echo", user="alice").status == 200
        (zygote,) = lib.zygotes_of(one.broker.pid)
        assert len(named()) == (2 if lib.cgroup2_mount() else 1)
        os.kill(zygote, signal.SIGKILL)
        wait_for(lambda: not named(), "the zygote and its keeper to end")
    users = [fresh_user()[0] for _ in range(20)]
    for user in [*users, *users, *(2 * users[:2])]:
        assert one.request("unix", "echo", user=user).status == 200, user
    assert len(lib.zygotes_of(one.broker.pid)) == 20
    wait_for(lambda: len(named()) <= 20 + 16, "at most 16 keepers of a service to wait")


LOOK = """#!/usr/bin/python3
import json, os, signal
found = {}
for pid in range(1, 4000):
    try:
        os.kill(pid, 0)
        found[pid] = "mine"
    except PermissionError:
        found[pid] = "another's"
    except ProcessLookupError:
        pass
try:
    os.kill(1, signal.SIGKILL)
except PermissionError:
    found["kill"] = "refused"
print("Content-Type: application/json\\n")
print(json.dumps({"found": found, "own": os.getpid()}))
"""


def test_a_request_finds_nobody_but_itself_and_its_init(stack):
    script = stack.base / "apps" / "look.py"
    script.write_text(LOOK)
    script.chmod(0o755)
    user, uid = fresh_user()
    with stack.begin("system", "", user=user, script="/apps/sum.py", method="POST", CONTENT_LENGTH="9"):
        started(uid)  # of the same user, in the same service, at the same time
        for _ in range(3):
            seen = json.loads(stack.request("system", user=user, script="/apps/look.py").body)
            init = "another's" if lib.cgroup2_mount() else "mine"
            expected = {"1": init, str(seen["own"]): "mine"} | ({"kill": "refused"} if lib.cgroup2_mount() else {})
            assert seen["found"] == expected, seen


def test_an_account_name_brings_its_supplementary_groups_and_no_others(make_stack):
    name, first, second = "sandboxd-test", "sandboxd-test-a", "sandboxd-test-b"
    try:
        subprocess.run(["groupadd", "-f", "-g", "30098", first], check=True)
        subprocess.run(["groupadd", "-f", "-g", "30097", second], check=True)
        subprocess.run(["useradd", "-M", "-N", "-u", "30099", "-g", first, "-G", second, name], check=True)
        one = make_stack({"cgi": APP}, maps={"1.map": f"cgi any any any {name}\n"})
        seen = report(one.request("cgi", user="alice"))
        assert seen["uid"] == [30099] * 3 and seen["gid"] == [30098] * 3
        assert set(seen["groups"]) in ({30097}, {30097, 30098})
    finally:
        for command in (["userdel", name], ["groupdel", first], ["groupdel", second]):
            subprocess.run(command, capture_output=True)


def test_rules_by_address_and_host_choose_the_first_that_matches(make_stack):
    table = """
# the order of the rules decides
cgi carol 10.0.0.0/8      any            30021:30021
cgi carol 2001:db8::/32   any            30022:30022
cgi carol any             *.example.net  30023:30023
cgi carol 192.0.2.7       WWW.example.ORG 30024:30024
cgi carol 192.0.2.7       any            deny
"""
    one = make_stack({"cgi": APP}, maps={"1.map": table, "2.map": "any any any any 30029:30029\n"})

    def uid(address, host, user="carol"):
        response = one.request("cgi", user=user, REMOTE_ADDR=address, SERVER_NAME=host)
        return report(response)["uid"][0] if response.status == 200 else response.status

    assert uid("10.1.2.3", "www.example.net") == 30021
    assert uid("2001:db8::7", "x") == 30022
    assert uid("192.0.2.9", "A.Example.NET") == 30023
    assert uid("192.0.2.9", "example.net.evil.org") == 30029
    assert uid("192.0.2.7", "www.example.org") == 30024
    assert uid("192.0.2.7", "example.org") == 403
    assert uid("::ffff:10.1.2.3", "x") in (30021, 30029)
    assert uid("10.1.2.3", "x", user="dave") == 30029


def test_the_settings_of_the_service_reach_the_application(stack):
    response = stack.request("set", user="alice")
    seen = report(response)
    assert seen["umask"] == 0o027
    assert seen["nice"] == 5
    assert seen["nofile"] == [99, 99]
    assert seen["cwd"] == "/data"
    assert seen["tmp"] == 1


def test_a_fixed_program_gets_its_arguments(stack):
    seen = report(stack.request("fixed", user="alice", SCRIPT_FILENAME=None))
    assert seen["argv"][1:] == ["one", "two words"]
    assert seen["cwd"] == "/"


def test_a_script_runs_in_its_own_folder_under_its_own_name(stack):
    seen = report(stack.request("cgi", user="alice"))
    assert seen["argv"] == ["/apps/app"] and seen["cwd"] == "/apps"


def test_a_script_at_the_top_runs_there(make_stack):
    one = make_stack({"top": {"ScriptDirectory": "/", "BindReadOnlyPaths": "@BASE@/apps/app:/app"}})
    seen = report(one.request("top", script="/app"))
    assert seen["argv"] == ["/app"] and seen["cwd"] == "/"


def test_a_shell_script_and_a_python_script_run(stack):
    response = stack.request("system", user="alice", script="/apps/hello.sh")
    assert response.body == b"hello /apps/hello.sh alice\n"
    response = stack.request("system", user="alice", script="/apps/sum.py", stdin=b"abc")
    *said, pid = response.body.split()
    assert said == [b"3", hashlib.sha256(b"abc").hexdigest().encode(), b"30010"]
    assert int(pid) >= 2, "the application itself, and not PID 1"


# The environment

CGI_NAMES = """AUTH_TYPE CONTENT_LENGTH CONTENT_TYPE GATEWAY_INTERFACE PATH_INFO PATH_TRANSLATED QUERY_STRING
REMOTE_ADDR REMOTE_HOST REMOTE_IDENT REMOTE_USER REQUEST_METHOD SCRIPT_NAME SERVER_NAME SERVER_PORT
SERVER_PROTOCOL SERVER_SOFTWARE SCRIPT_FILENAME DOCUMENT_ROOT DOCUMENT_URI REQUEST_URI REQUEST_SCHEME HTTPS
REMOTE_PORT SERVER_ADDR REDIRECT_STATUS""".split()


def test_every_standard_variable_arrives_as_it_was_sent(stack):
    sent = {name: f"value of {name}" for name in CGI_NAMES}
    sent.update(QUERY_STRING="report", SCRIPT_FILENAME="/apps/app", REQUEST_METHOD="GET", CONTENT_LENGTH="0")
    sent.update(REMOTE_USER="alice", REMOTE_ADDR="192.0.2.7", SERVER_NAME="h", GATEWAY_INTERFACE="CGI/1.1")
    sent.update(HTTP_COOKIE="a=b; c=\"d\"", HTTP_X_EMPTY="", HTTP_HOST="h", WIKI_FARM="north")
    seen = environment(fcgi.request(stack.door("cgi"), sent))
    for name, value in sent.items():
        assert seen.get(name) == value, name
    assert seen["PATH"] == "/usr/local/bin:/usr/bin:/bin"
    assert re.fullmatch("[0-9a-f]{32}", seen["SANDBOXD_REQUEST_ID"])


HOSTILE_NAMES = """HTTP_PROXY http_proxy Http_Proxy HTTP_proxy LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT PERL5LIB
PERL5OPT PYTHONPATH PYTHONSTARTUP RUBYLIB NODE_OPTIONS BASH_ENV ENV IFS PATH HOME GCONV_PATH LISTEN_FDS
NOTIFY_SOCKET
remote_user Remote_User SANDBOXD_REQUEST_ID PHP_VALUE PHP_ADMIN_VALUE WIKI_FARMS LC_ALL""".split()


def test_only_allowed_variables_arrive(stack):
    mark = fcgi.token()
    extra = {name: mark for name in HOSTILE_NAMES}
    seen = environment(stack.request("cgi", user="alice", **extra))
    carried = [name for name, value in seen.items() if mark in value]
    assert carried == []
    allowed = {*CGI_NAMES, "PATH", "SANDBOXD_REQUEST_ID"}
    assert {name for name in seen if not name.startswith("HTTP_")} <= allowed


MALFORMED_NAMES = ["", "A=B", "HTTP_X=Y", "HTTP_X\nY", "HTTP X", "HTTP_X\0Y", "=", "HTTP_\xff"]


@pytest.mark.parametrize("name", MALFORMED_NAMES)
def test_a_malformed_name_is_refused_or_left_out(stack, name):
    mark = fcgi.token()
    response = stack.request("cgi", user="alice", **{name: mark})
    assert response.status in (200, 400)
    assert mark.encode() not in response.body


def test_a_value_cannot_hide_a_second_variable(stack):
    values = {"HTTP_X_LINES": "a\nLD_PRELOAD=b", "HTTP_X_NUL": "a\0LD_PRELOAD=b"}
    for name, value in values.items():
        response = stack.request("cgi", user="alice", **{name: value})
        if response.status == 200:
            assert "LD_PRELOAD" not in environment(response)
        else:
            assert response.status in (400, 500)


def test_the_service_overrides_the_request(stack):
    seen = environment(stack.request("set", user="alice", A="request", C="request"))
    assert (seen["A"], seen["C"], seen["PATH"]) == ("B", "D E", "/apps")


def test_remote_user_is_the_selector_that_chose_the_identity(stack):
    assert environment(stack.request("cgi", user="bob"))["REMOTE_USER"] == "bob"
    assert environment(stack.request("cgi")).get("REMOTE_USER", "") == ""
    pairs = list(stack.params(user=None).items()) + [("REMOTE_USER", "alice"), ("REMOTE_USER", "bob")]
    for order in (pairs, pairs[::-1]):
        response = fcgi.request(stack.door("cgi"), order_preserving(order))
        if response.status == 200:
            seen = report(response)
            name = environment(response)["REMOTE_USER"]
            assert {"alice": 30010, "bob": 30011}[name] == seen["uid"][0]
        else:
            assert response.status in (400, 403, 500)


def order_preserving(pairs):
    class Pairs(list):
        def items(self):
            return iter(self)

    return Pairs(pairs)


# Bodies, records, responses


def test_a_body_of_20_megabytes_goes_through_unchanged_both_ways(stack):
    body = os.urandom(1 << 20) * 20
    response = stack.request("cgi", "echo", stdin=body, user="alice")
    assert response.status == 200
    assert hashlib.sha256(response.body).digest() == hashlib.sha256(body).digest()
    assert (response.app_status, response.protocol_status) == (0, fcgi.REQUEST_COMPLETE)


HEADER = len("Content-Type: text/plain\r\n\r\n")
BURSTS = [n * 32768 - header for n in range(2, 25) for header in (0, HEADER)]


@pytest.mark.parametrize("size", BURSTS)
def test_a_body_that_arrives_while_the_response_is_stuck_is_not_forgotten(stack, size):
    """
    The application writes `size` bytes and then reads. At some size all of it fits into the bridge and the
    sockets, and none is left in the pipe: then only the client can wake the bridge, which must be listening.
    A bridge reads its pipes in pieces of a power of two: those sizes are tried, with and without the header.
    """
    user, _ = fresh_user()
    with stack.begin("cgi", f"burst:{size}", user=user, method="POST", CONTENT_LENGTH="10") as connection:
        connection.socket.settimeout(20)
        time.sleep(0.03)  # for the response to get as far as it can; its length makes the case, not the time
        connection.send(fcgi.encode_record(fcgi.STDIN, 1, b"x" * 10))
        time.sleep(0.01)
        response = connection.read_until(b"x" * size)
        connection.send(fcgi.encode_record(fcgi.STDIN, 1))
        rest = connection.read_response()
    assert (response.stdout + rest.stdout).endswith(b"xthen 10\n") and rest.app_status == 0


def test_python_reads_a_body_of_20_megabytes(stack):
    body = os.urandom(1 << 20) * 20
    response = stack.request("system", user="alice", script="/apps/sum.py", stdin=body)
    assert response.body.split()[:2] == [str(len(body)).encode(), hashlib.sha256(body).hexdigest().encode()]


def test_post_and_get_end_with_the_exit_status(stack):
    response = stack.request("cgi", "count", stdin=b"x" * 1000, user="alice")
    assert response.body == b"1000\n" and response.app_status == 0
    response = stack.request("cgi", "count", user="alice")
    assert response.body == b"0\n"
    response = stack.request("cgi", "respond-exit:7", user="alice")
    assert response.body == b"then exit\n"
    assert (response.app_status, response.protocol_status) == (7, fcgi.REQUEST_COMPLETE)


def test_several_requests_share_one_connection_and_no_process(stack):
    with stack.connect("cgi") as connection:
        seen = set()
        for n, user in enumerate(["alice", "bob", None, "alice", "alice"], start=1):
            params = stack.params("unique", user=user)
            connection.send(fcgi.whole_request(params, id=n, flags=fcgi.KEEP_CONN))
            response = connection.read_response(id=n)
            assert response.status == 200 and response.app_status == 0
            seen.add(response.body.split()[0])
        assert len(seen) == 5
        connection.send(fcgi.whole_request(stack.params("unique"), id=7))
        assert connection.read_response(id=7).status == 200
        assert connection.closed(), "without FCGI_KEEP_CONN the server closes (section 5.1)"


def test_get_values_is_answered_by_what_the_bridge_can_do(stack):
    names = ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS", "NO_SUCH_VALUE"]
    asked = fcgi.encode_pairs({name: "" for name in names})
    with stack.connect("cgi") as connection:
        connection.send(fcgi.encode_record(fcgi.GET_VALUES, 0, asked))
        record = connection.read_record()
        assert (record.type, record.id) == (fcgi.GET_VALUES_RESULT, 0)
        values = fcgi.decode_pairs(record.content)
        assert values["FCGI_MPXS_CONNS"] == "0"
        assert int(values["FCGI_MAX_CONNS"]) > 0 and int(values["FCGI_MAX_REQS"]) > 0
        assert "NO_SUCH_VALUE" not in values
        connection.send(fcgi.whole_request(stack.params("report")))
        assert connection.read_response().status == 200


def test_a_status_line_and_headers_of_the_application_arrive(stack):
    head = b"Status: 418 I'm a teapot\nX-One: 1\r\nSet-Cookie: a=b\nContent-Type: text/plain\n\nbody\n\nmore"
    response = stack.request("cgi", "raw", stdin=head, user="alice")
    assert response.header("status") == "418 I'm a teapot"
    assert response.header("x-one") == "1" and response.header("set-cookie") == "a=b"
    assert response.body == b"body\n\nmore"


def test_a_location_becomes_a_redirection(stack):
    response = stack.request("cgi", "raw", stdin=b"Location: https://www.example.org/there\n\n", user="alice")
    assert response.status == 302 and response.header("location") == "https://www.example.org/there"
    response = stack.request(
        "cgi", "raw", stdin=b"Status: 307 Again\nLocation: https://www.example.org/x\n\n", user="alice"
    )
    assert response.header("status") == "307 Again"


def test_output_with_a_whole_http_header_is_turned_into_a_cgi_header(stack):
    head = b"HTTP/1.1 201 Made\r\nX-Nph: yes\r\nContent-Type: text/plain\r\n\r\nraw body"
    response = stack.request("cgi", "raw", stdin=head, user="alice")
    assert response.header("status") == "201 Made"
    assert response.header("x-nph") == "yes" and response.body == b"raw body"


def test_a_response_without_a_header_end_is_a_502(stack):
    for text in (b"", b"no header at all", b"X-Half: 1\n", b"no colon\n\nbody", b": no name\n\nbody"):
        response = stack.request("cgi", "raw", stdin=text, method="POST", user="alice")
        assert response.status == 502, text
        check_own_page(response, 502)


def test_an_application_that_dies_without_an_answer_is_a_502(stack):
    for query in ("exit:0", "exit:3", f"signal:{signal.SIGKILL:d}", f"signal:{signal.SIGSEGV:d}"):
        check_own_page(stack.request("cgi", query, user="alice"), 502)


def test_standard_error_arrives_and_is_logged_with_the_request_id(stack):
    mark = fcgi.token()
    response = stack.request("cgi", f"stderr:{mark}", user="alice")
    assert response.body == b"wrote to stderr\n"
    assert mark.encode() in response.stderr

    def line():
        found = re.search(rf"^.*{mark}.*$", stack.bridge_log() + stack.broker_log(), re.MULTILINE)
        return found and found.group()

    assert re.search(r"request=[0-9a-f]{32}", wait_for(line, "the application's stderr in the log"))


# Many at a time


def test_many_requests_at_once_each_get_their_own_answer(stack):
    failures = []

    def client(number):
        user, uid = users[number % len(users)]
        for n in range(10):
            body = f"{number}.{n}.{fcgi.token()}".encode() * 50
            response = stack.request("cgi", "echo", stdin=body, user=user)
            if response.body != body or response.app_status != 0:
                failures.append((number, n, response))
            if report(stack.request("cgi", user=user))["uid"] != [uid] * 3:
                failures.append((number, n, "uid"))

    users = [fresh_user() for _ in range(8)]
    threads = [threading.Thread(target=client, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
        assert not thread.is_alive()
    assert failures == []


MEGABYTE = 1 << 20


def growth_bound():
    if lib.sanitized():
        pytest.skip("memory is not measured: the programs are built with a sanitizer")
    return 16 * MEGABYTE


def test_a_slow_reader_holds_the_application_back_and_not_in_the_bridge_s_memory(stack):
    bound = growth_bound()
    before = rss_of(stack.bridge.pid)
    with stack.begin("cgi", f"generate:{200 * MEGABYTE}", user="alice") as connection:
        connection.send(fcgi.encode_record(fcgi.STDIN, 1))
        peak = length = 0
        while length < 40 * MEGABYTE:
            part = fcgi.Response()
            while len(part.stdout) < MEGABYTE:
                assert connection.take(part)
            length += len(part.stdout)
            for _ in range(20 if length < 2 * MEGABYTE else 1):
                time.sleep(0.05)
                peak = max(peak, rss_of(stack.bridge.pid))
        assert peak - before < bound
        assert stack.request("cgi", "echo", stdin=b"meanwhile", user="bob").body == b"meanwhile"


def test_the_whole_of_200_megabytes_arrives_at_a_reader_that_pauses(stack):
    bound = growth_bound()
    before, length = rss_of(stack.bridge.pid), 0
    with stack.begin("cgi", f"generate:{200 * MEGABYTE}", user="alice") as connection:
        connection.send(fcgi.encode_record(fcgi.STDIN, 1))
        response = connection.read_until(b"\r\n\r\n")
        length = len(response.body)
        more, pauses = True, 0
        while more:
            part = fcgi.Response()
            while more and len(part.stdout) < MEGABYTE:
                more = connection.take(part)
            length += len(part.stdout)
            if length > pauses * 50 * MEGABYTE:
                pauses += 1
                time.sleep(0.2)
                assert rss_of(stack.bridge.pid) - before < bound
    assert length == 200 * MEGABYTE and part.app_status == 0


def test_an_application_that_does_not_read_holds_the_client_back(stack):
    bound = growth_bound()
    before = rss_of(stack.bridge.pid)
    user, uid = fresh_user()
    length = str(200 * MEGABYTE)
    with stack.begin("cgi", "never", user=user, method="POST", CONTENT_LENGTH=length) as connection:
        connection.socket.settimeout(2)
        sent, record = 0, fcgi.encode_record(fcgi.STDIN, 1, b"x" * 65000)
        try:
            while sent < 200 * MEGABYTE:
                connection.socket.sendall(record)
                sent += len(record)
        except TimeoutError:
            pass
        assert sent < 32 * MEGABYTE, "the bridge took more than it can keep"
        assert rss_of(stack.bridge.pid) - before < bound
    wait_for(lambda: not processes_of(uid), "the application to end with its client")


def test_no_mount_of_a_service_is_ever_seen_outside(stack):
    assert stack.request("set", user="alice").status == 200
    assert lib.mounts() == stack.mounts_before


def test_no_mount_is_seen_outside_where_mounts_are_shared():
    """As under systemd, which makes / shared (mount_namespaces(7)): the test before, in such a namespace."""
    command = ["unshare", "--mount", "--propagation", "shared", sys.executable, "-m", "pytest", "-q"]
    command += [__file__, "-p", "no:cacheprovider", "-k", "test_no_mount_of_a_service_is_ever_seen_outside"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * lib.BOUND)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout[-3000:]


def test_without_control_groups_a_request_has_an_init_of_its_own():
    """The same application, ends and refusals, where no hierarchy of version 2 is mounted."""
    if not lib.cgroup2_mount():
        pytest.skip("there is none anyway: all tests are this one")
    pytest_again = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    chosen = "who_the_map_says or session or ends or ended or die or death or deadline or abort or missing"
    script = f"while umount -l {lib.cgroup2_mount()} 2>/dev/null; do :; done; exec \"$@\""
    command = ["unshare", "--mount", "sh", "-c", script, "sh", *pytest_again, "-k", f"({chosen}) and not without"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3 * lib.BOUND)
    assert done.returncode == 0 and re.search(r"\b[1-9]\d passed", done.stdout), done.stdout[-3000:]


# How a request ends


def started(uid):
    return wait_for(lambda: lib.applications_of(uid), f"an application of {uid}")


def test_everything_ends_when_the_client_vanishes(stack):
    for query in ("hold", "family", "spew"):
        user, uid = fresh_user()
        with stack.begin("cgi", query, user=user) as connection:
            connection.send(fcgi.encode_record(fcgi.STDIN, 1))
            started(uid)
        wait_for(lambda uid=uid: not processes_of(uid), f"the end of {query}")


def test_everything_ends_when_the_client_vanishes_in_the_middle_of_its_body(stack):
    user, uid = fresh_user()
    with stack.begin("cgi", "echo", user=user, method="POST", CONTENT_LENGTH="100") as connection:
        connection.send(fcgi.encode_record(fcgi.STDIN, 1, b"half"))
        connection.read_until(b"half")
        started(uid)
    wait_for(lambda: not processes_of(uid), "the application to end")


def test_abort_request_ends_everything_and_is_answered(stack):
    user, uid = fresh_user()
    with stack.begin("cgi", "family", user=user) as connection:
        started(uid)
        connection.send(fcgi.encode_record(fcgi.ABORT_REQUEST, 1))
        response = connection.read_response()
        assert response.closed or response.protocol_status == fcgi.REQUEST_COMPLETE
        wait_for(lambda: not processes_of(uid), "the application to end")


def test_a_connection_serves_the_next_request_after_an_abort(stack):
    user, uid = fresh_user()
    with stack.connect("cgi") as connection:
        params = fcgi.encode_stream(fcgi.PARAMS, 1, fcgi.encode_pairs(stack.params("hold", user=user)))
        connection.send(fcgi.begin(flags=fcgi.KEEP_CONN) + params)
        started(uid)
        connection.send(fcgi.encode_record(fcgi.ABORT_REQUEST, 1))
        response = connection.read_response()
        assert not response.closed and response.protocol_status == fcgi.REQUEST_COMPLETE
        connection.send(fcgi.whole_request(stack.params("echo", user=user), id=2))
        assert connection.read_response(id=2).status == 200


def test_the_deadline_is_a_504_and_kills_the_whole_family(stack):
    user, uid = fresh_user()
    with stack.begin("deadline", "family", user=user) as connection:
        connection.send(fcgi.encode_record(fcgi.STDIN, 1))
        started(uid)
        check_own_page(connection.read_response(), 504)
    wait_for(lambda: not processes_of(uid), "the family to end")


def test_the_deadline_ends_a_response_that_has_begun(stack):
    user, uid = fresh_user()
    with stack.begin("deadline", "hold", user=user) as connection:
        connection.send(fcgi.encode_record(fcgi.STDIN, 1))
        response = connection.read_response()
    assert response.status == 200 and response.body == b""
    wait_for(lambda: not processes_of(uid), "the application to end")


def test_daemons_die_with_the_main_process(stack):
    user, uid = fresh_user()
    response = stack.request("cgi", "daemon", user=user)
    assert response.body == b"left a daemon\n" and response.app_status == 0
    wait_for(lambda: not processes_of(uid), "the daemon to end")


# Refusals


def check_own_page(response, status):
    """The project's own response: a status line, plain text, the request id, and no word of the reason."""
    assert response.status == status, response
    assert response.header("content-type").startswith("text/plain")
    assert re.fullmatch(rf"{status} [A-Za-z ]+\nrequest [0-9a-f]{{32}}\n", response.body.decode())
    assert response.protocol_status == fcgi.REQUEST_COMPLETE


def refused(stack, service, status, reason, **arguments):
    """A refusal: the status, and one line in the broker's log with the request's id and the reason."""
    response = stack.request(service, **arguments)
    check_own_page(response, status)
    id = re.search(r"request ([0-9a-f]{32})", response.body.decode()).group(1)
    stack.logged(rf"(?m)^(?=.*{id})(?=.*(?:{reason})).*$")


def test_nobody_s_rule_is_a_403(stack):
    refused(stack, "cgi", 403, "rule", user="unheard-of")


def test_a_rule_that_denies_is_a_403(stack):
    refused(stack, "cgi", 403, r"50-tests\.map:4|deny|denied|denies", user="mallory")


def test_nothing_in_a_user_s_name_passes_for_a_field_of_the_log(stack):
    refused(stack, "cgi", 403, r'user="eve\? identity=1:1 " address=', user='eve" identity=1:1 ')


def test_a_front_end_of_another_account_is_a_403(stack):
    refused(stack, "strangers", 403, "front end|FrontEndUser", user="alice")
    uid, gid = lib.account("nobody")
    pid = os.fork()
    if pid == 0:  # a process of the right account is let in
        try:
            os.setgid(gid)
            os.setuid(uid)
            ok = stack.request("strangers", user="alice").status == 200
            refused_there = stack.request("cgi", user="alice").status == 403
            os._exit(0 if ok and refused_there else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_tcp_door_believes_only_the_peers_it_trusts(make_stack):
    trusted, strict = f"127.0.0.1:{lib.free_port()}", f"127.0.0.1:{lib.free_port()}"
    network = {**APP, "FrontEndUser": None}
    doors = {
        "trusting": {**network, "FrontDoor": trusted, "TrustNetworkFrontEnd": "127.0.0.1/32"},
        "strict": {**network, "FrontDoor": strict, "TrustNetworkFrontEnd": "192.0.2.1/32"},
    }
    one = make_stack(doors)
    seen = report(one.request("trusting", user="alice"))
    assert seen["uid"] == [30010] * 3
    assert environment(one.request("trusting", user="alice"))["REMOTE_ADDR"] == "192.0.2.7"
    check_own_page(one.request("strict", user="alice"), 403)
    one.logged("(?i)trust")
    anonymous = one.request("strict")
    assert report(anonymous)["uid"] == [30013] * 3
    assert environment(anonymous)["REMOTE_ADDR"] == "127.0.0.1", "an untrusted peer's address is its own"


def test_a_missing_script_is_a_404(stack):
    refused(stack, "cgi", 404, "/apps/missing", user="alice", script="/apps/missing")
    refused(stack, "cgi", 404, "", user="alice", SCRIPT_FILENAME=None)
    refused(stack, "cgi", 404, "", user="alice", script="/apps")


@pytest.mark.parametrize(
    "script, errno_text",
    [
        ("/apps/plain", "EACCES|Permission denied"),
        ("/apps/interpreter", "ENOENT|No such file"),
        ("/apps/garbage", "ENOEXEC|Exec format error"),
    ],
)
def test_a_script_that_cannot_be_executed_is_a_502_with_step_and_errno_in_the_log(stack, script, errno_text):
    refused(stack, "cgi", 502, rf"step [a-z]+: (?:{errno_text})", user="alice", script=script)


@pytest.mark.parametrize(
    "script",
    [
        "/elsewhere/app",
        "/apps/../elsewhere/app",
        "/apps/./../elsewhere/app",
        "/apps/link",
        "/apps-evil/app",
        "/appsapp",
        "app",
        "../apps/app",
        "/apps/app/",
        "/apps/app\n",
        "/apps/" + "x" * 5000,
        "/apps/" + "x/" * 900 + "app",
    ],
)
def test_a_script_outside_its_directory_is_refused(stack, script):
    response = stack.request("set", user="alice", script=script)
    assert response.status in (400, 403, 404, 500, 502)
    assert b"uid" not in response.body
    assert report(stack.request("set", user="alice"))["uid"] == [30010] * 3


@pytest.mark.parametrize("name", ["writable", "group-writable", "of-bob", "loose/app"])
def test_a_script_that_others_may_change_is_refused(stack, name):
    response = stack.request("system", user="alice", script=f"/apps/{name}")
    assert response.status in (403, 404, 502)
    assert b"ran" not in response.body
    id = re.search(r"request ([0-9a-f]{32})", response.body.decode()).group(1)
    stack.logged(rf"(?m)^(?=.*{id})(?=.*(?:writable|owne|/apps/{name})).*$")


def test_a_script_of_the_identity_s_own_runs(stack):
    assert stack.request("system", user="alice", script="/apps/of-alice").body == b"ran\n"


def test_more_requests_than_the_service_admits_are_a_503_with_retry_after(stack):
    first, second = (stack.begin("few", "echo", user="alice") for _ in range(2))
    with first, second:
        for connection in (first, second):
            connection.read_until(b"\r\n\r\n")
        response = stack.request("few", user="alice")
        check_own_page(response, 503)
        assert int(response.header("retry-after")) > 0
        assert stack.request("cgi", user="alice").status == 200, "another service is not affected"
        first.send(fcgi.encode_record(fcgi.STDIN, 1))
        assert first.read_response().app_status == 0
        wait_for(lambda: stack.request("few", user="alice").status == 200, "the place to be free again")


def test_more_requests_than_the_broker_admits_are_a_503(make_stack):
    one = make_stack({"cgi": APP, "other": APP}, main={"MaxConnections": "2"})
    with one.begin("cgi", "echo", user="alice") as first, one.begin("other", "echo", user="bob") as second:
        for connection in (first, second):
            connection.read_until(b"\r\n\r\n")
        check_own_page(one.request("cgi", user="alice"), 503)


def test_without_a_broker_requests_are_a_503_and_nothing_of_it_remains(make_stack):
    one = make_stack({"cgi": {**APP, "RuntimeMaxSec": "300"}})
    user, uid = fresh_user()
    with one.begin("cgi", "hold", user=user) as connection:
        connection.read_until(b"\r\n\r\n")
        started(uid)
        one.expect_broker_gone = True
        one.broker.kill()
        one.broker.wait(lib.BOUND)
        response = one.request("cgi", user="alice")
        check_own_page(response, 503)
        assert int(response.header("retry-after")) > 0
        assert connection.closed(), "the request that ran is given up"
    wait_for(lambda: not processes_of(uid), "the request that the dead broker had started to end")
    another = make_stack({"cgi": APP})
    assert another.request("cgi", user="alice").status == 200
    wait_for(lambda: not lib.cgroups_of([one.broker.pid]), "the next broker to remove the control groups of that one")


def test_the_death_of_a_zygote_harms_no_request_that_runs_and_none_that_follows(make_stack):
    one = make_stack({"cgi": APP})
    user, uid = fresh_user()
    with one.begin("cgi", "count", user=user, method="POST", CONTENT_LENGTH="3") as connection:
        started(uid)
        (zygote,) = lib.zygotes_of(one.broker.pid)
        os.kill(zygote, signal.SIGKILL)
        one.logged("zygote failed")
        assert one.request("cgi", user="alice").status == 200
        connection.send(fcgi.encode_stream(fcgi.STDIN, 1, b"abc"))
        response = connection.read_response()
    assert response.stdout.endswith(b"3\n") and response.app_status == 0


def test_an_application_moves_files_between_its_folders(make_stack):
    """Landlock denies that unless it is asked not to; "unchanged" applications do it all the time."""

    def folders(base):
        for name in ("data", "data/a", "data/b"):
            (base / name).mkdir()
            os.chown(base / name, 30010, 30010)

    script = "echo Content-Type: text/plain; echo; echo x >/data/a/f && mv /data/a/f /data/b/f && ls /data/b"
    service = {
        "ExecStart": f"/bin/sh -c '{script}'",
        "BindReadOnlyPaths": "/usr /bin /lib /lib64",
        "BindPaths": "@BASE@/data:/data",
    }
    one = make_stack({"mover": service}, prepare=folders)
    assert one.request("mover", user="alice").body == b"f\n"
    assert (one.base / "data/b/f").exists()


def test_sigterm_while_a_request_runs_ends_it_within_bounds(make_stack):
    service = {**APP, "RuntimeMaxSec": "300"}
    one = make_stack({"cgi": service}, bridge_options=["--drain-timeout=1s"])
    user, uid = fresh_user()
    connection = one.begin("cgi", "family", user=user)
    started(uid)
    for program in (one.broker, one.bridge):
        program.send_signal(signal.SIGTERM)
    for program in (one.broker, one.bridge):
        assert program.wait(lib.BOUND) == 0
    wait_for(lambda: not processes_of(uid), "the family to end")
    connection.close()


# Reload


def test_sighup_takes_a_changed_map_and_keeps_the_old_one_when_the_new_is_broken(make_stack):
    one = make_stack({"cgi": APP}, maps={"1.map": "cgi alice any any 30010:30010\n"})
    path = one.base / "config" / "maps" / "1.map"

    def uid():
        response = one.request("cgi", user="alice")
        return report(response)["uid"][0] if response.status == 200 else response.status

    def reload(text):
        path.write_text(text)
        one.broker.send_signal(signal.SIGHUP)

    assert uid() == 30010
    reload("cgi alice any any 30031:30031\n")
    wait_for(lambda: uid() == 30031, "the changed map to take effect")
    since = len(one.broker_log())
    reload("# fine\n\ncgi alice any any 0:0\n")
    one.logged(r"maps/1\.map:3\b", since)
    assert uid() == 30031
    reload("cgi alice any any deny\n")
    wait_for(lambda: uid() == 403, "a rule that denies to take effect")


def test_a_request_that_runs_survives_a_reload(make_stack):
    one = make_stack({"cgi": APP}, maps={"1.map": "cgi any any any 30010:30010\n"})
    with one.begin("cgi", "echo", user="alice") as connection:
        connection.read_until(b"\r\n\r\n")
        path = one.base / "config" / "maps" / "1.map"
        path.write_text("cgi any any any 30033:30033\n")
        one.broker.send_signal(signal.SIGHUP)
        wait_for(lambda: report(one.request("cgi"))["uid"][0] == 30033, "the changed map to take effect")
        connection.send(fcgi.encode_stream(fcgi.STDIN, 1, b"still here"))
        response = connection.read_response()
        assert response.stdout == b"still here" and response.app_status == 0


def test_a_front_end_socket_that_only_connects_costs_nothing(stack):
    before = len(os.listdir(f"/proc/{stack.bridge.pid}/fd"))
    idle = []
    for _ in range(50):
        one = socket.socket(socket.AF_UNIX)
        one.connect(stack.door("cgi"))
        idle.append(one)
    assert stack.request("cgi", user="alice").status == 200
    for one in idle:
        one.close()
    descriptors = lambda: len(os.listdir(f"/proc/{stack.bridge.pid}/fd"))  # noqa: E731
    wait_for(lambda: descriptors() <= before, "the connections to be closed")
