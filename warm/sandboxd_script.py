# SPDX-License-Identifier: Apache-2.0
"""CGI scripts, executed as Python executes them itself, and how a process of the runner ends."""

import os
import sys

SIGINT, SIGTERM = 2, 15
# How a process ends: its exit status or, negative, the signal that it dies of.
FAILED = 1
MISUSED = 2
# A response that cannot be completed: with an exit status the bridge would take it for complete.
CUT_OFF = -SIGTERM

PRISTINE = {}  # what the interpreter gives a script's namespace; the program fills it


def die(status):
    """Ends the process at once, as `status` says."""
    if status < 0:
        import _signal

        _signal.signal(-status, _signal.SIG_DFL)
        os.kill(os.getpid(), -status)
        status = FAILED
    os._exit(status)


def conclude(status):
    """Returns an exit status for an end that the interpreter makes, or dies of the signal."""
    if status < 0:
        die(flush_streams(status))
    return status


def flush_streams(status):
    """Empties standard output and error as the interpreter does at its end; returns `status`, or 120 if it cannot."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except Exception as error:
            if stream is sys.stdout:
                print(f"Exception ignored in: {stream!r}\n{type(error).__name__}: {error}", file=sys.stderr)
                status = 120
    if sys.__stdout__ is not sys.stdout:
        flush(sys.__stdout__)
    return status


def flush(writer):
    """A file that nobody has closed; None and what is closed are no files."""
    try:
        if writer is not None and not writer.closed:
            writer.flush()
    except Exception:  # as in a destructor: there is nobody to tell
        pass


def report(error, skipped=1):
    """Says on standard error what was raised, by the application's hook; the first `skipped` frames are ours."""
    trace = error.__traceback__
    for _ in range(skipped):
        trace = trace and trace.tb_next
    error = error.with_traceback(trace)
    try:
        sys.excepthook(type(error), error, trace)
    except BaseException as another:
        print("Error in sys.excepthook:", file=sys.stderr)
        another = another.with_traceback(another.__traceback__.tb_next)
        another.__context__ = None
        sys.__excepthook__(type(another), another, another.__traceback__)
        print("\nOriginal exception was:", file=sys.stderr)
        sys.__excepthook__(type(error), error, trace)


def status_of(end):
    """What SystemExit means: sys.exit() in the library reference."""
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    print(end.code, file=sys.stderr)
    return FAILED


def use_folder(folder):
    """Before all other folders modules are looked for in the application's own, unless Python was told otherwise."""
    if sys.flags.isolated or getattr(sys.flags, "safe_path", False):
        return
    sys.path[0] = folder


def folder_of(path):
    return os.path.dirname(os.path.realpath(path))


def stamp_of(st):
    """Differs when a file has been changed."""
    return st.st_mtime_ns, st.st_size, st.st_ino, st.st_dev


class Script:
    """A script that was compiled; `source`: of this text, and not of the file's."""

    def __init__(self, path, source=None):
        with open(path, "rb") as file:
            self.stamp = stamp_of(os.fstat(file.fileno()))
            self.code = compile(source or file.read(), path, "exec", dont_inherit=True)
        self.path = path
        self.folder = folder_of(path)
        self.modules = {}  # that are for this script alone, by name

    def main(self):
        """A new __main__ module for it."""
        module = type(sys)("__main__")
        namespace = module.__dict__
        namespace.clear()
        namespace.update(PRISTINE)
        if "__annotations__" in namespace:
            namespace["__annotations__"] = {}
        namespace["__file__"] = os.path.join(os.getcwd(), self.path)
        namespace["__loader__"] = type(PRISTINE["__loader__"])("__main__", self.path)
        return module


def load(path):
    """Returns the script; or how the process is to end, after the reason was said in the interpreter's words."""
    try:
        return Script(path)
    except OSError as error:
        print(f"{sys.executable}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        return MISUSED
    except (SyntaxError, ValueError) as error:
        report(error, skipped=2)
        return FAILED


def run(script, module):
    """Executes it as __main__; returns how the process is to end."""
    try:
        exec(script.code, module.__dict__)
    except SystemExit as end:
        return status_of(end)
    except BaseException as error:
        report(error)
        return -SIGINT if isinstance(error, KeyboardInterrupt) else FAILED
    return 0


def named():
    """The script that the request names, or None, after the reason was said."""
    path = os.environ.get("SCRIPT_FILENAME")
    if not path:
        print("sandboxd-runner: the request has no SCRIPT_FILENAME", file=sys.stderr)
    return path


def cold(path):
    """One request, without a zygote; returns how the process is to end. Without `path` the request names the script."""
    if path is None:
        path = named()
        sys.argv[:] = [path]
        sys.orig_argv = [*getattr(sys, "orig_argv", ()), path]
    script = load(path) if path else MISUSED
    if isinstance(script, int):
        return script
    use_folder(script.folder)
    sys.modules["__main__"] = script.main()
    return run(script, sys.modules["__main__"])
