# SPDX-License-Identifier: Apache-2.0
"""sandboxctl map: what it says of rules, of requests that were, of what is allotted, and what it imports."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import stack as lib
from questions import CATEGORIES, FOUND, UID, Resolver
from stack import BUILD
from test_path import APP

IMPORTS = Path(__file__).resolve().parent / "import"
SERVICE = """[Service]
FrontDoor=/run/fcgi-bridge/@NAME@.sock
FrontEndUser=root
ScriptDirectory=/usr/lib/cgi-bin
BindReadOnlyPaths=/usr
SELinuxContext=system_u:system_r:user_webapp_t:s0
Nice=1
"""
SERVICES = {name: SERVICE.replace("@NAME@", name) for name in ("wiki", "cgi")}
MAIN = "[Sandboxd]\nDynamicUID=2000000-2000999\nMCSCategories=c100.c1023\n"


@pytest.fixture
def folder():
    path = Path(tempfile.mkdtemp(prefix="sandboxd-test-map."))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def configured(folder, names):
    """Writes a map; returns a function that calls sandboxctl map VERB for it, with the tests' name service."""
    names.set_table({"@users": (30020, 30020)})

    def configure(table):
        lib.write_configuration(folder, SERVICES, {"10.map": table}, MAIN)

        def tool(verb, *arguments):
            places = [f"--config={folder}", f"--state-dir={folder}/state"]
            return sandboxctl(verb, *places, *arguments, prefix=names.prefix)

        return tool

    return configure


def sandboxctl(verb, *arguments, prefix=()):
    return subprocess.run(
        [*prefix, BUILD / "sandboxctl", "map", verb, f"--libexec-dir={BUILD}", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=lib.BOUND,
    )


def output(done, status=0):
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


# --- import ---


def import_cases():
    cases = sorted(IMPORTS.glob("*.map"))
    assert len(cases) > 5, "the cases are not where they were"
    return cases


def import_arguments(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# with: "), f"{path} does not begin with its options"
    return first.removeprefix("# with: ").split()


def run_import(path):
    """In the folder of the cases: comments name the file as it was given."""
    return subprocess.run(
        [BUILD / "sandboxctl", "map", "import", "--from=mod_selinux", *import_arguments(path), path.name],
        cwd=IMPORTS,
        capture_output=True,
        text=True,
        timeout=lib.BOUND,
    )


@pytest.mark.parametrize("path", import_cases(), ids=lambda path: path.stem)
def test_import_writes_exactly_this(path):
    expected = path.with_suffix(".expected").read_text()
    done = run_import(path)
    assert done.stdout == expected
    refused = expected.count(": not imported: ")
    assert done.returncode == (1 if refused else 0), done.stderr
    assert (f"{refused} lines are not imported" in done.stderr) == (refused > 0)


@pytest.mark.parametrize("path", import_cases(), ids=lambda path: path.stem)
def test_what_is_imported_is_a_map(path, configured):
    done = configured(run_import(path).stdout)("check")
    rules = [line for line in path.with_suffix(".expected").read_text().splitlines() if line and line[0] != "#"]
    assert f" {len(rules)} identity rules, no errors\n" in output(done)
    assert "warning" not in done.stderr


def test_a_line_that_is_not_imported_denies(configured):
    """What mod_selinux answered with an error must not reach the line for everybody below."""
    tool = configured(run_import(IMPORTS / "traps.map").stdout)
    request = ["--service=wiki", "--host=www.example.org"]
    assert "refused: 403" in output(tool("explain", *request, "--user=himainu"))
    assert "identity: uid 30010" in output(tool("explain", *request, "--user=anybody"))


@pytest.mark.parametrize(
    "content, place, message",
    [
        (b"<VirtualHost *:80>\n", 1, "httpd's configuration"),
        (b"alice *\n  SELinuxDomainMap /etc/map\n", 2, "httpd's configuration"),
        (b"alice *\nb\x00ob *\n", 2, "control character"),
        (b"al\x1bice *\n", 1, "control character"),
        (b"alice *\n\n" + b"x" * 8192 + b"\n", 3, "longer than 8191 bytes"),
        (b"aaa\\\n" * 5000, 1, "longer than 8191 bytes"),
    ],
)
def test_import_refuses_what_is_no_such_map(folder, content, place, message):
    path = folder / "file"
    path.write_bytes(content)
    done = sandboxctl("import", "--from=mod_selinux", "--identity=30010:30010", path)
    assert output(done, 1) == "", "rules were written"
    assert f"{path}:{place}: " in done.stderr and message in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from=mod_selinux", "FILE"],
        ["--identity=web", "FILE"],
        ["--from=mod_auth", "--identity=web", "FILE"],
        ["--from=mod_selinux", "--identity=web deny", "FILE"],
        ["--from=mod_selinux", "--identity=", "FILE"],
        ["--from=mod_selinux", "--identity=web", "--host=a b", "FILE"],
        ["--from=mod_selinux", "--identity=web"],
        ["--from=mod_selinux", "--identity=web", "FILE", "FILE"],
    ],
)
def test_import_assumes_nothing(arguments, folder):
    path = folder / "file"
    path.write_text("alice *\n")
    assert output(sandboxctl("import", *[path if word == "FILE" else word for word in arguments]), 2) == ""
    good = sandboxctl("import", "--from=mod_selinux", "--identity=web", path)
    assert "any         alice" in output(good)


