# SPDX-License-Identifier: Apache-2.0
"""The identity map, end to end: who asks for what, at which web server's address, and who is it that runs.

Who ran is what the application says of itself. The names of users are those of apps/nss_sandboxdtest.c.
"""

import json
import os
import re
import threading

import fcgi
import pytest
import stack as lib
from stack import wait_for
from test_path import check_own_page
from web_server import ACCOUNT, WebServer

APP = {
    "ScriptDirectory": "/apps",
    "BindReadOnlyPaths": "@BASE@/apps:/apps",
    "FrontEndUser": f"root {ACCOUNT}",
    "RuntimeMaxSec": "120",
}
FIRST, LAST = 2000000, 2000099  # DynamicUID=

MAPS = {
    # The order of the files is that of their names: what 10 decides, 90 does not.
    "90-rest.map": "order any any any 31009:31009\n",
    "10-user.map": """
# SERVICE USER        ADDRESS HOST IDENTITY
order     any         any     any  31008:31008
user      mallory     any     any  deny
user      alice       any     any  31001:31001
user      bob         any     any  31002:31012:31022,31032
user      anonymous   any     any  31003:31003
user      @group-7    any     any  31004:31004
quoted    "anonymous" any     any  31005:31005
quoted    "any"       any     any  31006:31006
quoted    "@group-7"  any     any  31007:31007
quoted    "*"         any     any  31010:31010
""",
    "20-address.map": """
address any 127.0.0.2         any 31020:31020
address any 127.0.0.4/31      any 31021:31021
address any ::ffff:127.0.0.9  any 31022:31022
address any 127.0.0.66        any deny
address any 127.0.0.0/8       any 31023:31023
address any ::1               any 31024:31024
office  any 192.0.2.0/24      any 31025:31025
banned  any 192.0.2.0/24      any deny
banned  any any               any 31026:31026
""",
    "30-host.map": """
host any any bad.deep.example.org deny
host any any www.example.org      31030:31030
host any any *.Deep.Example.org   31031:31031
host any any *.example.org        31032:31032
""",
    "40-variable.map": """
variable any any any SSL_CLIENT_S_DN_CN="Alice Example"                             31040:31040
variable any any any SSL_CLIENT_S_DN_CN="Bob  B. Example" SSL_CLIENT_VERIFY=SUCCESS 31041:31041
variable any any any MARK=refuse deny
variable any any any TOKEN=* 31042:31042
variable any any any 31043:31043
network  any any any MARK=refuse deny
network  any any any 31044:31044
""",
    "50-limit.map": """
limit   @group-7 any any %user               MaxConnections=1
limit   any      any any dynamic             MaxConnections=2
short   alice    any any 31050:31050         RuntimeMaxSec=1s
short   bob      any any 31051:31051
long    alice    any any 31050:31050         RuntimeMaxSec=60s
nice    alice    any any 31050:31050         Nice=7
nice    bob      any any 31051:31051         Nice=0
nice    any      any any 31052:31052
""",
    "60-table.map": """
table "anonymous" any          any             deny
table user-3      any          any             31060:31060:31061
table @group-5    203.0.113.0/24 any           deny
table @group-5    any          any             %user
table @group-6    2001:db8::/32 *.example.org  %user
table case        any          any             %user
table anonymous   198.51.100.7 any             31062:31062
table any         any          any TOKEN="a b" 31063:31063
table any         any          guests.example  dynamic
table root        any          any             %user
table any         10.0.0.0/8   any             %user
""",
}

SERVICES = {name: APP for name in ("order", "user", "quoted", "host", "variable", "limit", "table")}
SERVICES.update(address=APP, office=APP, banned=APP, long={**APP, "RuntimeMaxSec": "1"}, short=APP)
SERVICES.update(nice={**APP, "Nice": "5"})

