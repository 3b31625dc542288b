# SPDX-License-Identifier: Apache-2.0
"""Python CGI scripts through the runner: what they do is what they do when Python executes them, cold and warm."""

import re
import textwrap

import pytest

import runner as lib

# Each is executed directly, by the cold runner and in a child, which have to agree in output, errors and status.
SCRIPTS = {
    "print": "print('Content-Type: text/plain'); print(); print('ä')",
    "buffer": """
        import sys
        sys.stdout.buffer.write(b'Content-Type: text/plain\\n\\n\\xff\\0')
        sys.stdout.write('after')
        """,
    "stdin": "import sys; print(repr(sys.stdin.read()))",
    "stdin bytes": "import sys; print(sys.stdin.buffer.readline(), sys.stdin.buffer.read(3))",
    "form": """
        import warnings
        warnings.simplefilter('ignore')
        import cgi
        f = cgi.FieldStorage()
        print(f.getvalue('name'), sorted(f.keys()))
        """,
    "environment": """
        import os
        print(sorted(os.environ.items()))
        print(os.environb[b'QUERY_STRING'], os.getenv('NONE'))
        """,
    "environment of a program": "import subprocess; print(sorted(subprocess.check_output(['env']).split(b'\\n')))",
    "environment changed": """
        import os, subprocess, sys
        os.environ["QUERY_STRING"] = "changed"
        del os.environ["PATH_INFO"]
        os.environ["NEW"] = "1"
        print(sorted(subprocess.check_output(["/usr/bin/env"]).split(b"\\n")))
        sys.stdout.flush()
        os.system("echo $QUERY_STRING $PATH_INFO $NEW")
        """,
    "descriptor": "import os, sys; print('first'); sys.stdout.flush(); os.write(1, b'second\\n')",
    "program": """
        import subprocess, sys
        print('first', flush=True)
        subprocess.run(['sh', '-c', 'echo second && cat && echo err >&2'])
        """,
    "exit number": "import sys; print('before'); sys.exit(3)",
    "exit large number": "import sys; sys.exit(256 + 7)",
    "exit text": "import sys; sys.exit('why')",
    "exit nothing": "import sys; print('x'); sys.exit()",
    "exit at once": "import os, sys; print('lost'); os._exit(4)",
    "exception": "print('before')\ndef f():\n    1 / 0\nf()",
    "exception of an exception": "try:\n    {}['x']\nexcept KeyError as e:\n    raise ValueError('y') from e",
    "interrupt": "print('x'); raise KeyboardInterrupt",
    "own hook": "import sys; sys.excepthook = lambda *what: print('hook', what[0].__name__, what[2].tb_lineno); 1 / 0",
    "broken hook": "import sys; sys.excepthook = lambda *what: [][1]; 1 / 0",
    "syntax error": "print('never')\nx = = 1",
    "tracebacks on the page": """
        import warnings
        warnings.simplefilter('ignore')
        import cgitb
        cgitb.enable(format='text')
        print('Content-Type: text/plain\\n')
        1 / 0
        """,
    "atexit": "import atexit; atexit.register(print, 'last'); atexit.register(print, 'first'); print('body')",
    "atexit after an exception": "import atexit; atexit.register(print, 'last'); 1 / 0",
    "thread": """
        import threading, time
        threading.Thread(target=lambda: (time.sleep(.1), print('thread'))).start()
        print('main')
        """,
    "daemon thread": """
        import threading, time
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        print('main')
        """,
    "executor": """
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(2)
        print(sorted(pool.map(len, ['a', 'bb'])))
        """,
    "multiprocessing": """
        import multiprocessing
        def f(x): return x * x
        if __name__ == "__main__":
            with multiprocessing.Pool(2) as pool:
                print(pool.map(f, [1, 2, 3]))
        """,
    "spawned process": """
        import multiprocessing
        def f(queue): queue.put(__name__)
        if __name__ == "__main__":
            context = multiprocessing.get_context("spawn")
            queue = context.Queue()
            process = context.Process(target=f, args=(queue,))
            process.start()
            print(queue.get(timeout=30)); process.join()
        """,
    "fork": """
        import os, sys
        print('once', flush=True)
        if os.fork() == 0:
            print('child'); sys.exit(0)
        os.wait(); print('parent')
        """,
    "main": """
        if __name__ == "__main__":
            print(__name__, __file__, __doc__, __package__, __spec__, sorted(globals()))
        """,
    "docstring": "'what it is'\nprint(__doc__)",
    "loader": """
        print(type(__loader__).__name__, __loader__.path)
        import inspect
        print(inspect.getsource(__import__('__main__')))
        """,
    "main module": "import sys, __main__; x = 1; print(sys.modules['__main__'] is __main__, __main__.x)",
    "pickle": "import pickle\nclass C: pass\nprint(type(pickle.loads(pickle.dumps(C()))) is C)",
    "arguments": "import sys; print(sys.argv, sys.path)",
    "folder": "import os; print(os.getcwd())",
    "module beside it": "import neighbour; print(neighbour.__name__, neighbour.__file__)",
    "encoding": """
        import sys
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            print(stream.encoding, stream.errors, stream.newlines, stream.line_buffering, stream.mode, stream.name)
        """,
    "encoding changed": "import sys; sys.stdout.reconfigure(encoding='latin-1'); print('ä')",
    "encoding by codecs": "import codecs, sys; sys.stdout = codecs.getwriter('utf-16')(sys.stdout.buffer); print('ä')",
    "encoding by wrapper": "import io, sys; sys.stdout = io.TextIOWrapper(sys.stdout.detach(), 'latin-1'); print('ä')",
    "encoding of the source": "# -*- coding: latin-1 -*-\nprint(len('ä'))",
    "output replaced": "import io, sys; print('a'); sys.stdout = io.StringIO(); print('b')",
    "output closed": "import sys; print('a'); sys.stdout.close()",
    "output gone": "import os, sys; os.close(1); print('a')",
    "destructor in a circle": """
        import os
        class Last:
            def __init__(self): self.me = self
            def __del__(self): os.write(1, b'deleted ' + NAME)
        NAME = b'x'
        last = Last()
        """,
    "generator": """
        import os
        def g():
            try:
                yield 1
            finally:
                os.write(1, b'closed')
        x = g()
        next(x)
        """,
    "print at the end": "class A:\n    def __del__(self): print('deleted')\na = A()\nprint('body')",
    "warning": "import warnings; warnings.warn('careful'); print(len(warnings.filters) > 0)",
    "signal": """
        import os, signal
        signal.signal(signal.SIGTERM, lambda *a: print('term'))
        os.kill(os.getpid(), 15)
        print('x')
        """,
    "dies": "import os; print('x', flush=True); os.kill(os.getpid(), 9)",
    "logging": "import logging; logging.basicConfig(); logging.error('logged'); print('x')",
    "annotations": "x: int = 1\nprint(__annotations__)",
    "future": "from __future__ import annotations\ndef f(x: undefined): pass\nprint(f.__annotations__)",
    "no future of ours": "import __future__; print(compile('1', 'x', 'eval').co_flags & 0xfff0000)",
    "large": "print('x' * 1000000)",
    "recursion": "def f(n): return n and 1 + f(n - 1)\nprint(f(900))",
    "umask and folder": "import os; print(os.umask(0o77), os.getcwd()); os.chdir('/tmp')",
    "imports": "import json, decimal, email.message, http.client, urllib.parse; print(json.dumps({'a': 1}))",
}
FAILING = {
    *("exit number", "exit large number", "exit text", "exit at once", "exception", "exception of an exception"),
    *("interrupt", "own hook", "broken hook", "syntax error", "tracebacks on the page", "atexit after an exception"),
    *("output gone", "dies"),
}
BODY = b"name=posted\r\nsecond line\r\n\xc3\xa4"


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return lib.compile_stand_in(tmp_path_factory.mktemp("stand-in"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("scripts")
    (place / "neighbour.py").write_text("")
    return place


def write(folder, name, text):
    """In a file that can be imported by its name, where that is a word."""
    path = folder / (name.replace(" ", "-") + ".py")
    path.write_bytes(textwrap.dedent(text).encode("latin-1" if "latin-1 -*-" in text else "utf-8"))
    return path


def comparable(answer):
    """Without what differs from one process to the next: addresses, dates, durations."""
    varying = rb"0x[0-9a-f]+|\w{3} \w{3} +\d+ [\d:]{8} \d{4}"
    return (answer.status, re.sub(varying, b"X", answer.output), re.sub(varying, b"X", answer.errors))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_does_what_it_does_when_python_executes_it(name, folder, library):
    path = write(folder, f"script {name}", SCRIPTS[name])
    arguments = [path, "argument"] if name == "arguments" else [path]
    environment = {**lib.REQUEST, "CONTENT_LENGTH": str(len(BODY))}
    direct = lib.once([lib.PYTHON, *arguments], environment, BODY)
    assert direct.output or direct.errors or name.startswith("exit")
    assert (direct.status == 0) == (name not in FAILING), direct
    assert comparable(lib.cold("python", *arguments, environment=environment, body=BODY)) == comparable(direct)
    # A script that Python cannot compile, or that ends the process, leaves no zygote.
    unfit = name in ("syntax error", "dies", "exit at once")
    for warm_ups in (0,) if unfit else (0, 2):
        with lib.Zygote(library, "python", *arguments, warm_ups=warm_ups) as zygote:
            if name == "syntax error":
                assert zygote.process.wait(lib.BOUND) == 1
                assert "Error" in zygote.messages()
                return
            for _ in range(warm_ups):
                zygote.ask({"CONTENT_LENGTH": str(len(BODY))}, BODY)
            for _ in range(2):
                assert comparable(zygote.ask({"CONTENT_LENGTH": str(len(BODY))}, BODY)) == comparable(direct)


def test_a_script_that_is_not_there():
    direct, cold = lib.once([lib.PYTHON, "/nowhere.py"]), lib.cold("python", "/nowhere.py")
    assert comparable(cold) == comparable(direct)
    assert cold.status == 2


@pytest.mark.parametrize("arguments", [[], ["perl"], ["wsgi"]])
def test_a_wrong_command_line(arguments):
    assert lib.cold(*arguments).status == 2


@pytest.mark.parametrize("options", [["-I"], ["-u"], ["-X", "utf8=0"], ["-O"]])
def test_options_of_python(options, folder):
    """-I has no script's folder in sys.path, -u no buffer."""
    text = "import sys, os; sys.stdout.write('a'); os.write(1, b'b'); print(sys.path, sys.flags)"
    path = write(folder, "options", text)
    direct = lib.once([lib.PYTHON, *options, path])
    assert comparable(lib.once([lib.PYTHON, *options, lib.RUNNER, "python", path])) == comparable(direct)


def test_warm_code_is_compiled_once_and_imports_are_made_once(folder, library):
    write(folder, "slow", "print('imported')")
    path = write(folder, "counting", "import slow\nprint('body')")
    with lib.Zygote(library, "python", path, warm_ups=1) as zygote:
        assert zygote.ask().output == b"imported\nbody\n"
        assert [zygote.ask().output for _ in range(2)] == [b"body\n"] * 2


def test_scripts_by_request(folder, library, tmp_path):
    """Without FILE the request names the script: two folders, two modules of one name, and a change."""
    (tmp_path / "shared.py").write_text("NAME = 'second'")
    write(folder, "shared", "NAME = 'first'")
    first = write(folder, "first", "import shared, sys; print(shared.NAME, sys.argv, sys.path[0])")
    second = tmp_path / "second.py"
    second.write_text("import shared, sys; print(shared.NAME, sys.argv, sys.path[0])")
    answers = {path: lib.once([lib.PYTHON, path]) for path in (first, second)}
    for path, direct in answers.items():
        assert lib.cold("python", environment={**lib.REQUEST, "SCRIPT_FILENAME": path}) == direct
    assert lib.cold("python").status == 2
    with lib.Zygote(library, "python", warm_ups=2) as zygote:
        for _ in range(2):
            for path, direct in answers.items():
                answer = zygote.ask({"SCRIPT_FILENAME": path})
                assert (answer.output, answer.errors) == (direct.output, direct.errors)
        second.write_text("print('changed')")
        assert zygote.ask({"SCRIPT_FILENAME": second}).output == b"changed\n"
        assert zygote.ask({"SCRIPT_FILENAME": tmp_path / "none.py"}).status == 2


SPOILING = [
    "1 / 0",
    "import sys; sys.exit(3)",
    "raise KeyboardInterrupt",
    "import sys; sys.stdout.close(); sys.stderr.close()",
    "import os; os.close(0); os.close(1); os.close(2)",
    "import os; os.fork() or os.fork(); raise SystemExit(1)",
    "import os; os.chdir('/tmp'); os.environ.clear()",
    "import sys; sys.path.clear(); sys.argv.clear()",
    "import sys; sys.stdin = sys.stdout = sys.stderr = None",
    "import atexit; atexit.register(lambda: 1 / 0)",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "x = = 1",
]


def test_a_zygote_survives_what_scripts_do_while_it_is_warmed_up(folder, library):
    good = write(folder, "good", """
        import os, sys, signal
        print(sys.argv, sys.path, os.getcwd(), signal.getsignal(15), sorted(os.environ), sys.stdin.read())
        """)
    bad = SPOILING
    direct = lib.once([lib.PYTHON, good], {**lib.REQUEST, "SCRIPT_FILENAME": str(good)}, b"x")
    with lib.Zygote(library, "python", warm_ups=len(bad)) as zygote:
        for number, text in enumerate(bad):
            zygote.ask({"SCRIPT_FILENAME": write(folder, f"bad{number}", text)})
        for _ in range(2):
            assert comparable(zygote.ask({"SCRIPT_FILENAME": good}, b"x")) == comparable(direct)


def test_every_file_of_the_application_is_told(folder, library, tmp_path):
    write(folder, "later", "")
    path = write(folder, "watched", "import neighbour, later")
    told = tmp_path / "told"
    with lib.Zygote(library, "python", path, warm_ups=1, environment={"STAND_IN_WATCHED": str(told)}) as zygote:
        zygote.ask()
        zygote.ask()
    files = told.read_text().splitlines()
    assert {str(folder / "neighbour.py"), str(folder / "later.py")} < set(files)
    assert len(files) == len(set(files))


DRAWS = """
import random, secrets, ssl, tempfile, uuid
print(random.random()); print(uuid.uuid4()); print(secrets.token_hex(8)); print(ssl.RAND_bytes(8).hex())
print(next(tempfile._get_candidate_names()))
"""
TWINS = """
import ctypes, os, random, sys
for _ in range(2):
    if ctypes.PyDLL(None).fork() == 0:
        print(random.random()); sys.stdout.flush(); os._exit(0)
    os.wait()
"""


def test_no_two_children_draw_the_same(folder, library):
    control = lib.once([lib.PYTHON, write(folder, "twins", TWINS)]).output.split()
    assert len(control) == 2 and len(set(control)) == 1, "without Python's hooks they do"
    with lib.Zygote(library, "python", write(folder, "draws", DRAWS), warm_ups=1) as zygote:
        drawn = [line for _ in range(10) for line in zygote.ask().output.split()]
    assert len(drawn) == 50
    assert len(set(drawn)) == 50


@pytest.mark.parametrize("kept", ["file", "keep = [file]; keep.append(keep)", "import neighbour; neighbour.f = file"])
def test_files_that_a_script_leaves_open_are_written(kept, folder, library, tmp_path):
    log = tmp_path / "log"
    path = write(folder, "leaving", f"file = open({str(log)!r}, 'a'); file.write('x'); print('y'); {kept}; del file")
    lib.once([lib.PYTHON, path])
    assert log.read_text() == "x"
    with lib.Zygote(library, "python", path, warm_ups=1) as zygote:
        for _ in range(3):
            assert zygote.ask().output == b"y\n"
    assert log.read_text() == "xxxx"


def test_files_that_modules_keep_open_are_written(folder, library, tmp_path):
    """Those that were opened before the fork too, and once for each request."""
    log = tmp_path / "log"
    write(folder, "keeping", f"file = open({str(log)!r}, 'a')")
    path = write(folder, "writing", "import keeping; keeping.file.write('x'); print('y')")
    with lib.Zygote(library, "python", path, warm_ups=1) as zygote:
        for _ in range(3):
            assert zygote.ask().output == b"y\n"
    assert log.read_text() == "xxx"