def test_a_file_name_ends_no_comment(folder):
    path = folder / "x\nany any any any 30010:30010"
    path.write_text("alice\n")
    assert output(sandboxctl("import", "--from=mod_selinux", "--identity=web", path), 1) == ""


def test_import_of_no_file(folder):
    done = sandboxctl("import", "--from=mod_selinux", "--identity=web", folder / "none")
    assert output(done, 1) == "" and "No such file" in done.stderr


# --- list ---

TABLE = r"""
*     mallory     *                  *                deny  # a comment
wiki  "any"       10.0.0.0/8         WWW.Example.org. 30011:30012:30013,30014  *:s0:c3  Nice=3 RuntimeMaxSec=1500ms
cgi   "a\"b\\c d" ::ffff:192.0.2.0/120 *.example.org  30011:30011  MaxConnections=3 allow-system
any   anonymous   any                any              30015:30015  "user_u:user_r:user_t:s0"
wiki  jürgen      2001:db8::/32      any   SSL_X="a b" A=* B="*" C=""   dynamic  user_webapp_t:s0:%mcs
wiki  'x y'       any                any              V=e=f\sg "@users"
"""


def test_list_is_what_was_meant(configured):
    tool = configured(TABLE.replace("30011:30012:", "30011:30012:30013,"))
    text = output(tool("list"))
    assert [" ".join(line.split()) for line in text.splitlines()] == [
        line.replace("MAP", str(next(iter(re.findall(r"^\S*10\.map", text)))))
        for line in [
            "MAP:2 any mallory any any deny",
            'MAP:3 wiki "any" 10.0.0.0/8 www.example.org 30011:30012:30013,30014 *:s0:c3 RuntimeMaxSec=1500ms Nice=3',
            'MAP:4 cgi "a\\"b\\\\c d" 192.0.2.0/24 *.example.org 30011:30011 MaxConnections=3 allow-system',
            "MAP:5 any anonymous any any 30015:30015 user_u:user_r:user_t:s0",
            'MAP:6 wiki jürgen 2001:db8::/32 any A=* B="*" C="" SSL_X="a b" dynamic user_webapp_t:s0:%mcs',
            'MAP:7 wiki "x y" any any V="e=f g" "@users" (30020:30020)',
        ]
    ]
    columns = {re.search(r' (deny|30011|30015|dynamic|"@users)', line).start() for line in text.splitlines()}
    assert len(columns) == 1, f"the column IDENTITY is not straight:\n{text}"


def rules_of(text):
    """The rules of a list, without places and resolved ids: a map again."""
    return re.sub(r" \(\d+:\d+\)", "", re.sub(r"^\S+:\d+ ", "", text, flags=re.M))


def test_list_can_be_read_again(configured):
    first = rules_of(output(configured(TABLE)("list")))
    assert len(first.splitlines()) == 6
    assert rules_of(output(configured(first)("list"))) == first


def test_list_of_one_service(configured):
    tool = configured("wiki a any any deny\ncgi b any any deny\nany c any any deny\n")
    assert re.findall(r":(\d+) ", output(tool("list", "--service=cgi"))) == ["2", "3"]
    done = tool("list", "--service=nowhere")
    assert output(done, 1) == "" and "there are: cgi wiki" in done.stderr


def test_a_map_with_errors_is_not_listed(configured):
    tool = configured("wiki a any any deny\nwiki b any any nobody-at-all\n")
    for verb, arguments in (("list", []), ("check", []), ("explain", ["--service=wiki"])):
        done = tool(verb, *arguments)
        assert output(done, 1) == "" and "10.map:2" in done.stderr