NGINX = """
server {
    @LISTEN@
    server_name localhost;
    location ~ ^/(?<service>[a-z]+)$ {
        include @COMMON@;
        fastcgi_param SERVER_NAME $server_name;
        fastcgi_param SSL_CLIENT_S_DN_CN $http_x_cn;
        fastcgi_param SSL_CLIENT_VERIFY $http_x_verify if_not_empty;
        fastcgi_param TOKEN $http_x_token if_not_empty;
        fastcgi_param MARK $http_x_mark if_not_empty;
        fastcgi_pass unix:@BASE@/doors/$service.sock;
    }
}
server {
    @LISTEN@
    server_name www.example.org;
    location /host {
        include @COMMON@;
        fastcgi_param SERVER_NAME $server_name;
        fastcgi_pass unix:@BASE@/doors/host.sock;
    }
}
server {
    @LISTEN@
    server_name *.example.org example.org .example.net;
    location /host {
        include @COMMON@;
        fastcgi_param SERVER_NAME $http_host;
        fastcgi_pass unix:@BASE@/doors/host.sock;
    }
}
"""
USERS = ("alice", "bob", "mallory", "Alice", "anonymous", "any", "@group-7", "*", "user-7", "user-8", "member-17")


@pytest.fixture(scope="module")
def stack(app, names):
    network = {**APP, "FrontDoor": f"127.0.0.1:{lib.free_port()}", "FrontEndUser": None}
    main = {"DynamicUID": f"{FIRST}-{LAST}"}
    # The Unix doors last: the harness waits for the last one.
    services = {"network": network, **SERVICES}
    one = lib.Stack(services, maps=MAPS, main=main, programs=[app], enter=names.prefix)
    yield one
    one.stop()


@pytest.fixture(scope="module")
def web(stack):
    with WebServer(stack, NGINX, USERS) as server:
        yield server


def identity(body):
    """(uid, gid, groups) of the process that wrote it; each of the three ids is the same."""
    said = json.loads(body)
    (uid,), (gid,) = set(said["uid"]), set(said["gid"])
    return uid, gid, tuple(said["groups"])


def outcome(response):
    """Of a request: the identity, or the status of a refusal."""
    status, body = response if isinstance(response, tuple) else (response.status, response.body)
    return identity(body) if status == 200 else status


def own(uid):
    """An identity N:N without groups."""
    return uid, uid, ()


def end_of(stack, response):
    """A request's id, which is in the environment or in our own page, and the broker's line about its end."""
    id = re.search(r"(?:SANDBOXD_REQUEST_ID=|request )([0-9a-f]{32})\b", response.body.decode())[1]
    return id, stack.logged(rf"(?m)^sandboxd\[\d+\]: service=\S+ request={id}: outcome=.*$")[0]


def logged_end(stack, since, pattern):
    return stack.logged(rf"outcome=\S+ .*{pattern}", since)


# Through a web server


@pytest.mark.parametrize(
    "path, user, expected",
    [
        ("/user", "alice", own(31001)),
        ("/user", "bob", (31002, 31012, (31022, 31032))),
        ("/user", None, own(31003)),
        ("/user", "user-7", own(31004)),
        ("/user", "member-17", own(31004)),  # no account, but in the group
        ("/user", "user-8", 403),
        ("/user", "Alice", 403),
        ("/order", "alice", own(31008)),
        # Who is really called like a keyword is not what the keyword says.
        ("/user", "anonymous", 403),
        ("/user", "any", 403),
        ("/user", "@group-7", 403),
        ("/user", "*", 403),
        ("/quoted", "anonymous", own(31005)),
        ("/quoted", "any", own(31006)),
        ("/quoted", "@group-7", own(31007)),
        ("/quoted", "*", own(31010)),
        ("/quoted", None, 403),
        ("/quoted", "user-7", 403),
    ],
)
def test_users(web, path, user, expected):
    assert outcome(web.get(f"{path}?report", user=user)) == expected


def test_a_rule_that_denies_is_logged_with_its_place(stack, web):
    since = len(stack.broker_log())
    assert web.get("/user", user="mallory")[0] == 403
    rule = r"identity=- rule=\S+/10-user\.map:4 "
    logged_end(stack, since, rf'user="mallory" .*{rule}.*reason=the identity rule says deny')


def test_no_rule_is_logged_as_such(stack, web):
    since = len(stack.broker_log())
    assert web.get("/user", user="any")[0] == 403
    logged_end(stack, since, r'user="any" .*identity=- (?!rule=).*reason=no identity rule matches')


