# SPDX-License-Identifier: Apache-2.0
"""WSGI applications (PEP 3333) through the runner, cold and warm: the same in both."""

import textwrap

import pytest

import runner as lib

WSGI = {**lib.REQUEST, "SCRIPT_NAME": "/app", "PATH_INFO": "/a\u00e9"}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return lib.compile_stand_in(tmp_path_factory.mktemp("stand-in"))


@pytest.fixture(params=["cold", "warm", "warmed up"])
def serve(request, library, tmp_path):
    """serve(TEXT, variables, body): the answer of the application that TEXT defines."""

    def serve(text, environment=None, body=b"", name=()):
        path = tmp_path / "served.py"
        path.write_text(textwrap.dedent(text))
        variables = {**WSGI, **({"CONTENT_LENGTH": str(len(body))} if body else {}), **(environment or {})}
        if request.param == "cold":
            return lib.cold("wsgi", path, *name, environment=variables, body=body)
        warm_ups = 2 if request.param == "warmed up" else 0
        with lib.Zygote(library, "wsgi", path, *name, warm_ups=warm_ups) as zygote:
            for _ in range(warm_ups):
                zygote.ask(variables, body)
            return zygote.ask(variables, body)

    return serve


def parse(answer):
    """Header fields in order, and the body."""
    header, _, body = answer.output.partition(b"\r\n\r\n")
    return [tuple(line.split(": ", 1)) for line in header.decode("latin-1").split("\r\n")], body


SIMPLE = """
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return {}
    """


@pytest.mark.parametrize(
    "returned, body, length",
    [
        ("[b'one']", b"one", 3),
        ("[]", b"", 0),
        ("(b'a', b'', b'b')", b"ab", 2),
        ("(part for part in [b'a', b'', b'b'])", b"ab", None),
        ("iter([])", b"", None),
        ("[b'x' * 1000000]", b"x" * 1000000, 1000000),
    ],
)
def test_a_body_and_its_length(serve, returned, body, length):
    """The Content-Length Header; a length that is known is said."""
    answer = serve(SIMPLE.format(returned))
    fields, got = parse(answer)
    assert answer.status == 0 and answer.errors == b""
    assert fields[:2] == [("Status", "200 OK"), ("Content-Type", "text/plain")]
    assert dict(fields).get("Content-Length") == (None if length is None else str(length))
    assert got == body


def test_an_application_of_the_reference_server_s_validator_is_content(serve):
    """wsgiref.validate raises for what a server must not do; the environ is asked besides."""
    text = """
        import json, sys
        from wsgiref.validate import validator
        def simple(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
            data = {name: environ[name] for name in environ if type(environ[name]) in (str, bool, tuple)}
            return [json.dumps(data).encode() + environ["wsgi.input"].read(3)]
        application = validator(simple)
        """
    answer = serve(text, {"HTTPS": "on"}, b"body")
    assert (answer.status, answer.errors) == (0, b"")
    fields, body = parse(answer)
    assert body.endswith(b"}bod")
    environ = __import__("json").loads(body[:-3])
    for name, value in lib.REQUEST.items():
        if name != "PATH_INFO":
            assert environ[name] == value
    assert environ["PATH_INFO"] == "/a\u00c3\u00a9", "bytes as latin-1"
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["wsgi.version"] == [1, 0]
    kinds = [environ[f"wsgi.{name}"] for name in ("multithread", "multiprocess", "run_once")]
    assert kinds == [False, True, True]


def test_the_body_of_a_request(serve):
    """Input and Error Streams; what follows CONTENT_LENGTH is not the request's."""
    text = """
        def application(environ, start_response):
            start_response("200 OK", [])
            body = environ["wsgi.input"]
            parts = [body.read(2), body.readline(), body.readline(3), body.readlines(), list(body)]
            parts += [body.read(), body.read(5)]
            return [repr(parts).encode()]
        """
    data = b"ab\ncdef\ng\nh"
    answer = serve(text, {"CONTENT_LENGTH": str(len(data))}, data + b"rest")
    assert parse(answer)[1] == repr([b"ab", b"\n", b"cde", [b"f\n", b"g\n", b"h"], [], b"", b""]).encode()
    assert parse(serve(text))[1] == repr([b"", b"", b"", [], [], b"", b""]).encode()
    assert parse(serve(text, {"CONTENT_LENGTH": ""}))[1] == repr([b"", b"", b"", [], [], b"", b""]).encode()
    short = serve(text, {"CONTENT_LENGTH": "100"}, b"ab\ncd")
    assert parse(short)[1] == repr([b"ab", b"\n", b"cd", [], [], b"", b""]).encode()
    assert parse(serve(text, {"CONTENT_LENGTH": "-1"}))[0][0] == ("Status", "400 Bad Request")


def test_a_large_body_goes_through(serve):
    text = """
        import hashlib
        def application(environ, start_response):
            start_response("200 OK", [])
            return [hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()]
        """
    data = bytes(range(256)) * 8000
    assert parse(serve(text, body=data))[1].decode() == __import__("hashlib").sha256(data).hexdigest()