def test_an_account_without_its_groups_is_refused(configured):
    """The group database fails, and what comes back looks like an account in its own group alone."""
    done = configured("wiki any any any failgroups-user-7\n")("check")
    assert done.returncode == 1 and "failgroups-user-7': Connection refused" in done.stderr


# --- explain ---

RULES = """any   mallory    any           any              deny
cgi   any        any           any              30010:30010
wiki  any        203.0.113.0/24 any             deny
any   anonymous  any           intra.example.org 30011:30011
wiki  @group-7   10.0.0.0/8    any              %user
wiki  any        any           *.example.org    V=a W=* 30013:30013:30014 *:s0:c3 @LIMITS@
wiki  "dave"     any           any              dynamic  *:s0:%mcs
wiki  any        any           lists.example.net X=bad   deny
any   any        192.0.2.0/24  any              %user
""".replace("@LIMITS@", "MaxConnections=3 RuntimeMaxSec=1500ms Nice=3")
BIG = ["--address=192.0.2.1", "--host=other.example.com"]


def explained(text):
    """{line: what is said about the rule}, and the lines behind."""
    rules = re.findall(r"^\S+10\.map:(\d+): .*\n  (.*)\n", text, re.M)
    return {int(line): reason for line, reason in rules}, text[text.index("\ndecision: ") + 1 :]


@pytest.mark.parametrize(
    "arguments, reasons, decision",
    [
        (["--user=mallory"], {1: "matches"}, [":1", "refused: 403: the identity rule says deny"]),
        (
            ["--user=eve", *BIG],
            {
                1: "no: USER: the rule is for mallory, and eve is logged in",
                2: "no: SERVICE: the rule asks for cgi, and the request has wiki",
                3: "no: ADDRESS: the rule asks for 203.0.113.0/24, and the request has 192.0.2.1",
                4: "no: USER: the rule is for requests without a user, and eve is logged in",
                5: "no: USER: the rule is for the group group-7 (gid 50007), and eve is not in it",
                6: "no: HOST: the rule asks for *.example.org, and the request has other.example.com",
                7: "no: USER: the rule is for dave, and eve is logged in",
                8: "no: HOST: the rule asks for lists.example.net, and the request has other.example.com",
                9: "matches",
            },
            [":9", "refused: 403: "],
        ),
        (
            ["--user=user-7", "--address=::ffff:10.1.2.3"],
            {5: "matches"},
            [
                ":5",
                "identity: uid 40007, gid 40007, groups 50007 50100\n",
                "context: system_u:system_r:user_webapp_t:s0 ",
            ],
        ),
        (["--user=user-8", "--address=10.1.2.3"], {5: "user-8 is not in it"}, [": no rule matches", "refused: 403"]),
        (["--user=user-8", *BIG], {9: "matches"}, ["identity: uid 40008, gid 40008"]),
        (["--user=member-8", *BIG], {9: "matches"}, ["refused: 403: there is no account"]),
        (
            ["--user=fail-x", "--user=-x", *BIG],
            {9: "matches"},
            ["refused: 403: the user's name cannot be an account's: it begins with '-'"],
        ),
        (
            [*BIG],
            {1: "nobody is logged in", 4: "no: HOST: ", 5: "nobody is logged in", 9: "matches"},
            [":9", "refused: 403: nobody is logged in, and the identity rule needs a user"],
        ),
        (
            ["--host=Intra.Example.ORG.", "--address=192.0.2.1"],
            {4: "matches"},
            ["identity: uid 30011, gid 30011, groups none\n"],
        ),
        (
            ["--user=eve", "--address=198.51.100.1", "--host=a.b.example.org", "--variable=V=a", "--variable=W=1"],
            {6: "matches"},
            [
                ":6\n",
                "identity: uid 30013, gid 30013, groups 30014\n",
                "context: system_u:system_r:user_webapp_t:s0:c3 ",
                "1.500 s, by the rule\n",
                "3, by the rule\n",
                "nice                   3, by the rule\n",
            ],
        ),
        (
            ["--user=eve", *BIG[:1], "--host=a.example.org", "--variable=V=b"],
            {6: 'no: VARIABLE: the rule asks for V=a, and the request has b'},
            [":9\n"],
        ),
        (
            ["--user=eve", *BIG[:1], "--host=a.example.org", "--variable=V=a"],
            {6: "no: VARIABLE: the rule asks for W=*, and the request has none"},
            [":9\n"],
        ),
        (
            ["--user=eve", "--host=x.net"],
            {3: "matches: the address is unknown, and leaving it out is no way round a rule that denies"},
            [":3\n", "refused: 403"],
        ),
        (
            ["--user=eve", "--address=not-an-address", "--host=x.net"],
            {3: "matches: the address is unknown, and leaving it out is no way round a rule that denies"},
            [":3\n", "refused: 403"],
        ),
        (
            ["--user=eve", "--address=192.0.2.1", "--variable=X=bad"],
            {
                6: "no: HOST: the rule asks for *.example.org, and the request's is unknown",
                8: "matches: the host is unknown, and leaving it out is no way round a rule that denies",
            },
            [":8\n", "refused: 403"],
        ),
        (
            ["--user=dave", "--address=198.51.100.1", "--host=x.net"],
            {7: "matches"},
            [
                "identity: would be allotted: a uid from 2000000 to 2000999",
                r"context: *:s0:%mcs",
                "deadline               30.000 s\n",
                "nice                   1\n",
            ],
        ),
    ],
)
def test_explain(configured, arguments, reasons, decision):
    text = output(configured(RULES)("explain", "--service=wiki", *arguments))
    found, rest = explained(text)
    assert list(found) == list(range(1, max(found) + 1)), "not every rule up to the one that decides is there, in order"
    for line, reason in reasons.items():
        assert reason in found[line]
    assert [line for line in found if found[line].startswith("matches")] in ([], [max(found)])
    for words in decision:
        assert words in rest