@pytest.mark.parametrize(
    "user, reason",
    [(None, "nobody is logged in"), ("1234", "consists of digits only"), ("-x", "begins with '-'")],
)
def test_a_user_who_can_have_no_account_is_told_apart_in_the_log(stack, user, reason):
    since = len(stack.broker_log())
    assert stack.request("table", user=user, SERVER_NAME="guests.example").status == 403
    logged_end(stack, since, rf"identity=- .*reason=.*{reason}")


@pytest.mark.parametrize("mapped", [False, True], ids=["IPv4", "IPv4-mapped"])
@pytest.mark.parametrize(
    "source, expected",
    [
        ("127.0.0.2", own(31020)),
        ("127.0.0.3", own(31023)),
        ("127.0.0.4", own(31021)),
        ("127.0.0.5", own(31021)),
        ("127.0.0.6", own(31023)),
        ("127.0.0.9", own(31022)),
        ("127.0.0.66", 403),
        ("127.255.255.254", own(31023)),
    ],
)
def test_source_addresses(web, source, mapped, expected):
    response = web.get("/address?report", source=source, mapped=mapped)
    assert outcome(response) == expected
    if response[0] == 200:
        seen = f"::ffff:{source}" if mapped else source
        assert f"REMOTE_ADDR={seen}" in json.loads(response[1])["env"], "this shows nothing"


def test_source_address_of_ipv6(web):
    assert outcome(web.get("/address?report", source="::1")) == own(31024)
    assert web.get("/office", source="::1")[0] == web.get("/office", source="127.0.0.2")[0] == 403


@pytest.mark.parametrize(
    "host, expected",
    [
        ("www.example.org", own(31030)),
        ("WWW.Example.ORG", own(31030)),
        ("www2.example.org", own(31032)),
        ("WWW2.EXAMPLE.ORG", own(31032)),
        ("www2.example.org.", own(31032)),
        ("x.deep.example.org", own(31031)),
        ("a.b.DEEP.example.org", own(31031)),
        ("deep.example.org", own(31032)),
        ("bad.deep.example.org", 403),
        ("Bad.Deep.Example.Org.", 403),
        ("example.org", 403),  # not below itself
        ("www.example.net", 403),
    ],
)
def test_virtual_hosts(web, host, expected):
    assert outcome(web.get("/host?report", host=host)) == expected


@pytest.mark.parametrize(
    "headers, expected",
    [
        ({"X-CN": "Alice Example"}, own(31040)),
        ({"X-CN": "alice example"}, own(31043)),
        ({"X-CN": "Alice  Example"}, own(31043)),
        ({"X-CN": "Alice Example, too"}, own(31043)),
        ({"X-CN": "Bob  B. Example", "X-Verify": "SUCCESS"}, own(31041)),
        ({"X-CN": "Bob  B. Example", "X-Verify": "FAILED:expired"}, own(31043)),
        ({"X-CN": "Bob  B. Example"}, own(31043)),
        ({"X-Token": "whatever"}, own(31042)),
        ({"X-Token": ""}, own(31043)),
        ({"X-Mark": "refuse"}, 403),
        ({"X-Mark": "refuse", "X-Token": "whatever"}, 403),
        ({"X-Mark": "refuse", "X-CN": "Alice Example"}, own(31040)),  # the first rule decides
        ({"X-Mark": "Refuse"}, own(31043)),
        ({}, own(31043)),
    ],
)
def test_variables(web, headers, expected):
    assert outcome(web.get("/variable?report", headers=headers)) == expected


@pytest.mark.parametrize("length, status", [(255, 200), (256, 400), (5000, 400)])
def test_a_value_that_is_too_long_costs_its_own_request_alone(stack, web, length, status):
    headers = {"X-Token": "x" * length}
    assert web.get("/user?report", user="alice", headers=headers)[0] == 200, "a service that asks for no variable"
    params = stack.params("report", TOKEN="x" * length)
    with stack.begin("variable", "echo", method="POST", CONTENT_LENGTH="1", TOKEN="t") as neighbour:
        neighbour.read_until(b"\r\n\r\n")
        assert web.get("/variable?report", headers=headers)[0] == status
        with stack.connect("variable") as connection:  # and not its connection, which a web server keeps
            for number, (sent, expected) in enumerate([(params, status), (stack.params("report"), 200)]):
                connection.send(fcgi.whole_request(sent, flags=fcgi.KEEP_CONN))
                assert connection.read_response().status == expected, number
        neighbour.send(fcgi.encode_stream(fcgi.STDIN, 1, b"x"))
        assert neighbour.read_response().stdout == b"x"


