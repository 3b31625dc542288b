# SPDX-License-Identifier: Apache-2.0
"""
Runs a Python application for sandboxd, one request for each process.

    sandboxd-runner.py wsgi FILE [CALLABLE [ARG...]]    a WSGI application (PEP 3333), by default `application`
    sandboxd-runner.py python [FILE [ARG...]]           a CGI script; without FILE the request's SCRIPT_FILENAME

Cold, it serves the CGI request (RFC 3875) that its environment and standard streams are, and ends. In an application
zygote it brings the application up and serves one request in each child: sandboxd_zygote.py. The parts are modules of
their own because each start of Python compiles what it needs of them.
"""

# What the interpreter gives a script's namespace, before anything else is in it.
PRISTINE = dict(globals(), __doc__=None)

import os  # noqa: E402
import stat  # noqa: E402
import sys  # noqa: E402


def load_parts(with_wsgi, with_zygote):
    """Imports them from this file's folder, which is not in sys.path with Python's -I. It is read-only: no bytecode."""
    written = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import sandboxd_script as script

    wsgi = zygote = None
    if with_wsgi:
        import sandboxd_wsgi as wsgi
    if with_zygote:
        import sandboxd_zygote as zygote
    del sys.path[0]
    sys.dont_write_bytecode = written
    return script, wsgi, zygote


def forget_runner():
    """The command line as if the application had been executed itself."""
    original = getattr(sys, "orig_argv", [])  # from Python 3.10 on
    if __file__ in original:
        first = original.index(__file__)
        del original[first : first + 2]
    del sys.argv[:2]


def main():
    """Returns the exit status; the interpreter then ends as it does after any script."""
    kind = sys.argv[1] if len(sys.argv) > 1 else None
    if kind not in ("wsgi", "python") or (kind == "wsgi" and len(sys.argv) < 3):
        print("usage: sandboxd-runner.py wsgi FILE [CALLABLE [ARG...]] | python [FILE [ARG...]]", file=sys.stderr)
        return 2
    # An application zygote has a socket there, a request a pipe. So no request pays for asking the library.
    script, wsgi, zygote = load_parts(kind == "wsgi", stat.S_ISSOCK(os.fstat(0).st_mode))
    script.PRISTINE.update(PRISTINE)
    forget_runner()
    name = "application"
    if kind == "wsgi" and len(sys.argv) > 1:
        name = sys.argv.pop(1)
    path = sys.argv[0] if sys.argv else None
    if zygote and zygote.library():
        return zygote.serve(path, name if wsgi else None)
    return script.conclude(wsgi.cold(path, name) if wsgi else script.cold(path))


sys.exit(main())