def test_explain_refuses_what_it_cannot_find_out(configured):
    tool = configured(RULES)
    done = tool("explain", "--service=wiki", "--user=fail-user-7", *BIG)
    assert output(done, 1).count("decision") == 0 and "fail-user-7" in done.stderr


def test_explain_says_what_no_rule_asks_for(configured):
    tool = configured(RULES)
    done = tool("explain", "--service=cgi", "--variable=V=a")
    output(done)
    assert "no rule for service cgi asks for the variable V" in done.stderr
    for wrong in (["--variable=V"], ["--variable==a"], [f"--variable=V{n}=a" for n in range(9)]):
        assert output(tool("explain", "--service=cgi", *wrong), 2) == ""


def test_explain_shows_fifty_and_counts_the_rest(configured):
    tool = configured("".join(f"wiki u{n} any any deny\n" for n in range(70)) + "wiki any any any 30010:30010\n")
    text = output(tool("explain", "--service=wiki", "--user=x"))
    assert text.count("  no: ") == 50 and "… and 20 more rules that do not match" in text
    assert text.count("  matches\n") == 1 and ":71\n" in text
    text = output(tool("explain", "--service=wiki", "--user=x", "--all"))
    assert text.count("  no: ") == 70 and "more rules" not in text
    text = output(tool("explain", "--service=wiki", "--user=u49"))
    assert text.count("  no: ") == 49 and "more rules" not in text


def test_explain_shows_that_none_matches(configured):
    text = output(configured("wiki a any any deny\n" * 1 + "cgi any any any deny\n")("explain", "--service=wiki"))
    assert "decision: no rule matches\nrefused: 403: no identity rule matches\n" in text


# --- requests that were ---

ID = "0123456789abcdef0123456789abcdef"
OTHER = ID[::-1]
LINE = (
    "sandboxd[7]: service={service} request={id}: outcome={outcome} detail=0 user=\"{user}\" address=\"{address}\" "
    "host=\"{host}\" identity={identity} rule=/etc/10.map:4{more} wall=1.0ms cpu=0.0ms maxrss=0K{reason}\n"
)
REQUEST = {
    "service": "wiki",
    "id": ID,
    "outcome": "exited",
    "user": "eve",
    "address": "198.51.100.1",
    "host": "a.example.org",
    "identity": "30013:30013",
    "more": ' variable="V=a" variable="W=1 2"',
    "reason": "",
}
SAME, ANOTHER = "now: the same decision\n", "now: ANOTHER decision\n"


def explain_log(tool, folder, text, status=0, request=ID):
    path = folder / "log"
    path.write_text(text)
    return output(tool("explain", f"--request={request}", f"--log={path}"), status)