# What is unknown


@pytest.mark.parametrize(
    "service, parameters, expected",
    [
        ("office", {"REMOTE_ADDR": "192.0.2.200"}, own(31025)),
        ("office", {"REMOTE_ADDR": None}, 403),
        ("office", {"REMOTE_ADDR": "192.0.2.200.example"}, 403),
        ("office", {"REMOTE_ADDR": "192.0.2"}, 403),
        ("banned", {"REMOTE_ADDR": "198.51.100.1"}, own(31026)),
        ("banned", {"REMOTE_ADDR": "192.0.2.1"}, 403),
        ("banned", {"REMOTE_ADDR": None}, 403),
        ("banned", {"REMOTE_ADDR": ""}, 403),
        ("banned", {"REMOTE_ADDR": "no address"}, 403),
        ("host", {"SERVER_NAME": "www.example.org"}, own(31030)),
        ("host", {"SERVER_NAME": None}, 403),
    ],
)
def test_what_is_missing_admits_nobody_and_is_no_way_round_a_denial(stack, service, parameters, expected):
    assert outcome(stack.request(service, **parameters)) == expected


def test_variables_of_a_front_end_that_is_not_trusted_are_unknown(stack):
    since = len(stack.broker_log())
    assert stack.request("network").status == 403
    logged_end(stack, since, r"rule=\S+/40-variable\.map:7 .*reason=the identity rule says deny")


@pytest.mark.parametrize(
    "user",
    ["", "a/b", "../root", ".", "-x", " user-7", "user-7 ", "40007", "0", "a:b", "a\x7fb", "a\xadb", "\x85", "%user",
     "u" * 255, "hang-7/..", b"\xff\xfe", b"user-7\xc3"],
)  # fmt: skip
def test_odd_names_are_nobody_and_harm_nobody(stack, user):
    """They are looked up under %user, or not; the process that looks names up goes on."""
    assert stack.request("limit", user="user-7").status == 200
    resolvers = helpers(stack)
    response = stack.request("table", user=user, REMOTE_ADDR="10.0.0.1")
    assert response.status in (400, 403), response
    assert stack.request("limit", user="user-7").status == 200
    assert helpers(stack) == resolvers


def helpers(stack):
    """{name: pid} of the broker's processes that answer questions."""
    found = {}
    for pid in lib.children_of(stack.broker.pid)[0]:
        name = os.path.basename(lib.command_of(pid).split(" ")[0])
        if name in ("sandboxd-names", "sandboxd-allot"):
            assert name not in found, f"there is more than one {name}"
            found[name] = pid
    return found


def at_rest(pid):
    """A process's descriptors, once they stay as they are."""
    seen = []

    def settled():
        seen.append(lib.descriptors_of(pid))
        return len(seen) >= 5 and all(one == seen[-1] for one in seen[-5:])

    wait_for(settled, f"{lib.command_of(pid)} to come to rest")
    return seen[-1]


def await_launches(stack, before, count):
    """Waits until so many more requests than in `before`, of at_rest(), are with the broker."""
    sockets = before.count("socket") + count
    wait_for(lambda: lib.descriptors_of(stack.broker.pid).count("socket") == sockets, "requests to reach the broker")


# Limits of a rule


class Held:
    """Requests that run until they are told to end."""

    def __init__(self, stack, service, user):
        self.connection = stack.begin(service, "echo", user=user, method="POST", CONTENT_LENGTH="1")
        self.connection.read_until(b"\r\n\r\n")

    def release(self):
        self.connection.send(fcgi.encode_stream(fcgi.STDIN, 1, b"x"))
        response = self.connection.read_response()
        self.connection.close()
        assert (response.stdout, response.app_status) == (b"x", 0)