@pytest.mark.parametrize(
    "status, headers, message",
    [
        ("'200'", "[]", b"the status is not"),
        ("'200 OK\\r\\nX: y'", "[]", b"control character"),
        ("b'200 OK'", "[]", b"not str"),
        ("'101 Switching'", "[]", b"the status is not"),
        ("'200 OK'", "(('A', 'b'),)", b"not list"),
        ("'200 OK'", "[('A', b'b')]", b"not str"),
        ("'200 OK'", "[('A', 'b\\nC: d')]", b"control character"),
        ("'200 OK'", "[('A', 'b\\x7f')]", b"control character"),
        ("'200 OK'", "[('A', '\\u20ac')]", b"no byte"),
        ("'200 OK'", "[('A:', 'b')]", b"no header's name"),
        ("'200 OK'", "[('', 'b')]", b"no header's name"),
        ("'200 OK'", "[('Status', '201 x')]", b"not the application's"),
        ("'200 OK'", "[('Connection', 'close')]", b"not the application's"),
        ("'200 OK'", "[('Content-Length', '-1')]", b"not a length"),
    ],
)
def test_a_wrong_header_is_an_error_of_the_application(serve, status, headers, message):
    """The start_response() Callable."""
    text = f"start_response({status}, {headers}); return [b'body']"
    answer = serve(f"def application(environ, start_response):\n    {text}")
    assert parse(answer)[0][0] == ("Status", "500 Internal Server Error")
    assert b"body" not in answer.output
    assert message in answer.errors
    assert answer.status == 1


def test_values_of_headers_are_bytes_as_latin_1(serve):
    answer = serve(SIMPLE.replace('"text/plain"', '"text/\\xe9\\xa0"').format("[]"))
    assert b"Content-Type: text/\xe9\xa0\r\n" in answer.output


FAILING = {
    "before": "raise RuntimeError('secret')",
    "after start_response": "start_response('200 OK', []); raise RuntimeError('secret')",
    "while iterating": "start_response('200 OK', []); return (1 / 0 and RuntimeError('secret') for _ in [1])",
    "exit": "raise SystemExit(0)",
    "no start_response": "return [b'secret']",
    "twice": "start_response('200 OK', []); start_response('200 OK', []); return [b'secret']",
    "str": "start_response('200 OK', []); return ['secret']",
    "not iterable": "start_response('200 OK', []); return None",
}


@pytest.mark.parametrize("name", FAILING)
def test_an_exception_before_the_header_is_500_and_nothing_of_it_for_the_client(serve, name):
    answer = serve(f"def application(environ, start_response):\n    {FAILING[name]}")
    fields, body = parse(answer)
    assert fields[0] == ("Status", "500 Internal Server Error")
    assert int(dict(fields)["Content-Length"]) == len(body)
    assert b"secret" not in answer.output and b"Traceback" not in answer.output
    assert b"Error" in answer.errors or b"SystemExit" in answer.errors
    assert answer.status == 1


@pytest.mark.parametrize(
    "text",
    [
        "start_response('200 OK', [])(b'part'); raise RuntimeError('why')",
        "start_response('200 OK', []); return (b'part' if n else 1 / 0 for n in [1, 0])",
        "start_response('200 OK', [('Content-Length', '5')]); return [b'part']",
    ],
)
def test_a_response_that_cannot_be_completed_is_cut_off(serve, text):
    """By a signal: with an exit status the bridge would take the response for complete."""
    answer = serve(f"def application(environ, start_response):\n    {text}")
    assert answer.output.endswith(b"part")
    assert answer.status == -15
    assert answer.errors


def test_more_than_the_content_length_is_not_sent(serve):
    text = "start_response('200 OK', [('Content-Length', '2')]); return iter([b'a', b'bc', b'd'])"
    answer = serve(f"def application(environ, start_response):\n    {text}")
    assert parse(answer)[1] == b"ab"
    assert b"longer" in answer.errors and answer.status == 1


def test_exc_info(serve):
    """Before the header has gone out it replaces it, after that it raises."""
    text = """
        import sys
        def application(environ, start_response):
            write = start_response("200 OK", [("A", "b")])
            if environ["QUERY_STRING"] == "late":
                write(b"part")
            try:
                1 / 0
            except ZeroDivisionError:
                start_response("503 Later", [("C", "d")], sys.exc_info())
            return [b"sorry"]
        """
    fields, body = parse(serve(text))
    assert (fields, body) == ([("Status", "503 Later"), ("C", "d"), ("Content-Length", "5")], b"sorry")
    late = serve(text, {"QUERY_STRING": "late"})
    assert late.output == b"Status: 200 OK\r\nA: b\r\n\r\npart"
    assert b"ZeroDivisionError" in late.errors and late.status == -15