@pytest.mark.parametrize(
    "change, words",
    [
        ({}, ["host a.example.org", "10.map:6\n", "W                      1 2\n", SAME]),
        ({"identity": "30014:30013"}, [ANOTHER]),
        ({"outcome": "signaled"}, [SAME]),
        ({"outcome": "no-rule", "identity": "-", "reason": " reason=no identity rule matches"}, [ANOTHER]),
        ({"user": "mallory"}, [ANOTHER]),
        ({"user": "mallory", "outcome": "no-rule", "identity": "-"}, ["10.map:1\n", SAME]),
        ({"user": "mallory", "outcome": "busy", "identity": "-"}, ["nothing to compare"]),
        ({"reason": ' reason=user="mallory" host="x"'}, ["host a.example.org", SAME]),
        (
            {"host": "", "outcome": "no-rule", "identity": "-", "more": " variables=unknown"},
            ["are unknown", "10.map:8\n", SAME],
        ),
        ({"more": ' variable="V=a" variable="W=?"'}, ["a '?' in the log", SAME]),
        ({"user": "dave", "host": "x.net"}, ["would be allotted", ANOTHER]),
    ],
)
def test_explain_of_a_request_in_a_log(configured, folder, change, words):
    text = explain_log(configured(RULES), folder, "noise\n" + LINE.format(**{**REQUEST, **change}) + "more noise\n")
    for each in words:
        assert each in text
    assert (SAME in text) + (ANOTHER in text) <= 1
    assert "then: outcome " in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        LINE.format(**{**REQUEST, "id": OTHER}),
        LINE.format(**REQUEST).replace("outcome=", "result="),
        LINE.format(**REQUEST).replace(' host="a.example.org"', ""),
        LINE.format(**REQUEST).replace(' host="a.example.org"', ' host="a" host="b"'),
        LINE.format(**{**REQUEST, "user": "u" * 256}),
        LINE.format(**{**REQUEST, "more": ' variable="nothing"'}),
        LINE.format(**{**REQUEST, "more": "".join(f' variable="V{n}=1"' for n in range(9))}),
        LINE.format(**REQUEST).split(' host="a.ex')[0] + ' host="a.ex',
        # What an application writes to its standard error stands in lines of the bridge's.
        f"fcgi-bridge[8]: service=wiki request={ID}: stderr: " + LINE.format(**REQUEST),
        " " + LINE.format(**REQUEST),
        LINE.format(**{**REQUEST, "id": f"{OTHER}: request={ID}"}),
    ],
)
def test_a_log_without_the_request(configured, folder, text):
    tool = configured(RULES)
    assert explain_log(tool, folder, text, 1) == ""
    assert SAME in explain_log(tool, folder, text + "\n" + LINE.format(**REQUEST))


@pytest.mark.parametrize("request_id", ["", ID[:-1], ID + "0", ID.upper(), "../" + ID[3:], f"{ID[:-1]} "])
def test_an_id_is_an_id(configured, folder, request_id):
    assert explain_log(configured(RULES), folder, LINE.format(**REQUEST), 1, request_id) == ""


def test_explain_takes_a_request_or_describes_one(configured, folder):
    tool = configured(RULES)
    assert output(tool("explain"), 2) == ""
    assert output(tool("explain", f"--request={ID}", "--service=wiki"), 2) == ""
    assert output(tool("explain", f"--request={ID}", f"--log={folder}/none"), 1) == ""


def test_a_real_request_is_explained(make_stack):
    """The line that the broker itself has written."""
    stack = make_stack(
        {"wiki": {**APP}},
        maps={"10.map": "wiki alice any any V=1 30010:30010\nwiki alice any any 30011:30011\n"},
    )
    tool = [f"--config={stack.base}/config", f"--state-dir={stack.base}/state", f"--log={stack.base}/broker.log"]
    cases = (({"V": "1"}, "30010:30010", 1), ({}, "30011:30011", 2), ({"V": "2"}, "30011:30011", 2))
    for extra, identity, line in cases:
        before = len(stack.broker_log())
        stack.request("wiki", user="alice", **extra)
        found = stack.logged(r"request=([0-9a-f]{32}): outcome=exited .*\n", before)
        text = output(sandboxctl("explain", *tool, f"--request={found[1]}"))
        assert f"decision: {stack.base}/config/maps/10.map:{line}\n" in text
        assert f"rule {stack.base}/config/maps/10.map:{line}, identity {identity}\n" in text
        assert text.endswith(SAME)
    before = len(stack.broker_log())
    stack.request("wiki", user="bob")
    found = stack.logged(r"request=([0-9a-f]{32}): outcome=no-rule .*\n", before)
    assert output(sandboxctl("explain", *tool, f"--request={found[1]}")).endswith(SAME)