def test_connections_are_counted_for_each_identity_under_a_rule(stack):
    """user-7 and user-17 under %user, and two others under dynamic: nobody's requests count for another."""
    limits = {"user-7": 1, "user-17": 1, "dora": 2, "emil": 2}
    held = {user: [Held(stack, "limit", user) for _ in range(limit)] for user, limit in limits.items()}
    since = len(stack.broker_log())
    for user in limits:
        check_own_page(stack.request("limit", user=user), 503)
        logged_end(stack, since, rf'user="{user}" .*reason=MaxConnections= of the identity rule is reached')
    assert outcome(stack.request("limit", user="frida"))[0] >= FIRST
    held["emil"].pop().release()
    wait_for(lambda: stack.request("limit", user="emil").status == 200, "one place to be free again")
    for user in ("user-7", "user-17", "dora"):
        assert stack.request("limit", user=user).status == 503
    for one in (one for many in held.values() for one in many):
        one.release()
    for user in limits:
        wait_for(lambda user=user: stack.request("limit", user=user).status == 200, f"{user} to be served again")


def test_the_deadline_of_a_rule_is_in_place_of_the_service_s(stack):
    since = len(stack.broker_log())
    with Never(stack, "short", "bob") as other:
        check_own_page(stack.request("short", "never", user="alice"), 504)
        logged_end(stack, since, r"identity=31050:31050 .*reason=RuntimeMaxSec= has passed")
        assert not other.is_over(), "bob has the service's"
    assert stack.request("long", "slow:2000", user="alice").body == b"slept\n"


class Never:
    """A request that would never end, ended by the client."""

    def __init__(self, stack, service, user):
        self.connection = stack.begin(service, "never", user=user)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def is_over(self):
        self.connection.socket.settimeout(0.05)
        try:
            return self.connection.read_record() is not None
        except TimeoutError:
            return False


def test_a_nice_value_below_the_broker_s_own_is_refused_and_explained(make_stack):
    stack = make_stack({"nice": {**APP, "Nice": "5"}}, maps={"1.map": "any any any any 31052:31052\n"})
    os.setpriority(os.PRIO_PROCESS, stack.broker.pid, 10)  # for the zygote that it starts
    assert stack.request("nice").status == 502
    stack.logged(r"step limits: .*; Nice= is below what sandboxd itself runs with")


@pytest.mark.parametrize("user, nice", [("alice", 7), ("bob", 0), ("carol", 5)])
def test_nice_of_a_rule_is_in_place_of_the_service_s(stack, user, nice):
    assert json.loads(stack.request("nice", user=user).body)["nice"] == nice


# What is explained is what happens


TABLE = [
    ("anonymous", "192.0.2.1", "www.example.org", {}),
    ("user-3", "192.0.2.1", "www.example.org", {}),
    ("user-3", "", "", {}),
    ("User-3", "192.0.2.1", "www.example.org", {}),
    ("user-5", "192.0.2.1", "www.example.org", {}),
    ("user-15", "192.0.2.1", "", {}),
    ("user-15", "203.0.113.9", "", {}),
    ("user-15", "", "", {}),
    ("user-15", "::ffff:203.0.113.9", "", {}),
    ("member-5", "192.0.2.1", "", {}),
    ("member-5", "203.0.113.9", "", {}),
    ("user-6", "2001:db8::17", "www.example.org", {}),
    ("user-6", "2001:db8::17", "example.org", {}),
    ("user-6", "2001:db9::17", "www.example.org", {}),
    ("user-6", "10.9.8.7", "www.example.org", {}),
    ("many-63-user-6", "2001:DB8::17", "WWW.EXAMPLE.ORG.", {}),
    ("many-100-user-6", "2001:db8::17", "www.example.org", {}),
    ("case", "", "", {}),
    ("Case", "", "", {}),
    ("Case", "10.0.0.1", "", {}),
    (None, "198.51.100.7", "", {}),
    (None, "198.51.100.8", "", {}),
    (None, "", "", {}),
    (None, "198.51.100.8", "", {"TOKEN": "a b"}),
    (None, "198.51.100.8", "", {"TOKEN": "a  b"}),
    ("gina", "", "guests.example", {}),
    ("hugo", "", "Guests.Example", {}),
    (None, "", "guests.example", {}),
    ("1234", "", "guests.example", {}),
    ("root", "", "", {}),
    ("daemon", "10.0.0.1", "", {}),
    ("noshell-9", "10.0.0.1", "", {}),
    ("nobody-of-this-name", "10.0.0.1", "", {}),
    ("gina", "10.0.0.1", "", {"TOKEN": "x"}),
]