def test_write_and_close(serve):
    """close() is called, whatever happens; write() comes before the iterable."""
    text = """
        import sys
        class Result:
            def __iter__(self):
                yield b"second"
                if self.fails:
                    1 / 0
            def close(self):
                sys.stderr.write("closed")
        def application(environ, start_response):
            start_response("200 OK", [])(b"first ")
            Result.fails = environ["QUERY_STRING"] == "fails"
            return Result()
        """
    answer = serve(text)
    assert answer == (0, b"Status: 200 OK\r\n\r\nfirst second", b"closed")
    answer = serve(text, {"QUERY_STRING": "fails"})
    assert answer.status == -15 and answer.errors.startswith(b"closed")


@pytest.mark.parametrize("returned, length", [("[b'body']", "4"), ("iter([b'body'])", None), ("[]", None)])
def test_head_has_no_body(serve, returned, length):
    fields, body = parse(serve(SIMPLE.format(returned), {"REQUEST_METHOD": "HEAD"}))
    assert (dict(fields).get("Content-Length"), body) == (length, b"")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_no_body_where_none_may_be(serve, status):
    text = f"start_response('{status}', []); return [b'body']"
    answer = serve(f"def application(environ, start_response):\n    {text}")
    assert answer == (0, f"Status: {status}\r\n\r\n".encode(), b"")


def test_file_wrapper(serve, tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 200000)
    text = f"""
        def application(environ, start_response):
            start_response("200 OK", [])
            file = open({str(tmp_path / "file")!r}, "rb")
            file.seek(100000)
            return environ["wsgi.file_wrapper"](file, 4096)
        """
    assert parse(serve(text))[1] == b"x" * 100000


def test_what_is_printed_goes_to_the_log(serve):
    text = """
        import sys
        def application(environ, start_response):
            print("printed")
            print("errors", file=environ["wsgi.errors"])
            start_response("200 OK", [])
            return [b"body"]
        """
    answer = serve(text)
    assert parse(answer)[1] == b"body"
    assert answer.errors == b"printed\nerrors\n"


def test_each_part_goes_out_before_the_next_is_asked_for(library, tmp_path):
    """Middleware Handling of Block Boundaries: a part is not held back."""
    path = tmp_path / "parts.py"
    path.write_text(
        "import os\ndef application(environ, start_response):\n    start_response('200 OK', [])\n"
        "    for n in range(3):\n        yield b'%d' % n\n        os.write(1, b'|')\n"
    )
    assert lib.cold("wsgi", path, environment=WSGI).output == b"Status: 200 OK\r\n\r\n0|1|2|"


def test_the_process_s_environment_is_the_request_s(serve):
    text = """
        import os, subprocess
        def application(environ, start_response):
            start_response("200 OK", [])
            ours = sorted(k + "=" + v for k, v in os.environ.items())
            return [repr((ours, sorted(subprocess.check_output(["env"]).decode().splitlines()))).encode()]
        """
    ours, program = eval(parse(serve(text))[1])
    assert ours == program == sorted(f"{name}={value}" for name, value in WSGI.items())


def test_callables_and_files(serve):
    text = """
        class Site:
            def wsgi(self, environ, start_response):
                start_response("200 OK", [])
                return [__name__.encode(), __file__.encode()]
        site = Site()
        """
    body = parse(serve(text, name=["site.wsgi"]))[1]
    assert body.startswith(b"served/") and body.endswith(b"/served.py")


def test_arguments(serve):
    text = "import sys\ndef app(e, s):\n    s('200 OK', [])\n    return [repr(sys.argv[1:]).encode()]"
    assert parse(serve(text, name=["app", "one", "two"]))[1] == b"['one', 'two']"


@pytest.mark.parametrize("text", ["1 / 0", "x = = 1", "other = 1", "import sys; sys.exit(0)"])
def test_an_application_that_cannot_be_loaded(text, library, tmp_path):
    path = tmp_path / "broken.py"
    path.write_text(text)
    answer = lib.cold("wsgi", path, environment=WSGI)
    assert parse(answer)[0][0] == ("Status", "500 Internal Server Error")
    assert b"Traceback" in answer.errors and answer.status == 1
    with lib.Zygote(library, "wsgi", path) as zygote:
        assert zygote.process.wait(lib.BOUND) == 1
        assert "Traceback" in zygote.messages()


def test_threads_and_atexit_end_with_the_request(serve):
    text = """
        import atexit, sys, threading, time
        def late():
            time.sleep(0.1)
            print("thread")
        def application(environ, start_response):
            threading.Thread(target=late).start()
            atexit.register(print, "exit")
            start_response("200 OK", [])
            return [b"body"]
        """
    answer = serve(text)
    assert answer.status == 0 and parse(answer)[1] == b"body"
    assert answer.errors.split()[0] == b"thread" and b"exit" in answer.errors


def test_a_child_that_the_application_leaves_says_nothing(serve):
    text = """
        import os, sys
        def application(environ, start_response):
            if os.fork() == 0:
                sys.exit(0)
            os.wait()
            start_response("200 OK", [])
            return [b"body"]
        """
    answer = serve(text)
    assert (answer.status, answer.errors, parse(answer)[1]) == (0, b"", b"body")