# --- what is allotted ---


@pytest.fixture
def allotted(folder):
    """A store, and a function that has something allotted in it by its keeper."""
    store = folder / "state" / "allotted"
    store.mkdir(parents=True)
    shutil.chown(store, "sandboxd-allot", "sandboxd-allot")
    store.chmod(0o700)
    account = ("--reuid=sandboxd-allot", "--regid=sandboxd-allot", "--clear-groups")
    keeper = Resolver(BUILD / "sandboxd-allot", folder / "log", account=account, arguments=[str(store)])

    def ask(name="", **arguments):
        answer = keeper.ask(name, **arguments)
        assert answer.status == FOUND, answer
        return answer

    yield ask
    keeper.close()
    assert keeper.wait() == 0, keeper.log()


def who(folder, *arguments, prefix=()):
    return sandboxctl("who", f"--state-dir={folder}/state", *arguments, prefix=prefix)


def test_who_when_nobody(folder):
    assert output(who(folder)) == "nothing is allotted\n"
    assert output(who(folder, "alice"), 1) == ""


def test_who(folder, allotted):
    assert output(who(folder)) == "nothing is allotted\n"
    range_of_uids = {"kind": UID, "first": 2000000, "last": 2000999}
    alice = allotted("alice", **range_of_uids).uid
    back = allotted("b\\x ü", **range_of_uids).uid
    number = allotted("x3000", **range_of_uids).uid
    pairs = {
        uid: "c{0.first},c{0.second}".format(allotted(kind=CATEGORIES, uid=uid, first=0, last=1023))
        for uid in (alice, 30010)
    }
    lines = [line.split("  ") for line in output(who(folder)).splitlines()]
    rows = [[word.strip() for word in line if word] for line in lines]
    assert rows[0] == ["UID", "USER", "CATEGORIES"]
    assert [row[0].split() for row in rows[1:]] and [" ".join(row).split() for row in rows[1:]] == [
        ["30010", "-", pairs[30010]],
        [str(alice), "alice", pairs[alice]],
        [str(back), "b\\x", "ü", "-"],
        [str(number), "x3000", "-"],
    ]
    for operand in ("alice", str(alice)):
        assert len(output(who(folder, operand)).splitlines()) == 2
    assert output(who(folder, "30010")).split()[3:] == ["30010", "-", pairs[30010]]
    assert output(who(folder, "ali"), 1) == ""


def test_explain_knows_what_is_allotted(folder, allotted, configured):
    tool = configured("wiki any any any dynamic *:s0:%mcs\n")
    request = ["--service=wiki", "--user=alice"]
    assert "identity: would be allotted" in output(tool("explain", *request))
    uid = allotted("alice", kind=UID, first=2000000, last=2000999).uid
    assert f"identity: uid {uid}, gid {uid}, groups none\n" in output(tool("explain", *request))
    assert "identity: would be allotted" in output(tool("explain", "--service=wiki", "--user=bob"))


def test_an_identity_outside_of_the_range_is_refused(allotted, configured):
    allotted("alice", kind=UID, first=3000000, last=3000999)
    text = output(configured("wiki any any any dynamic\n")("explain", "--service=wiki", "--user=alice"))
    assert "refused: 403: " in text and "identity:" not in text


def test_a_store_that_cannot_be_read(folder, allotted, configured):
    allotted("alice", kind=UID, first=2000000, last=2000999)
    tool = configured("wiki any any any dynamic\n")
    request = ["--service=wiki", "--user=alice"]
    output(tool("explain", *request))
    database = next((folder / "state" / "allotted").glob("*.db"))
    content = database.read_bytes()
    database.write_bytes(b"no database" * 1000)
    for done in (who(folder), tool("explain", *request)):
        assert output(done, 1) == "" or "identity" not in done.stdout
        assert "cannot be read" in done.stderr
    database.write_bytes(content)
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    assert output(who(folder, prefix=as_nobody), 1) == ""
    output(who(folder))


@pytest.mark.parametrize(
    "words", [["map"], ["map", "nothing"], ["map", "who", "a", "b"], ["map", "list", "x"], ["list"]]
)
def test_usage(words):
    done = subprocess.run([BUILD / "sandboxctl", *words], capture_output=True, text=True, timeout=lib.BOUND)
    assert output(done, 2) == "" and done.stderr.startswith("usage: sandboxctl")