def explained(stack, *arguments):
    """(what it says would happen, the whole text) of `sandboxctl map explain`."""
    done = stack.control("map explain", *arguments)
    assert done.returncode == 0, done
    refused = re.search(r"^refused: (\d+)", done.stdout, re.MULTILINE)
    if refused:
        return int(refused[1]), done.stdout
    uid, gid, groups = re.search(r"^identity: uid (\d+), gid (\d+), groups (.*)$", done.stdout, re.MULTILINE).groups()
    return (int(uid), int(gid), () if groups == "none" else tuple(int(one) for one in groups.split())), done.stdout


def rule_of(text, pattern):
    found = re.search(pattern, text, re.MULTILINE)
    return found[1] if found else None


def test_what_is_explained_is_what_happens(stack):
    seen, wrong = [], []
    for user, address, host, variables in TABLE:
        response = stack.request("table", user=user, REMOTE_ADDR=address, SERVER_NAME=host, **variables)
        id, line = end_of(stack, response)
        options = ["--service=table", *([f"--user={user}"] if user else []), f"--address={address}", f"--host={host}"]
        told, text = explained(stack, *options, *(f"--variable={name}={value}" for name, value in variables.items()))
        again, compared = explained(stack, f"--request={id}", f"--log={stack.base}/broker.log")
        rules = {
            rule_of(line, r" rule=(\S+)"),
            rule_of(text, r"^decision: (/\S+)"),
            rule_of(compared, r"^decision: (/\S+)"),
        }
        seen.append(outcome(response))
        if {told, again} != {seen[-1]} or len(rules) > 1 or "\nnow: the same decision\n" not in compared:
            wrong.append((user, address, host, variables, seen[-1], line, text, compared))
    assert not wrong, "\n".join(str(part) for one in wrong for part in one)
    # The table is worth something: refusals, numbers, accounts with their groups, and what is allotted.
    assert 403 in seen and own(31062) in seen and (40015, 40015, (50005, 50100)) in seen
    assert len({one for one in seen if one != 403 and one[0] >= FIRST}) == 2
    assert {len(one[2]) for one in seen if one != 403} >= {0, 1, 2}


def test_a_request_of_a_front_end_that_is_not_trusted_is_explained(stack):
    """That its variables were unknown is what decided."""
    response = stack.request("network")
    assert response.status == 403
    id, line = end_of(stack, response)
    told, text = explained(stack, f"--request={id}", f"--log={stack.base}/broker.log")
    assert told == 403 and "\nnow: the same decision\n" in text, text
    assert rule_of(text, r"^decision: (/\S+)") == rule_of(line, r" rule=(\S+)")


# Many at once


def test_many_at_once_are_each_somebody_of_their_own(stack):
    """All kinds of identities in turns, from eight threads: nobody is given another's answer."""
    expected = {
        ("user", "alice"): own(31001),
        ("user", "bob"): (31002, 31012, (31022, 31032)),
        ("user", "mallory"): 403,
        ("user", "user-7"): own(31004),
        ("table", "user-15"): (40015, 40015, (50005, 50100)),
        ("table", "user-25"): (40025, 40025, (50005, 50100)),
        ("table", "member-5"): 403,
    }
    cases, wrong, lock = iter(list(expected) * 40), [], threading.Lock()

    def work():
        while True:
            with lock:
                service, user = next(cases, (None, None))
            if service is None:
                return
            got = outcome(stack.request(service, user=user))
            if got != expected[service, user]:
                wrong.append((service, user, got))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(lib.BOUND * 5)
        assert not thread.is_alive(), "a client is stuck"
    assert not wrong, wrong[:5]
